//! A bucket of UPYUN over a server that is written by UPYUN's documents. No such bucket was at hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::upyun::{OPERATOR, PASSWORD, Upyun};

struct UpyunFixture(Upyun);

/// Whether a path of UPYUN names exactly this.
fn holds(key: &Key) -> bool {
    let Some(text) = key.as_str() else { return false };
    text.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

#[async_trait]
impl SourceFixture for UpyunFixture {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.0.source(PASSWORD))
    }

    fn can_hold(&self, key: &Key) -> bool {
        holds(key)
    }

    fn folds_keys(&self) -> bool {
        true
    }

    /// The folder, and the one file in it.
    fn page_requests(&self) -> u64 {
        2
    }

    fn carried(&self, _: &Key, headers: &ObjectHeaders) -> ObjectHeaders {
        headers.clone()
    }

    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders) {
        self.0.put(key, bytes, headers);
    }

    async fn delete(&self, key: &Key) {
        self.0.delete(key);
    }
}

ossferry_conformance::conformance!(upyun_by_its_documents, source, {
    let fixture: Box<dyn SourceFixture> = Box::new(UpyunFixture(Upyun::start().await));
    ((), fixture)
});

fn fill(upyun: &Upyun) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for folder in ["", "a/", "a/b/", "a/b/c d/", "z/"] {
        for name in ["1", "2 %2F", "\u{fc}"] {
            let key = Key::from(format!("{folder}{name}"));
            upyun.put(&key, bytes_of(&key, 1, 50), &ObjectHeaders::default());
            keys.insert(key);
        }
    }
    keys
}

#[tokio::test]
async fn folders_in_folders_are_walked_each_once_and_one_that_is_gone_is_empty() {
    let upyun = Upyun::start().await;
    let keys = fill(&upyun);
    for keys_max in [1, 2, 1_000] {
        let source = upyun.source(PASSWORD);
        let (prefix, mut start) = (Key::default(), ListStart::Beginning);
        let mut listed = Vec::new();
        loop {
            let request = ListRequest { prefix: prefix.clone(), start, keys_max };
            let page = source.list(&request).await.unwrap();
            listed.extend(page.entries.into_iter().map(|entry| entry.key));
            let Some(next) = page.next else { break };
            start = ListStart::Token(next);
        }
        assert_eq!(listed.len(), keys.len(), "{keys_max} a page");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), keys);
    }
    let nowhere =
        ListRequest { prefix: Key::from("no/such/"), start: ListStart::Beginning, keys_max: 10 };
    let page = upyun.source(PASSWORD).list(&nowhere).await.unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
    for key in ["a", "a/", ""] {
        let error = upyun.source(PASSWORD).head(&Key::from(key)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSuchKey, "{key} is a folder");
    }
}

#[tokio::test]
async fn another_password_is_refused_as_the_account_s() {
    let upyun = Upyun::start().await;
    let source = upyun.source("another");
    let request = ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max: 10 };
    for error in [source.list(&request).await.err(), source.now().await.err()] {
        let error = error.unwrap();
        assert_eq!(error.kind, ErrorKind::AccountRefused);
        assert!(error.message.contains("40100005 (401)"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_a_bucket_arrive_and_are_known_again() {
    let upyun = Upyun::start().await;
    let keys = fill(&upyun);
    let oss = Oss::start(clock::system()).await;
    let mut ossferry = Ossferry::new(&JobFile::from_upyun(&upyun, &oss));
    ossferry.set("OPERATOR", Some(OPERATOR));
    ossferry.set("PASSWORD", Some(PASSWORD));
    let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("no store of kind \"upyun\" was asked"), "{check}");
    assert!(check.contains("folder by folder"), "{check}");
    for (copied, skipped_equal) in [(keys.len(), 0), (0, keys.len())] {
        let run = ["run", "--job", "job.toml", "--pass", "full", "--json"];
        let report = ossferry.run(&run).await.expect(0).report();
        let found = (report.copied, report.skipped_equal);
        assert_eq!(found, (copied as u64, skipped_equal as u64), "{report:?}");
    }
    let found = oss.target().objects().await;
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), keys);
}
