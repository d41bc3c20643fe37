//! The keys whose copies are stale at the switch: what a look at both listings finds right before T2, and
//! what passes after T2 wrote over.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::lists::Expected;
use ossferry_planner::Looked;
use serde::Serialize;

use super::Cutover;
use crate::command_error::CommandError;

/// Keys that are named on the terminal.
const SHOWN_MAX: usize = 20;

/// Keys that are kept to be named.
pub(super) const NAMED_MAX: usize = 1_000;

/// How long both listings are looked through before T2: some millions of keys. Nobody waits longer for
/// what the first pass after T2 names anyway.
const LOOK_MAX: Duration = Duration::from_mins(10);

/// What a look right before T2 found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct StaleNow {
    /// How many copies are older than the source's objects.
    count: u64,
    /// The first [`NAMED_MAX`] of their keys, as reports spell them.
    keys: Vec<String>,
    /// Whether every key was looked at.
    whole: bool,
}

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

/// Where every key that is found is written, one a line, if anywhere.
struct KeyFile<'a> {
    path: &'a Path,
    lines: BufWriter<File>,
    broken: Option<io::Error>,
}

impl<'a> KeyFile<'a> {
    fn create(path: &'a Path) -> Result<Self, CommandError> {
        let lines = File::create(path).map(BufWriter::new);
        let lines = lines.map_err(|error| Self::error(path, error))?;
        Ok(Self { path, lines, broken: None })
    }

    fn write(&mut self, key: &Key) {
        if self.broken.is_none() {
            self.broken = writeln!(self.lines, "{key}").err();
        }
    }

    fn close(mut self) -> Result<(), CommandError> {
        let flushed = self.lines.flush();
        let written = self.broken.map_or(flushed, Err);
        written.map_err(|error| Self::error(self.path, error))
    }

    fn error(path: &Path, error: io::Error) -> CommandError {
        CommandError::File { what: "write", path: path.to_owned(), error }
    }
}

impl Cutover<'_> {
    /// Looks which copies are stale now, and names them. `None`: interrupted.
    pub(super) async fn look_for_stale(&self) -> Result<Option<StaleNow>, CommandError> {
        let planner = self.workers.planner(self.machine).await?;
        let path = self.arguments.switch.stale_keys.as_deref();
        let mut file = path.map(KeyFile::create).transpose()?;
        let mut stale = Named::default();
        let mut found = |key: Key| {
            if let Some(file) = &mut file {
                file.write(&key);
            }
            stale.add(key);
        };
        let looked = tokio::select! {
            biased;
            () = self.interrupts.first() => return Ok(None),
            looked = planner.look_ahead(self.job, LOOK_MAX, &mut found) => looked?,
        };
        if let Some(file) = file {
            file.close()?;
        }
        eprintln!("stale at the target now: {} objects", stale.count);
        let more = show(&stale);
        if more > 0 {
            let rest = "name them all with --stale-keys FILE";
            eprintln!("  and {more} more; {}", path.map_or(rest, |_| "the file names them all"));
        }
        if let Looked::BrokeOff(reason) = &looked {
            eprintln!(
                "  not every key was looked at: {reason}; the first pass after T2 names the rest"
            );
        }
        Ok(Some(StaleNow {
            count: stale.count,
            keys: stale.keys.iter().map(Key::to_string).collect(),
            whole: looked == Looked::Whole,
        }))
    }

    /// Names what was stale until the pass ended.
    pub(super) async fn say_stale(&self, pass: &PassRef) -> Result<(), CommandError> {
        let stale = written_over(&self.kept().ledger, pass).await?;
        if stale.count == 0 {
            return Ok(());
        }
        eprintln!("stale at the target since the switch, until this pass: {} objects", stale.count);
        let more = show(&stale);
        if more > 0 {
            let line = self.asked.line("report");
            eprintln!("  and {more} more; see: {line} --format csv --pass {}", pass.pass);
        }
        Ok(())
    }
}

/// Shows the first keys, and answers how many more there are.
fn show(stale: &Named) -> u64 {
    for key in stale.keys.iter().take(SHOWN_MAX) {
        eprintln!("  {key}");
    }
    stale.count.saturating_sub(SHOWN_MAX as u64)
}
