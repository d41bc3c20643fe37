//! What counts as equal: objects left behind because they look copied, and objects copied for
//! nothing.

use std::fs::File;
use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::world::World;

use super::{RUN, pass};

/// Data Transfer Hub and juicefs sync compare sizes alone (`aws-solutions/data-transfer-hub-cli`,
/// `dth/job.go` L341; `juicedata/juicefs`, `pkg/sync/sync.go`); aws s3 sync, ossutil and coscli
/// compare size and date (`aws/aws-cli` issues 9074 and 9693, `aliyun/ossutil` issues 112 and 151,
/// `tencentyun/coscli` issue 51).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_replaced_at_equal_size_with_its_date_set_back_is_copied_again() {
    let oss = Oss::start(clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let day_ago = std::time::SystemTime::now() - Duration::from_hours(24);
    for name in ["in-place", "moved-over", "calm"] {
        std::fs::write(path(name), format!("first {name}")).unwrap();
        File::options().write(true).open(path(name)).unwrap().set_modified(day_ago).unwrap();
    }
    let ossferry = Ossferry::new(&JobFile::from_folder(folder.path(), &oss));
    let first = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!(first.copied, 3, "{first:?}");

    std::fs::write(path("in-place"), "other in-place").unwrap();
    let elsewhere = tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap();
    std::fs::write(elsewhere.path().join("new"), "other moved-over").unwrap();
    std::fs::rename(elsewhere.path().join("new"), path("moved-over")).unwrap();
    for name in ["in-place", "moved-over"] {
        let file = File::options().write(true).open(path(name)).unwrap();
        file.set_modified(day_ago).unwrap();
        assert_eq!(file.metadata().unwrap().len(), format!("first {name}").len() as u64);
    }
    let second = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((second.copied, second.skipped), (2, 1), "{second:?}");
    let arrived = oss.target().objects().await;
    for name in ["in-place", "moved-over"] {
        assert_eq!(arrived[&Key::from(name)], Bytes::from(format!("other {name}")), "{name}");
    }
}

/// The same of buckets, whole and in parts: an `ETag` tells what size and date hide.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_overwritten_at_equal_size_is_copied_again_whatever_its_size() {
    let mut world = World::small().await;
    let mut drive = world.drive();
    pass(&mut drive, &world, "p1", None).await;
    world.oss.wire().clear_rules();
    for name in ["z/1", "large"] {
        let key = Key::from(name);
        let size = world.expected[&key].len();
        let bytes = bytes_of(&key, 77, size);
        world.oss.origin().put(&key, &bytes).await;
        world.expected.insert(key, bytes);
    }
    let second = pass(&mut drive, &world, "p2", None).await;
    assert_eq!((second.copied, second.skipped), (2, 6), "{second:?}");
}

/// `cos_migrate_tool` keeps its own list of what was copied and does not look at the target
/// (`tencentyun/cos_migrate_tool_v5`, its database of done keys).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_lost_at_the_target_is_copied_again_though_it_was_recorded_as_copied() {
    let world = World::small().await;
    let mut drive = world.drive();
    pass(&mut drive, &world, "p1", None).await;
    for name in ["a/2", "large"] {
        world.oss.target().delete(&Key::from(name)).await;
    }
    let again = pass(&mut drive, &world, "p2", None).await;
    assert_eq!((again.copied, again.skipped), (2, 6), "{again:?}");
}
