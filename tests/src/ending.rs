//! Waiting for a pass to end, whoever works on it.

use std::time::Duration;

use ossferry_ledger::Ledger;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::rows::PassRow;
use tokio::time::{Instant, sleep};

/// Between two looks at a pass.
pub const LOOK: Duration = Duration::from_millis(250);

/// Waits until a pass has ended. Panics where it has not in so much time, and shows what `logs` says.
pub async fn until_end(
    ledger: &Ledger,
    pass: &PassRef,
    limit: Duration,
    logs: impl Fn() -> String,
) -> PassRow {
    let until = Instant::now() + limit;
    loop {
        let row = ledger.pass(pass).await.expect("the pass is there");
        if row.state.is_final() {
            return row;
        }
        if Instant::now() >= until {
            let status = ledger.status(pass).await;
            panic!("the pass does not end: {status:#?}\n{}", logs());
        }
        sleep(LOOK).await;
    }
}
