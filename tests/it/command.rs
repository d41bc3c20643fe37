//! The command line as scripts rely on it: every command, exit statuses, what goes to which output.

mod estimating;
mod looking;
mod ossimport;
mod refusing;

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;

const RUN: [&str; 4] = ["run", "--job", "job.toml", "--json"];

/// Objects of 30 bytes under `o/`, one of three parts, and their job.
async fn bench(small: usize, limits: &str) -> (Oss, Ossferry) {
    let oss = Oss::start(clock::system()).await;
    for number in 0..small {
        let key = Key::from(format!("o/{number:04}"));
        oss.origin().put(&key, &bytes_of(&key, 1, 30)).await;
    }
    let large = Key::from("large +%");
    oss.origin().put(&large, &bytes_of(&large, 1, 300_000)).await;
    let limits = format!("split_bytes = 204800\npart_bytes = 102400\n{limits}");
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss).limits(&limits));
    (oss, ossferry)
}
