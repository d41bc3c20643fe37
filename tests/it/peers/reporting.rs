//! Success that is told of what did not happen.

use std::collections::BTreeMap;

use ossferry_core::key::Key;
use ossferry_ledger::rows::PassKind;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::port::free_address;
use ossferry_tests::wire::{Fault, Rule};
use ossferry_tests::world::World;

use super::{RUN, pass};

/// minio's batch replication reports success while the target is down (`minio/minio` issue 19276),
/// azcopy while data is missing (`Azure/azure-storage-azcopy` issue 2743);
/// amazon-s3-resumable-upload loses the error in a goroutine and acknowledges the message
/// (`aws-samples/amazon-s3-resumable-upload`, `sqs2trans.go` L375 and `s3tos3.go` L111-137).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_target_takes_nothing_no_object_counts_as_copied_and_all_are_taken_again() {
    let world = World::small().await;
    for operation in ["PutObject", "UploadPart"] {
        world.oss.wire().rule(Rule::first(operation, Fault::Refused).at(1, u64::MAX));
    }
    let mut drive = world.drive();
    let down = drive.begin("p1", None).await;
    drive.until_end(&down).await;
    let report = drive.check(&down, &world.oss, &BTreeMap::new()).await;
    assert_eq!((report.copied, report.failed), (0, 8), "{report:?}");
    assert_eq!(report.exit_status(), 2);

    world.oss.wire().clear_rules();
    let retried = pass(&mut drive, &world, "p2", Some(PassKind::Retry)).await;
    assert_eq!((retried.listed, retried.copied), (8, 8), "{retried:?}");
}

/// The same of a target that is not there from the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_not_there_is_no_success_of_the_command() {
    let oss = Oss::start(clock::system()).await;
    let key = Key::from("a");
    oss.origin().put(&key, &bytes_of(&key, 1, 10)).await;
    let job = JobFile::from_oss(&oss);
    let nowhere = format!("http://{}", free_address());
    let job = JobFile { target: job.target.replace(&oss.endpoint(), &nowhere), ..job };
    let said = Ossferry::new(&job).run(&RUN).await.expect(1);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains("target"), "{text}");
    assert!(!said.stdout.contains("finished"), "{text}");
}

/// Small jobs of Skyplane end without having copied anything (`skyplane-project/skyplane` issue
/// 916).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_one_tiny_object_copies_it_even_if_it_is_empty() {
    for size in [0, 1] {
        let oss = Oss::start(clock::system()).await;
        let key = Key::from("only");
        oss.origin().put(&key, &bytes_of(&key, 1, size)).await;
        let report = Ossferry::new(&JobFile::from_oss(&oss)).run(&RUN).await.expect(0).report();
        assert_eq!((report.listed, report.copied), (1, 1), "{report:?}");
        assert_eq!(oss.target().objects().await, oss.origin().objects().await);
    }
}
