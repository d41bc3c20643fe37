//! The situations in which other tools of this field lose, tear, double or misreport objects,
//! played against this one. Each test names the tool and where its defect was read or reported;
//! `defects.toml` lists them all, with the tests elsewhere that prove the rest.

mod archive;
mod bytes;
mod compare;
mod index;
mod listing;
mod memory;
mod messages;
mod reporting;
mod uploads;

use std::sync::Arc;

use futures::FutureExt;
use ossferry_core::report::Report;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::rows::{PassKind, PassState};
use ossferry_tests::drive::Drive;
use ossferry_tests::wire::Fault;
use ossferry_tests::world::World;

/// `run --json` of the job file in the folder.
const RUN: [&str; 4] = ["run", "--job", "job.toml", "--json"];

/// One pass to its end, of which everything must hold.
async fn pass(drive: &mut Drive, world: &World, id: &str, kind: Option<PassKind>) -> Report {
    let pass = drive.begin(id, kind).await;
    drive.until_end(&pass).await;
    drive.check(&pass, &world.oss, &world.expected).await
}

/// Cancels a pass right before a request of it is executed.
fn cancelling(drive: &Drive, pass: &PassRef) -> Fault {
    let (ledger, pass) = (drive.ledger().clone(), pass.clone());
    Fault::After(Arc::new(move || {
        let (ledger, pass) = (ledger.clone(), pass.clone());
        async move { drop(ledger.end_pass(&pass, PassState::Cancelled, None).await) }.boxed()
    }))
}
