//! The suite of the port over lists of keys in each of their forms, and what a list is refused for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ossferry_conformance::memory::MemoryBucket;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::ListingPlace;
use ossferry_core::key::Key;
use ossferry_core::object::{Entry, ObjectHeaders};
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder, Source};
use ossferry_lists::ListedBucket;

use super::{Archive, ListedFixture, all, bucket, entries, of_machine};

fn listed(bucket: &MemoryBucket, folder: &Path, list: String) -> Arc<dyn Source> {
    let path = folder.join("list");
    std::fs::write(&path, list).unwrap();
    let bucket: Arc<dyn Source> = Arc::new(bucket.clone());
    Arc::new(ListedBucket::by_keys(bucket, of_machine(&path), Key::default()))
}

/// All that the bucket holds now, in no order and some of it twice.
fn keys(bucket: &MemoryBucket) -> Vec<String> {
    let mut keys: Vec<String> =
        entries(bucket).iter().map(|entry| entry.key.to_text().into_owned()).collect();
    keys.reverse();
    keys.extend(keys.first().cloned());
    keys
}

fn by_lines(bucket: &MemoryBucket, folder: &Path) -> Arc<dyn Source> {
    listed(bucket, folder, keys(bucket).join("\n"))
}

fn by_report(bucket: &MemoryBucket, folder: &Path) -> Arc<dyn Source> {
    let quoted = |key: String| format!("\"{}\",7,failed,\n", key.replace('"', "\"\""));
    let rows: Vec<String> = keys(bucket).into_iter().map(quoted).collect();
    listed(bucket, folder, format!("key,size,outcome,reason\n{}", rows.concat()))
}

fn fixture(source: fn(&MemoryBucket, &Path) -> Arc<dyn Source>) -> Box<dyn SourceFixture> {
    Box::new(ListedFixture { page_requests: 1, is_undated: true, ..ListedFixture::new(source) })
}

ossferry_conformance::conformance!(lines, source, ((), fixture(by_lines)));
ossferry_conformance::conformance!(report, source, ((), fixture(by_report)));

fn write(bucket: &MemoryBucket, key: &str, bytes: &str) {
    let bytes = Bytes::from(bytes.to_owned());
    bucket.write(&Key::from(key), bytes, &ObjectHeaders::default());
}

/// Lists by a list that lies in its own bucket.
fn in_bucket(bucket: &Arc<dyn Source>, prefix: &str) -> ListedBucket {
    ListedBucket::by_keys(
        Arc::clone(bucket),
        ListingPlace::Key(Key::from("list")),
        Key::from(prefix),
    )
}

async fn refusal(bucket: &MemoryBucket, prefix: &str) -> PortError {
    let bucket: Arc<dyn Source> = Arc::new(bucket.clone());
    in_bucket(&bucket, prefix).list(&all()).await.unwrap_err()
}

#[tokio::test]
async fn each_object_is_listed_as_it_is_now_and_what_is_not_there_with_nothing_known() {
    let bucket = bucket();
    write(&bucket, "a", "12345");
    write(&bucket, "secret", "1");
    write(&bucket, "not-listed", "1");
    write(&bucket, "list", "key,size,outcome\nsecret,1,failed\na,1,failed\ngone,9,failed\n");
    let refused = BTreeMap::from([(Key::from("secret"), ErrorKind::AccessDenied)]);
    let archive: Arc<dyn Source> = Arc::new(Archive { bucket, refused });
    let source = in_bucket(&archive, "");
    assert_eq!(source.profile().order, ListingOrder::Serial);
    let page = source.list(&all()).await.unwrap();
    let known = |entry: &Entry| (entry.key.to_string(), entry.size, entry.etag.is_some());
    let found: Vec<_> = page.entries.iter().map(known).collect();
    let wanted = [("a", 5, true), ("gone", 0, false), ("secret", 0, false)];
    assert_eq!(found, wanted.map(|(key, size, known)| (key.to_owned(), size, known)));
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn what_concerns_every_object_or_may_pass_ends_the_page() {
    for kind in [ErrorKind::AccountRefused, ErrorKind::Timeout] {
        let bucket = bucket();
        write(&bucket, "list", "a\nb\n");
        let refused = BTreeMap::from([(Key::from("b"), kind)]);
        let archive: Arc<dyn Source> = Arc::new(Archive { bucket, refused });
        assert_eq!(in_bucket(&archive, "").list(&all()).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_key_outside_the_prefix_of_the_job_is_refused_by_name() {
    let bucket = bucket();
    write(&bucket, "list", "in/a\nout/b\n");
    let text = refusal(&bucket, "in/").await.to_string();
    assert!(text.contains("out/b does not begin with the prefix of the job, in/"), "{text}");
}

#[tokio::test]
async fn a_list_that_is_none_or_not_there_is_refused_with_its_reason() {
    let bucket = bucket();
    let missing = refusal(&bucket, "").await;
    assert_eq!(missing.kind, ErrorKind::NoSuchBucket);
    assert!(missing.to_string().starts_with("list of keys: list: "), "{missing}");
    write(&bucket, "list", "{\"key\":\"a\"}\n{");
    let text = refusal(&bucket, "").await.to_string();
    assert!(text.starts_with("list of keys: line 2: "), "{text}");
    let nowhere = of_machine(Path::new("/nowhere/list"));
    let source = ListedBucket::by_keys(Arc::new(bucket), nowhere, Key::default());
    let missing = source.list(&all()).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NoSuchBucket);
    assert!(missing.to_string().contains("/nowhere/list"), "{missing}");
}

#[tokio::test]
async fn a_listing_goes_on_only_over_the_list_with_which_it_began() {
    let bucket = bucket();
    let first: Vec<String> = (100..350).map(|n| format!("k{n}\n")).collect();
    write(&bucket, "list", &first.concat());
    let port: Arc<dyn Source> = Arc::new(bucket.clone());
    let page = in_bucket(&port, "").list(&all()).await.unwrap();
    assert_eq!(page.entries.len(), 100, "each costs a request");
    let rest = ListRequest { start: ListStart::Token(page.next.unwrap()), ..all() };
    let elsewhere = in_bucket(&port, "");
    let second = elsewhere.list(&rest).await.unwrap();
    assert_eq!(second.entries.first().map(|entry| entry.key.to_string()), Some("k200".to_owned()));
    write(&bucket, "list", &first[1..].concat());
    elsewhere.list(&rest).await.expect("as it was read before");
    let error = in_bucket(&port, "").list(&rest).await.unwrap_err();
    assert!(error.to_string().contains("changed since the pass began"), "{error}");
    let anew = elsewhere.list(&all()).await.unwrap();
    assert_eq!(anew.entries[0].key, Key::from("k101"), "a new listing begins with the new list");
    for start in [ListStart::After(Key::from("k1")), ListStart::Token("k1".to_owned())] {
        elsewhere.list(&ListRequest { start, ..all() }).await.unwrap_err();
    }
}
