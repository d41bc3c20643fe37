//! A disk that fills up under the ledger.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Bench, RUN, assert_not_copied_again};

/// A file system of its own in memory, of a size that can be changed.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Self {
        std::fs::create_dir(at).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], at);
        Self(at.to_owned())
    }

    fn resize(&self, size: &str) {
        mount(&["-o", &format!("remount,size={size}")], &self.0);
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(status.unwrap().success(), "mount {arguments:?}: this test needs root");
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_plainly_and_the_job_goes_on_when_there_is_room() {
    let bench = Bench::new(700, "workers = 2\nconcurrency_max = 4").await;
    let disk = Disk::mount(&bench.ossferry.folder().join("disk"), "700k");
    bench.ossferry.write_job(&bench.job.replace("state.sqlite", "disk/state.sqlite"));
    let said = bench.ossferry.run(&RUN).await.expect(1);
    assert!(said.stderr.contains("the disk is full"), "{}", said.stderr);
    drop(bench.oss.wire().take_seen());
    disk.resize("64m");
    let recorded: BTreeSet<String> = bench.recorded().await;
    let report = bench.ossferry.run(&RUN).await.expect(0).report();
    assert_eq!(report.copied, 701);
    assert_not_copied_again(&bench, &recorded);
    bench.assert_whole().await;
}
