//! The keys whose copies were stale at the switch: what passes after T2 wrote over.

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::lists::Expected;

use super::Cutover;
use crate::command_error::CommandError;

/// Keys that are named on the terminal.
const SHOWN_MAX: usize = 20;

/// Keys that are kept to be named.
pub(super) const NAMED_MAX: usize = 1_000;

/// Keys of a kind: all counted, the first of them named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Named {
    /// How many.
    pub(super) count: u64,
    /// The first [`NAMED_MAX`].
    pub(super) keys: Vec<Key>,
}

impl Named {
    pub(super) fn add(&mut self, key: Key) {
        self.count += 1;
        if self.keys.len() < NAMED_MAX {
            self.keys.push(key);
        }
    }
}

/// The keys that a pass brought up to date at the target: until then it held older bytes.
pub(super) async fn written_over(ledger: &Ledger, pass: &PassRef) -> Result<Named, CommandError> {
    let mut found = Named::default();
    let mut walk = ledger.task_walk(pass).await?;
    while let Some((task, row)) = walk.next().await? {
        if row.sum.of(Outcome::Copied) == 0 {
            continue;
        }
        for record in ledger.object_records(&task, &row).await? {
            let is_copied = record.result.is_some_and(|it| it.outcome == Some(Outcome::Copied));
            if is_copied && matches!(record.object.expected, Expected::Present(_)) {
                found.add(record.object.key);
            }
        }
    }
    Ok(found)
}

impl Cutover<'_> {
    /// Names what was stale until the pass ended.
    pub(super) async fn say_stale(&self, pass: &PassRef) -> Result<(), CommandError> {
        let stale = written_over(&self.kept().ledger, pass).await?;
        if stale.count == 0 {
            return Ok(());
        }
        eprintln!("stale at the target since the switch, until this pass: {} objects", stale.count);
        for key in stale.keys.iter().take(SHOWN_MAX) {
            eprintln!("  {key}");
        }
        let more = stale.count.saturating_sub(SHOWN_MAX as u64);
        if more > 0 {
            let line = self.asked.line("report");
            eprintln!("  and {more} more; see: {line} --format csv --pass {}", pass.pass);
        }
        Ok(())
    }
}
