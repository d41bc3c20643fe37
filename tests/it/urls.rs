//! A list of URLs over servers of good and of bad manners.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::error::ErrorKind;
use ossferry_core::job::{AllowedHost, UrlListFormat, UrlListSource};
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, ObjectHeaders, Pin};
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_http::percent::encode_component;
use ossferry_http::{LaneOptions, RetryPolicy};
use ossferry_lists::{UrlOptions, UrlSource};
use ossferry_tests::clock;
use ossferry_tests::web::{Manners, Tag, WebServer};

fn options(redirects_max: u32) -> UrlOptions {
    UrlOptions {
        spec: UrlListSource {
            list: "urls.txt".to_owned(),
            format: UrlListFormat::Urls,
            prefix: Key::default(),
            allow: vec![AllowedHost::try_from("127.0.0.1".to_owned()).unwrap()],
            redirects_max,
            host_concurrency_max: 16,
        },
        lane: LaneOptions::default(),
        clock: clock::system(),
        retry: RetryPolicy::default(),
    }
}

fn source_of(server: &WebServer, redirects_max: u32) -> UrlSource {
    UrlSource::of_text(options(redirects_max), server.list().as_bytes()).expect("a list")
}

struct WebFixture(WebServer);

#[async_trait]
impl SourceFixture for WebFixture {
    /// A list is read once: after every change there is another one.
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(source_of(&self.0, 0))
    }

    fn can_hold(&self, key: &Key) -> bool {
        !key.is_empty()
    }

    fn carried(&self, _key: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        ObjectHeaders { user_metadata: Vec::new(), ..headers.clone() }
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.0.put(key, bytes, headers);
    }

    async fn delete(&self, key: &Key) {
        self.0.delete(key);
    }
}

async fn web(manners: Manners) -> ((), Box<dyn SourceFixture>) {
    ((), Box::new(WebFixture(WebServer::start(manners).await)))
}

ossferry_conformance::conformance!(urls_with_etags, source, web(Manners::default()).await);

ossferry_conformance::conformance!(urls_with_dates, source, {
    web(Manners { tag: Tag::Absent, ..Manners::default() }).await
});

ossferry_conformance::conformance!(urls_with_weak_etags, source, {
    web(Manners { tag: Tag::Weak, ..Manners::default() }).await
});

const KEY: &str = "folder/a b.bin";

async fn served(manners: Manners, size: usize) -> (WebServer, UrlSource, Key) {
    let server = WebServer::start(manners).await;
    let key = Key::from(KEY);
    server.put(&key, Bytes::from(vec![7; size]), &ObjectHeaders::default());
    let source = source_of(&server, 0);
    (server, source, key)
}

#[tokio::test]
async fn a_server_without_head_is_asked_for_one_byte() {
    let manners = Manners { heads: false, ..Manners::default() };
    for size in [0, 1, 1_000] {
        for ranges in [true, false] {
            let (_server, source, key) = served(Manners { ranges, ..manners }, size).await;
            let info = source.head(&key).await.expect("head");
            assert_eq!(info.size, size as u64);
            let open = source.open(&key, &Pin { etag: info.etag.unwrap() }, None).await;
            assert_eq!(open.expect("open").info.size, size as u64);
        }
    }
}

#[tokio::test]
async fn what_gives_neither_tag_nor_date_is_read_in_one_piece_only() {
    let manners = Manners { tag: Tag::Absent, dates: false, ..Manners::default() };
    let (server, source, key) = served(manners, 1_000).await;
    let pin = Pin { etag: source.head(&key).await.unwrap().etag.unwrap() };
    assert!(pin.etag.is_size_alone());
    assert!(source.open(&key, &pin, None).await.is_ok());
    let part = Some(ByteRange { start: 0, bytes: 10 });
    let error = source.open(&key, &pin, part).await.err().unwrap();
    assert!(!error.is_transient() && error.to_string().contains("split_bytes"), "{error}");
    server.put(&key, Bytes::from(vec![7; 1_001]), &ObjectHeaders::default());
    let error = source.open(&key, &pin, None).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn what_a_server_cannot_do_is_told_and_not_asked_for_again() {
    let key = Key::from(KEY);
    let (server, source, _) = served(Manners { ranges: false, ..Manners::default() }, 1_000).await;
    let pin = Pin { etag: source.head(&key).await.unwrap().etag.unwrap() };
    server.take_asked();
    let part = Some(ByteRange { start: 0, bytes: 10 });
    let error = source.open(&key, &pin, part).await.err().unwrap();
    assert!(error.to_string().contains("ignores ranges"), "{error}");
    assert_eq!(server.take_asked().len(), 1);

    let (_server, source, _) =
        served(Manners { lengths: false, ranges: false, ..Manners::default() }, 1_000).await;
    let error = source.head(&key).await.unwrap_err();
    assert!(error.to_string().contains("does not say how long"), "{error}");
    let page = source
        .list(&ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max: 10 })
        .await
        .expect("one that cannot be asked for ends no listing");
    assert_eq!((page.entries[0].size, &page.entries[0].etag), (0, &None));
}

#[tokio::test]
async fn redirects_are_followed_only_as_far_as_the_job_file_says() {
    let server = WebServer::start(Manners::default()).await;
    let [first, second, last] = ["first", "second", "last"].map(Key::from);
    server.redirect(&first, "/second");
    server.redirect(&second, &server.url(&last));
    server.put(&last, Bytes::from_static(b"last"), &ObjectHeaders::default());
    for (redirects_max, arrives) in [(0, false), (1, false), (2, true)] {
        let source = source_of(&server, redirects_max);
        match source.head(&first).await {
            Ok(info) => assert!(arrives && info.size == 4),
            Err(error) => {
                let said = error.to_string();
                assert!(!arrives && said.contains("redirects_max") && !error.is_transient());
            }
        }
    }
    // Where a redirect leads is judged like every other host.
    server.redirect(&first, "http://169.254.169.254/latest/meta-data");
    let error = source_of(&server, 2).head(&first).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert!(error.to_string().contains("metadata"), "{error}");
}

#[tokio::test]
async fn a_list_is_read_from_a_file_from_a_server_and_by_its_manifest() {
    let server = WebServer::start(Manners::default()).await;
    let headers = ObjectHeaders::default();
    let key = Key::from("a b+c");
    server.put(&key, Bytes::from_static(b"bytes"), &headers);
    let urls = server.list();
    let row = [key.as_bytes(), server.url(&key).as_bytes()].map(encode_component).join(",");
    let manifest = r#"{"fileSchema":"Key,Url","files":[{"key":"elsewhere/a.csv"}]}"#;
    let folder = tempfile::tempdir().unwrap();
    let files = [("urls.txt", urls), ("manifest.json", manifest.to_owned()), ("a.csv", row + "\n")];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), &text).unwrap();
        server.put(&Key::from(format!("lists/{name}")), text.into(), &headers);
    }
    let address = format!("{}/lists", server.endpoint());
    for place in [folder.path().display().to_string(), address] {
        for (name, format) in
            [("urls.txt", UrlListFormat::Urls), ("manifest.json", UrlListFormat::Manifest)]
        {
            let mut options = options(0);
            options.spec.list = format!("{place}/{name}");
            options.spec.format = format;
            let source = UrlSource::open(options.clone()).await.expect("a list");
            assert_eq!(source.head(&key).await.expect("head").size, 5);
            options.spec.list = format!("{place}/none");
            let error = UrlSource::open(options).await.err().unwrap();
            assert_eq!(error.kind, ErrorKind::NoSuchBucket, "{error}");
        }
    }
}
