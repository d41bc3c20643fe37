//! The suite of the port over an inventory, which is made anew after every change of its bucket.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ossferry_conformance::memory::MemoryBucket;
use ossferry_conformance::source::SourceFixture;
use ossferry_core::along::{CannedAcl, SourceAcl};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{ListingPlace, RestoreSpec, RestoreTier};
use ossferry_core::key::Key;
use ossferry_core::object::{Entry, ObjectHeaders};
use ossferry_core::ports::{ListingOrder, Restoration, Source};
use ossferry_core::time::Timestamp;
use ossferry_http::percent::encode_component;
use ossferry_lists::ListedBucket;

use super::{Archive, ListedFixture, all, block_on, bucket, entries, now, of_machine};

fn gzipped(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn row(entry: &Entry) -> String {
    format!(
        "\"photos\",\"{}\",\"true\",\"false\",\"{}\",\"{}\",\"{}\",\"STANDARD\"\n",
        encode_component(entry.key.as_bytes()).replace("%20", "+"),
        entry.size,
        entry.last_modified.map(|date| date.to_string()).unwrap_or_default(),
        entry.etag.as_ref().map_or("", |etag| etag.as_str()),
    )
}

const SCHEMA: &str =
    "Bucket, Key, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";

fn manifest(files: &[&str]) -> String {
    manifest_of(files, now())
}

fn manifest_of(files: &[&str], created: Timestamp) -> String {
    let files: Vec<String> =
        files.iter().map(|name| format!("{{\"key\":\"inv/data/{name}\",\"size\":1}}")).collect();
    format!(
        "{{\"sourceBucket\":\"photos\",\"fileFormat\":\"CSV\",\"fileSchema\":\"{SCHEMA}\",\
         \"creationTimestamp\":\"{}\",\"files\":[{}]}}",
        created.0,
        files.join(",")
    )
}

/// Of all that the bucket holds now.
fn source(bucket: &MemoryBucket, folder: &Path) -> Arc<dyn Source> {
    let all: Vec<String> = entries(bucket).iter().map(row).collect();
    // Not in the order of the keys, and over files of which one is empty.
    let (first, second) = all.split_at(all.len() / 2);
    std::fs::write(folder.join("a.csv.gz"), gzipped(&second.concat())).unwrap();
    std::fs::write(folder.join("b.csv.gz"), gzipped("")).unwrap();
    std::fs::write(folder.join("c.csv"), first.concat()).unwrap();
    let path = folder.join("manifest.json");
    std::fs::write(&path, manifest(&["a.csv.gz", "b.csv.gz", "c.csv"])).unwrap();
    let bucket: Arc<dyn Source> = Arc::new(bucket.clone());
    let opened = ListedBucket::by_inventory(bucket, "photos", of_machine(&path), |_| false);
    Arc::new(block_on(opened).unwrap())
}

ossferry_conformance::conformance!(inventory, source, {
    let fixture: Box<dyn SourceFixture> = Box::new(ListedFixture::new(source));
    ((), fixture)
});

/// Opens an inventory that lies in its own bucket.
async fn in_bucket(manifest: &str, files: &[(&str, Vec<u8>)]) -> Result<ListedBucket, PortError> {
    let bucket = bucket();
    let headers = ObjectHeaders::default();
    bucket.write(&Key::from("inv/manifest.json"), Bytes::from(manifest.to_owned()), &headers);
    for (name, bytes) in files {
        bucket.write(&Key::from(format!("inv/data/{name}")), bytes.clone().into(), &headers);
    }
    let files = ListingPlace::Key(Key::from("inv/manifest.json"));
    ListedBucket::by_inventory(Arc::new(bucket), "photos", files, |class| class == "GLACIER").await
}

#[tokio::test]
async fn older_versions_are_left_out_and_archived_classes_are_told() {
    let rows = "photos,a,true,false,5,2026-01-02T03:04:05.000Z,e1,GLACIER\n\
                photos,a,false,false,4,2025-01-02T03:04:05.000Z,e0,STANDARD\n\
                photos,b,true,true,,2026-01-02T03:04:05.000Z,,\n\
                photos,c%2Bd+e,true,false,0,,,\n";
    let manifest = manifest(&["a.csv.gz"]);
    let source = in_bucket(&manifest, &[("a.csv.gz", gzipped(rows))]).await.unwrap();
    assert_eq!(source.profile().order, ListingOrder::Serial);
    let page = source.list(&all()).await.unwrap();
    let found: Vec<_> =
        page.entries.iter().map(|e| (e.key.to_text(), e.size, e.archived)).collect();
    assert_eq!(found, [("a".into(), 5, true), ("c+d e".into(), 0, false)]);
}

#[tokio::test]
async fn a_pass_is_dated_by_its_inventory_and_never_later() {
    let made = Timestamp(1_760_000_000_000);
    let silent = manifest_of(&[], made).replace("creationTimestamp", "other");
    let ahead = Timestamp(now().0 + 86_400_000);
    for (manifest, latest) in
        [(manifest_of(&[], made), made), (silent, Timestamp(0)), (manifest_of(&[], ahead), now())]
    {
        let source = in_bucket(&manifest, &[]).await.unwrap();
        let dated = source.now().await.unwrap();
        assert!(dated <= latest.max(now()) && (latest.0 > made.0 || dated == latest), "{dated}");
    }
}

#[tokio::test]
async fn an_inventory_that_cannot_be_read_is_refused_with_its_reason() {
    for (manifest, said) in [
        (manifest(&[]).replace("\"CSV\"", "\"Parquet\""), "made as CSV"),
        (manifest(&[]).replace("\"CSV\"", "\"ORC\""), "ossferry convert-inventory"),
        (manifest(&[]).replace("Size", "Bytes"), "no column Size"),
        (manifest(&[]).replace("\"photos\"", "\"other\""), "is of the bucket other"),
        ("{}".to_owned(), "fileSchema"),
    ] {
        let error = in_bucket(&manifest, &[]).await.err().unwrap();
        assert!(error.to_string().contains(said), "{error}");
    }
    for (rows, said) in [("photos,%zz,true,false,1\n", "row 1: want a key"), ("photos,a\n", "size")]
    {
        let manifest = manifest(&["a.csv.gz"]);
        let source = in_bucket(&manifest, &[("a.csv.gz", gzipped(rows))]).await.unwrap();
        let error = source.list(&all()).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let cut = manifest(&["a.csv.gz"]);
    let bytes = gzipped(&"photos,a,true,false,1\n".repeat(1_000));
    let source = in_bucket(&cut, &[("a.csv.gz", bytes[..30].to_vec())]).await.unwrap();
    assert!(source.list(&all()).await.is_err(), "half a list is none");
    let missing = in_bucket(&manifest(&["none.csv.gz"]), &[]).await.unwrap();
    assert_eq!(missing.list(&all()).await.unwrap_err().kind, ErrorKind::NoSuchBucket);
}

#[tokio::test]
async fn what_only_the_bucket_can_do_is_asked_of_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    std::fs::write(&path, manifest(&[])).unwrap();
    let bucket: Arc<dyn Source> = Arc::new(Archive::of(bucket()));
    let files = of_machine(&path);
    let source = ListedBucket::by_inventory(bucket, "photos", files, |_| true).await.unwrap();
    let key = Key::from("k");
    let wanted = RestoreSpec { days: 1, tier: RestoreTier::Bulk };
    let restored = source.restore(&key, &wanted, Some("GLACIER")).await.unwrap();
    assert_eq!(restored, Restoration::Ongoing);
    assert_eq!(source.tags(&key).await.unwrap().len(), 1);
    let acl = source.acl(&key).await.unwrap();
    assert_eq!(acl, SourceAcl::Canned(CannedAcl::PublicRead));
}
