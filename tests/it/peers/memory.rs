//! Memory that grows with the number of keys.

use std::time::Duration;

use ossferry_tests::command::{JobFile, Ossferry, said};
use ossferry_tests::numbered::{KEY_BYTES, NumberedKeys};
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::{clock, seaweedfs};
use tokio::process::Child;
use tokio::time::sleep;

const FEW: u64 = 8_000;
const MANY: u64 = 32_000;

/// What the more keys may cost more. Kept in memory, those of one end alone would take more than
/// that.
const GROWTH_MAX: u64 = 5 << 20;
const _: () = assert!((MANY - FEW) * KEY_BYTES as u64 > GROWTH_MAX);

/// The process's peak memory, in bytes, as far as it is known before it ends.
async fn peak_of(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = kib.map_or(peak, |kib| kib << 10).max(peak);
        sleep(Duration::from_millis(5)).await;
    }
    peak
}

/// Plans the whole bucket, into a target that lists the same.
async fn peak_of_walk(keys: u64) -> u64 {
    let both = NumberedKeys::start(keys).await;
    let bucket = S3Bucket::new(&both.endpoint(), "numbered", seaweedfs::account());
    let oss = Oss::start(clock::system()).await;
    let mut job = JobFile::from_s3(&bucket, &oss)
        .source("listing_order = \"bytes\"")
        .limits("slices_max = 1")
        .more("[policy]\noverwrite = \"source-wins\"");
    job.target = job.target.replace(&oss.endpoint(), &both.endpoint());
    let ossferry = Ossferry::new(&job);
    let mut plan = ossferry.spawn(&["plan", "--job", "job.toml"]);
    let peak = peak_of(&mut plan).await;
    drop(said(plan).await.expect(0));
    let status = ossferry.run(&["status", "--job", "job.toml", "--json"]).await.expect(0).report();
    assert_eq!((status.listed, status.skipped), (keys, keys), "{status:?}");
    peak
}

/// Tools that keep the keys of one end or of both in memory, or list and sort everything before
/// they begin: `rclone/rclone` issues 7451 and 7974, `Azure/azure-storage-azcopy` issues 802 and
/// 2632, `peak/s5cmd` issues 441, 447 and 497, `aws/aws-cli` issue 661, `minio/mc` issue 3781,
/// `nidor1998/s3sync` (`src/storage/s3/mod.rs`), and the map of Data Transfer Hub
/// (`aws-solutions/data-transfer-hub-cli`, `dth/job.go` L266).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_walk_does_not_grow_with_the_number_of_keys() {
    let few = peak_of_walk(FEW).await;
    let many = peak_of_walk(MANY).await;
    assert!(few > 0, "the peak is read from /proc");
    let growth = many.saturating_sub(few);
    assert!(growth <= GROWTH_MAX, "{few} bytes for {FEW} keys, {many} for {MANY}");
}
