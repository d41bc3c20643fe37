//! Planner, copier and ledger over Tablestore, whose answers are lost, late and refused.

use std::sync::Arc;

use ossferry_tests::tablestore::Tablestore;
use ossferry_tests::world::World;
use smq_tablestore_emulator::Fault;

/// A pass of this world writes at least so often.
const WRITES_MIN: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_over_tablestore_moves_every_object_once() {
    let (world, tablestore) = (World::small().await, Tablestore::start().await);
    let mut drive = world.drive_over(Arc::new(tablestore.table()));
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass).await;
    let report = drive.check(&pass, &world.oss, &world.expected).await;
    assert_eq!((report.copied, report.failed), (8, 0), "{report:?}");
    let writes = tablestore.faults().count("PutRow");
    assert!(writes >= WRITES_MIN, "{writes} writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_over_tablestore_ends_whole_whichever_answers_are_lost() {
    let busy = || Fault::Refused { status: 503, code: "OTSServerBusy", message: "Busy." };
    for nth in [2, 3, 5] {
        let (world, tablestore) = (World::small().await, Tablestore::start().await);
        let mut drive = world.drive_over(Arc::new(tablestore.table()));
        tablestore.faults().on_every("PutRow", nth, Fault::AnswerLost);
        tablestore.faults().on_every("GetRow", nth + 1, Fault::AnswerDamaged);
        tablestore.faults().on_every("GetRange", nth, busy());
        let pass = drive.begin("p1", None).await;
        drive.until_end(&pass).await;
        let report = drive.check(&pass, &world.oss, &world.expected).await;
        assert_eq!((report.copied, report.failed), (8, 0), "every {nth}: {report:?}");
        let writes = tablestore.faults().count("PutRow");
        assert!(writes >= WRITES_MIN, "{writes} writes");
    }
}
