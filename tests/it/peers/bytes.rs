//! What an object is besides its bytes, and what is asked for that nobody wants.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::{bytes_of, every_header};
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::wire::{Fault, Hook, Rule, Wire};
use ossferry_tests::world::World;

use super::{RUN, pass};

/// `cos_migrate_tool` loses the content type (`tencentyun/cos_migrate_tool_v5` issue 12), Data
/// Transfer Hub disposition and expiry (`aws-solutions/data-transfer-hub-cli`, its opt-in
/// metadata), juicefs sync all metadata (`juicedata/juicefs` issues 4293 and 6622).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_and_metadata_of_s3_arrive_with_a_whole_object_and_with_one_in_parts() {
    let seaweed = SeaweedFs::shared();
    let bucket = seaweed.fresh_bucket().await;
    let headers = every_header();
    let wire = Wire::before_server(seaweed.address()).await;
    let mut world = World::from_s3(&bucket, &wire).await;
    for (name, size) in [("whole", 500), ("in parts", 300_000)] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 1, size);
        bucket.put_with(&key, bytes.clone(), &headers).await;
        world.expected.insert(key, bytes);
    }
    let report = pass(&mut world.drive(), &world, "p1", None).await;
    assert_eq!(report.copied, 2, "{report:?}");
    assert_eq!(world.oss.wire().count("UploadPart"), 3);
    for name in ["whole", "in parts"] {
        let mut found = world.oss.target().head(&Key::from(name)).await.unwrap().headers;
        found.user_metadata.retain(|(name, _)| name != "ossferry-source");
        assert_eq!(found, headers, "{name}");
    }
}

/// amazon-s3-resumable-upload says that it ignores an object and goes on to copy it
/// (`aws-samples/amazon-s3-resumable-upload`, `s3tos3.go` L56-58).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_the_filter_leaves_out_is_never_asked_for() {
    let oss = Oss::start(clock::system()).await;
    for (name, size) in [("in", 10), ("out.tmp", 10), ("large in", 300_000), ("l.tmp", 300_000)] {
        let key = Key::from(name);
        oss.origin().put(&key, &bytes_of(&key, 1, size)).await;
    }
    let job = JobFile::from_oss(&oss)
        .limits("split_bytes = 204800\npart_bytes = 102400")
        .more("[filter]\nexclude = [\"*.tmp\"]");
    let report = Ossferry::new(&job).run(&RUN).await.expect(0).report();
    assert_eq!((report.listed, report.filtered, report.copied), (4, 2, 2), "{report:?}");
    let asked = oss.wire().take_seen();
    let left_out = asked
        .iter()
        .find(|seen| seen.key.as_ref().is_some_and(|key| key.to_text().contains("tmp")));
    assert!(left_out.is_none(), "{left_out:?}");
}

/// Bytes of all files below a folder. One that is deleted meanwhile has none.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(of) if of.is_dir() => bytes_below(&entry.path()),
        Ok(of) => of.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// `cos_migrate_tool` keeps each object on its own disk on the way
/// (`tencentyun/cos_migrate_tool_v5`); Skyplane's fills up (`skyplane-project/skyplane` issue 777).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_object_is_kept_on_the_disk_on_its_way() {
    let oss = Oss::start(clock::system()).await;
    let (large, size) = (Key::from("large"), 8 << 20);
    oss.origin().put(&large, &bytes_of(&large, 1, size)).await;
    let limits = "split_bytes = 1048576\npart_bytes = 1048576\nconcurrency_max = 2";
    let mut ossferry = Ossferry::new(&JobFile::from_oss(&oss).limits(limits));
    let temporary = ossferry.folder().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    ossferry.set("TMPDIR", temporary.to_str());
    let (folder, most) = (ossferry.folder().to_owned(), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&most);
    let hook: Hook = Arc::new(move || {
        seen.fetch_max(bytes_below(&folder), Ordering::SeqCst);
        async {}.boxed()
    });
    oss.wire().rule(Rule::first("UploadPart", Fault::After(hook)).at(1, u64::MAX));
    let report = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!(report.copied, 1, "{report:?}");
    let most = most.load(Ordering::SeqCst);
    assert!((1..1 << 20).contains(&most), "{most} bytes on the disk, ledger included");
    assert_eq!(bytes_below(&temporary), 0);
}
