//! What a copy has of its source beside its bytes: carried where that is asked for, and counted and listed
//! where it is left behind.

use std::collections::BTreeSet;

use ossferry_core::along::{Along, CannedAcl, SourceAcl, Tag};
use ossferry_core::fidelity::Departed;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_core::report::Report;
use ossferry_tests::azurite::Azurite;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::{bytes_of, every_header};
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;

use super::{count, run};

const LARGE: usize = 3 << 20;
const PARTS: &str = "split_bytes = 1048576\npart_bytes = 1048576";
const COPIED: &str = "[policy]\noverwrite = \"always\"\ntags = \"copy\"\nacl = \"copy\"\n";

fn tag(key: &str, value: &str) -> Tag {
    (key.to_owned(), value.to_owned())
}

/// The keys of the objects that a pass copied without this property, or without all of it.
async fn dropped(ossferry: &Ossferry, property: &str) -> BTreeSet<String> {
    let asked = ["inspect", "--job", "job.toml", "--json", "objects", "--dropped", property];
    let lines = ossferry.run(&asked).await.expect(0).stdout;
    let key = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(object["dropped"].as_array().unwrap().contains(&property.into()), "{line}");
        object["key"].as_str().unwrap().to_owned()
    };
    lines.lines().map(key).collect()
}

fn departed(report: &Report, property: &str) -> (u64, u64) {
    let found = report.departures.get(property);
    found.map_or((0, 0), |Departed { mapped, dropped }| (*mapped, *dropped))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_and_acls_arrive_where_they_are_asked_for_and_are_counted_where_not() {
    let oss = Oss::start(clock::system()).await;
    let team = [tag("team", "a + b"), tag("\u{fc}", "")];
    let put = async |name: &str, size, tags: &[Tag], acl| {
        let key = Key::from(name);
        oss.origin().put_along(&key, &bytes_of(&key, 1, size), tags, acl).await;
    };
    let read = Some(CannedAcl::PublicRead);
    put("plain", 5, &[], None).await;
    put("tagged", 6, &team, None).await;
    put("public", 7, &[], read).await;
    put("both", 0, &team, Some(CannedAcl::PublicReadWrite)).await;
    put("large", LARGE, &team, read).await;
    put("mail", 8, &[tag("mail", "a@b"), tag("kept", "1")], Some(CannedAcl::Private)).await;
    let cold = Key::from("cold");
    oss.origin().put_of_class(&cold, &bytes_of(&cold, 1, 9), "IA").await;

    let job = JobFile::from_oss(&oss).limits(PARTS);
    let ossferry = Ossferry::new(&job);
    let left = run(&ossferry, 0).await;
    assert_eq!((left.copied, departed(&left, "tags")), (7, (0, 4)), "{left:?}");
    assert_eq!(departed(&left, "storage-class"), (0, 1), "{left:?}");
    assert_eq!(left.departures.len(), 2, "{left:?}");
    for operation in ["GetObjectTagging", "GetObjectAcl"] {
        assert_eq!(count(&left.requests.source, operation), 0, "nobody asked");
    }
    let tagged = ["both", "large", "mail", "tagged"].map(str::to_owned);
    assert_eq!(dropped(&ossferry, "tags").await, tagged.into());
    assert_eq!(dropped(&ossferry, "storage-class").await, ["cold".to_owned()].into());
    let told = ossferry.run(&["fidelity", "--job", "job.toml", "--json"]).await.expect(0).json();
    assert_eq!((&told["copied"], &told["properties"][2]["dropped"]), (&7.into(), &4.into()));

    // One request at a time: that for the tags is made while the object's body is held open.
    let one = format!("{PARTS}\nworkers = 1\nconcurrency_max = 1");
    ossferry.write_job(&job.limits(&one).more(COPIED).text());
    let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("one request more at the source for each object\n"), "{check}");
    assert!(check.contains("tags may be read") && check.contains("acl may be read"), "{check}");
    let carried = run(&ossferry, 0).await;
    assert_eq!((carried.copied, departed(&carried, "tags")), (7, (0, 1)), "{carried:?}");
    assert_eq!(count(&carried.requests.source, "GetObjectTagging"), 4, "{carried:?}");
    assert_eq!(count(&carried.requests.source, "GetObjectAcl"), 7, "{carried:?}");
    assert_eq!(dropped(&ossferry, "tags").await, ["mail".to_owned()].into());
    for name in ["plain", "tagged", "public", "both", "large", "cold"] {
        let (source, target) = (oss.origin(), oss.target());
        let key = Key::from(name);
        assert_eq!(target.along(&key).await, source.along(&key).await, "{name}");
    }
    let mail = oss.target().along(&Key::from("mail")).await;
    let acl = Some(SourceAcl::Canned(CannedAcl::Private));
    assert_eq!(mail, Along { tags: vec![tag("kept", "1")], acl });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_of_a_real_s3_server_arrive() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    for (name, size) in [("tagged", 10), ("large", LARGE)] {
        let key = Key::from(name);
        bucket.put_along(&key, bytes_of(&key, 1, size), "team=a%20b&stage=1", "public-read").await;
    }
    let plain = Key::from("plain");
    bucket.put_with(&plain, bytes_of(&plain, 1, 5), &every_header()).await;
    let oss = Oss::start(clock::system()).await;
    let ossferry = Ossferry::new(&JobFile::from_s3(&bucket, &oss).limits(PARTS));
    let left = run(&ossferry, 0).await;
    assert_eq!((left.copied, departed(&left, "tags")), (3, (0, 2)), "{left:?}");
    assert_eq!(dropped(&ossferry, "tags").await, ["large", "tagged"].map(str::to_owned).into());

    ossferry.write_job(&JobFile::from_s3(&bucket, &oss).limits(PARTS).more(COPIED).text());
    let carried = run(&ossferry, 0).await;
    assert_eq!((carried.copied, departed(&carried, "tags")), (3, (0, 0)), "{carried:?}");
    for name in ["tagged", "large"] {
        let mut along = oss.target().along(&Key::from(name)).await;
        along.tags.sort();
        assert_eq!(along.tags, [tag("stage", "1"), tag("team", "a b")], "{name}");
        // The server takes the ACL's header, and keeps none of an object.
        assert_eq!(along.acl, Some(SourceAcl::Canned(CannedAcl::Private)), "{name}");
    }
    for operation in ["GetObjectTagging", "GetObjectAcl"] {
        assert_eq!(count(&carried.requests.source, operation), 3, "{operation}: {carried:?}");
    }
    let private = Some(SourceAcl::Canned(CannedAcl::Private));
    assert_eq!(oss.target().along(&plain).await, Along { tags: vec![], acl: private });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_of_azure_arrive() {
    let azurite = Azurite::shared();
    let container = azurite.fresh_container().await;
    for (name, size) in [("tagged", 10), ("large", LARGE)] {
        let key = Key::from(name);
        container.put_tagged(&key, bytes_of(&key, 1, size), "team=a%20b&stage=1").await;
    }
    let plain = Key::from("plain");
    let user_metadata = vec![("my-owner".to_owned(), "a".to_owned())];
    let headers = ObjectHeaders { user_metadata, ..every_header() };
    container.put(&plain, bytes_of(&plain, 1, 5), &headers).await;
    let oss = Oss::start(clock::system()).await;
    let job = || JobFile::from_azure(&azurite.endpoint(), container.name(), &oss).limits(PARTS);
    let mut ossferry = Ossferry::new(&job());
    ossferry.set("AZURE_KEY", Some(azurite.key()));
    let left = run(&ossferry, 0).await;
    assert_eq!((left.copied, departed(&left, "tags")), (3, (0, 2)), "{left:?}");
    assert_eq!(departed(&left, "user-metadata"), (1, 0), "names with _: {left:?}");
    ossferry.write_job(&job().more(&COPIED.replace("acl = \"copy\"\n", "")).text());
    let carried = run(&ossferry, 0).await;
    assert_eq!((carried.copied, departed(&carried, "tags")), (3, (0, 0)), "{carried:?}");
    for name in ["tagged", "large"] {
        let mut tags = oss.target().along(&Key::from(name)).await.tags;
        tags.sort();
        assert_eq!(tags, [tag("stage", "1"), tag("team", "a b")], "{name}");
    }
}
