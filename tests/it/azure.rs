//! A container of Azure Blob Storage over Microsoft's own emulator.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::{ObjectHeaders, Pin};
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_http::Credentials;
use ossferry_tests::azurite::{AzureContainer, Azurite};

struct AzureFixture(AzureContainer);

/// Whether the emulator keeps a blob under exactly this name. Its server folds dot segments, and XML
/// holds no control characters.
fn holds(key: &Key) -> bool {
    let mut segments = key.as_bytes().split(|byte| *byte == b'/');
    segments.all(|name| !matches!(name, b"" | b"." | b".."))
        && key.len() <= 1_024
        && !key.as_bytes().ends_with(b".")
        && key.as_bytes().iter().all(|byte| *byte >= b' ' && !matches!(byte, b'\\' | 0x7f))
}

#[async_trait]
impl SourceFixture for AzureFixture {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.0.source())
    }

    fn can_hold(&self, key: &Key) -> bool {
        holds(key)
    }

    fn folds_keys(&self) -> bool {
        true
    }

    fn carried(&self, _key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        let metadata = headers.user_metadata.iter();
        let metadata = metadata.map(|(name, value)| (name.replace('-', "_"), value.clone()));
        ObjectHeaders { expires: None, user_metadata: metadata.collect(), ..headers.clone() }
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.0.put(key, bytes, headers).await;
    }

    async fn delete(&self, key: &Key) {
        self.0.delete(key).await;
    }
}

ossferry_conformance::conformance!(azure_over_azurite, source, {
    let container = Azurite::shared().fresh_container().await;
    let fixture: Box<dyn SourceFixture> = Box::new(AzureFixture(container));
    ((), fixture)
});

fn credentials(secret_key: &str, token: Option<String>) -> Credentials {
    Credentials { access_key: String::new(), secret_key: secret_key.to_owned(), token }
}

#[tokio::test]
async fn a_shared_access_signature_reads_and_another_key_is_refused() {
    let azurite = Azurite::shared();
    let container = azurite.fresh_container().await;
    let key = Key::from("folder/a b+c.txt");
    container.put(&key, Bytes::from_static(b"bytes"), &ObjectHeaders::default()).await;
    let request =
        ListRequest { prefix: Key::from("folder/"), start: ListStart::Beginning, keys_max: 10 };
    for token in [azurite.sas(), format!("?{}", azurite.sas())] {
        let source = container.source_with(credentials("", Some(token)));
        assert_eq!(source.list(&request).await.unwrap().entries.len(), 1);
        let etag = source.head(&key).await.unwrap().etag.unwrap();
        assert!(source.open(&key, &Pin { etag }, None).await.is_ok());
    }
    for (secret, token) in
        [("AAAA", None), ("no base64!", None), ("", Some(azurite.sas().replace("sig=", "sig=x")))]
    {
        let error = container.source_with(credentials(secret, token)).list(&request).await;
        let error = error.unwrap_err();
        // The emulator calls a wrong key a lack of rights, which Azure itself does not.
        let refused = [ErrorKind::AccountRefused, ErrorKind::AccessDenied];
        assert!(refused.contains(&error.kind), "{error}");
        assert!(!error.to_string().contains("sig="), "{error}");
    }
}

#[tokio::test]
async fn blobs_that_were_appended_to_and_archived_ones_are_told() {
    let container = Azurite::shared().fresh_container().await;
    let [block, appended, cold] = ["block", "appended", "cold"].map(Key::from);
    let bytes = Bytes::from_static(b"one block");
    container.put(&block, bytes.clone(), &ObjectHeaders::default()).await;
    container.append(&appended, &[bytes.clone(), bytes.clone()]).await;
    container.put(&cold, bytes.clone(), &ObjectHeaders::default()).await;
    container.set_tier(&cold, "Archive").await;
    let source = container.source();
    assert!(source.head(&block).await.unwrap().digests.md5.is_some());
    let info = source.head(&appended).await.unwrap();
    assert_eq!((info.size, info.digests.md5), (18, None));
    let request = ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max: 10 };
    let page = source.list(&request).await.unwrap();
    let archived: Vec<_> = page.entries.iter().filter(|entry| entry.archived).collect();
    assert_eq!(archived.len(), 1);
    assert_eq!(archived[0].key, cold);
    let pin = Pin { etag: archived[0].etag.clone().unwrap() };
    let error = source.open(&cold, &pin, None).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Archived, "{error}");
}
