//! Tasks that are written but not committed, and how far a commit may move the cursor.

use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use ossferry_core::key::Key;
use ossferry_core::meter::Requests;

use ossferry_core::packing::{BatchLimits, Packed, Packer, Speed, Weight};
use ossferry_core::sums::Walked;
use ossferry_ledger::ids::SliceRef;
use ossferry_ledger::lease::Hold;
use ossferry_ledger::lists::{Action, Audited, Expected, PlannedObject, REASON_BYTES_MAX};
use ossferry_ledger::rows::{Progress, SliceRow, TaskKind};
use ossferry_ledger::{Ledger, LedgerError};
use tokio::time::Instant;

/// Task rows written at once.
const WRITES: usize = 8;

/// Closed tasks that wait for no clock.
const TASKS_WAITING_MAX: usize = 8;

/// A closed task is committed after this, so that copiers begin early.
const COMMIT_TASKS_AFTER: Duration = Duration::from_millis(500);

/// A cursor that moved is committed after this.
const COMMIT_CURSOR_AFTER: Duration = Duration::from_secs(3);

/// An open batch that fills slowly is closed after this, or after so many pages: until then no
/// checkpoint passes its first object.
const CLOSE_AFTER: Duration = Duration::from_secs(5);
const CLOSE_AFTER_PAGES: u32 = 50;

/// After T2 a larger object that is written over goes as an upload: between the last look at the target
/// and the request that publishes it there is then no body to send.
const OVERWRITE_PUT_BYTES_MAX: u64 = 1 << 20;

/// JSON around an object's texts: brackets, quotes, commas, two numbers and the action.
const OBJECT_JSON_BYTES: usize = 72;

/// Where a cursor may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cuts {
    /// After any key: the source lists by bytes.
    AfterAnyKey,
    /// At a page's end only, by its continuation token.
    AtPageEnds,
}

/// How far the walk is: every count up to exactly here.
#[derive(Clone, Debug)]
struct Place {
    cursor: Option<Key>,
    token: Option<String>,
    /// Its requests stay empty: they are the whole walk's, and counted at the commit.
    walked: Walked,
    next_seq: u64,
}

struct Draft {
    seq: u64,
    kind: TaskKind,
    objects: Vec<PlannedObject>,
}

/// What became of a key that needs no work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Passed {
    Filtered,
    Equal,
    Exists,
    Deleted,
}

/// Packs planned objects into tasks, and knows which prefix of the walk they hold whole.
pub(crate) struct Drafts {
    cuts: Cuts,
    is_after_t2: bool,
    split_bytes: u64,
    packer: Packer<PlannedObject>,
    closed: Vec<Draft>,
    /// As far as keys were looked at.
    here: Place,
    /// As far as every planned object stands in a closed task: the farthest commit.
    whole: Place,
    committed_cursor: Option<Key>,
    committed_at: Instant,
    opened_at: Instant,
    open_pages: u32,
}

impl Drafts {
    /// Goes on where the row stands.
    pub(crate) fn new(row: &SliceRow, limits: BatchLimits, cuts: Cuts) -> Self {
        let walked = Walked { requests: Requests::default(), ..row.walked.clone() };
        let (cursor, token) = (row.cursor.clone(), row.token.clone());
        let here = Place { cursor, token, walked, next_seq: row.next_seq };
        let now = Instant::now();
        Self {
            cuts,
            is_after_t2: false,
            split_bytes: limits.split_bytes,
            packer: Packer::new(limits, Speed::ASSUMED),
            closed: Vec::new(),
            whole: here.clone(),
            committed_cursor: here.cursor.clone(),
            here,
            committed_at: now,
            opened_at: now,
            open_pages: 0,
        }
    }

    /// The same, of a pass that began after T2 or did not.
    pub(crate) fn after_t2(self, is_after_t2: bool) -> Self {
        Self { is_after_t2, ..self }
    }

    /// Counts a key that needs no work.
    pub(crate) fn pass(&mut self, key: Key, size: u64, passed: Passed) {
        let walked = &mut self.here.walked;
        *match passed {
            Passed::Filtered => &mut walked.filtered,
            Passed::Equal => &mut walked.skipped_equal,
            Passed::Exists => &mut walked.skipped_exists,
            Passed::Deleted => &mut walked.skipped_deleted,
        } += 1;
        self.advance(key, size);
    }

    /// Puts an object into a task.
    pub(crate) fn plan(&mut self, object: PlannedObject) {
        let (key, size) = (object.key.clone(), object.size);
        let weight = weight_of(&object, self.split_bytes);
        let packed = if self.is_after_t2 && is_long_overwrite(&object) {
            Some(Packed::Upload(object))
        } else {
            self.packer.push(object, weight)
        };
        match packed {
            Some(Packed::Batch(batch)) => {
                self.close(TaskKind::Batch, batch.items);
                // The object that did not fit begins the next batch: this one is whole before it.
                if self.cuts == Cuts::AfterAnyKey {
                    self.whole = self.here.clone();
                }
            }
            Some(Packed::Upload(object)) => self.close(TaskKind::Upload, vec![object]),
            None => {}
        }
        if self.packer.open().items.len() == 1 {
            self.opened_at = Instant::now();
            self.open_pages = 0;
        }
        self.here.walked.planned += 1;
        self.here.walked.planned_bytes += size;
        self.advance(key, size);
    }

    /// Goes on to the target's listing: from here on the cursor is a key of it, under this token.
    pub(crate) fn turn_to_target(&mut self, token: &str) {
        self.close_open();
        self.cuts = Cuts::AfterAnyKey;
        self.here.token = Some(token.to_owned());
        self.here.cursor = Some(Key::default());
    }

    /// Passes over a key of the target that is neither counted nor planned.
    pub(crate) fn pass_over(&mut self, key: Key) {
        self.here.cursor = Some(key);
    }

    /// Counts a key that was looked up at the target alone.
    pub(crate) fn count_head(&mut self) {
        self.here.walked.target_heads += 1;
    }

    fn advance(&mut self, key: Key, size: u64) {
        self.here.walked.listed += 1;
        self.here.walked.listed_bytes += size;
        if self.cuts == Cuts::AfterAnyKey {
            self.here.cursor = Some(key);
        }
    }

    /// Notes the end of a page, and where the next one begins.
    pub(crate) fn end_page(&mut self, token: Option<String>) {
        self.open_pages += 1;
        if self.cuts == Cuts::AtPageEnds {
            self.here.token = token;
        }
    }

    /// Whether a commit is worth its write now.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_slow =
            self.opened_at.elapsed() >= CLOSE_AFTER || self.open_pages >= CLOSE_AFTER_PAGES;
        if is_slow && !self.packer.open().items.is_empty() {
            self.close_open();
        }
        let age = self.committed_at.elapsed();
        if self.cuts == Cuts::AtPageEnds {
            let waits = !self.closed.is_empty() || !self.packer.open().items.is_empty();
            return self.closed.len() >= TASKS_WAITING_MAX
                || (waits && age >= COMMIT_CURSOR_AFTER)
                || (self.here.token != self.whole.token && age >= COMMIT_CURSOR_AFTER);
        }
        let place = self.place();
        let tasks = self.closed.iter().filter(|draft| draft.seq < place.next_seq).count();
        tasks >= TASKS_WAITING_MAX
            || (tasks > 0 && age >= COMMIT_TASKS_AFTER)
            || (place.cursor != self.committed_cursor && age >= COMMIT_CURSOR_AFTER)
    }

    /// Writes the closed tasks, then moves cursor, counts and `next_seq` in one conditional write.
    /// `all` closes the open batch first, so that nothing looked at is left out.
    pub(crate) async fn commit(
        &mut self,
        to: &SliceWrite<'_>,
        requests: Requests,
        all: bool,
        listed: bool,
    ) -> Result<SliceRow, LedgerError> {
        if all || listed || self.cuts == Cuts::AtPageEnds {
            self.close_open();
        }
        if self.packer.open().items.is_empty() {
            self.whole = self.here.clone();
        }
        // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
        let due = self.closed.iter().filter(|draft| draft.seq < self.whole.next_seq);
        let writes: Vec<_> = due
            .map(|draft| {
                let task = to.slice.task(draft.seq);
                async move { to.ledger.write_task(&task, to.hold, draft.kind, &draft.objects).await }
                    .boxed()
            })
            .collect();
        stream::iter(writes).buffer_unordered(WRITES).try_collect::<()>().await?;
        let whole = &self.whole;
        let progress = Progress {
            cursor: whole.cursor.clone(),
            token: whole.token.clone(),
            next_seq: whole.next_seq,
            walked: Walked { requests, ..whole.walked.clone() },
            listed,
        };
        let row = to.ledger.commit_slice(to.slice, to.hold, &progress, to.window).await?;
        self.closed.retain(|draft| draft.seq >= progress.next_seq);
        self.committed_cursor = progress.cursor;
        self.committed_at = Instant::now();
        Ok(row)
    }

    fn place(&self) -> &Place {
        if self.packer.open().items.is_empty() { &self.here } else { &self.whole }
    }

    fn close_open(&mut self) {
        if let Some(batch) = self.packer.finish() {
            self.close(TaskKind::Batch, batch.items);
        }
    }

    fn close(&mut self, kind: TaskKind, objects: Vec<PlannedObject>) {
        self.closed.push(Draft { seq: self.here.next_seq, kind, objects });
        self.here.next_seq += 1;
    }
}

/// The slice that is written to, and what shows that we hold it.
pub(crate) struct SliceWrite<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) slice: &'a SliceRef,
    pub(crate) hold: &'a Hold,
    pub(crate) window: u64,
}

fn is_long_overwrite(object: &PlannedObject) -> bool {
    matches!(object.action, Action::Copy { .. })
        && object.expected != Expected::Absent
        && object.size > OVERWRITE_PUT_BYTES_MAX
}

fn weight_of(object: &PlannedObject, split_bytes: u64) -> Weight {
    let (moved_bytes, reason) = match &object.action {
        Action::Copy { .. } => (Some(object.size), 0),
        Action::Audit(Audited::Answers | Audited::Extra) => (Some(0), 0),
        // What an audit reads is no upload, however large: it weighs as the largest object of a batch.
        Action::Audit(Audited::Bytes) => (Some(object.size.min(split_bytes)), 0),
        Action::Record { reason, .. } => (None, reason.len().min(REASON_BYTES_MAX) * 3),
    };
    let expected = match &object.expected {
        Expected::Present(etag) => etag.as_str().len(),
        Expected::Absent | Expected::Unknown => 0,
    };
    let texts = expected
        + object.etag.as_ref().map_or(0, |etag| etag.as_str().len())
        + object.storage_class.as_ref().map_or(0, String::len);
    let row_bytes = OBJECT_JSON_BYTES + spelled_bytes(object.key.as_bytes()) + texts + reason;
    Weight { moved_bytes, row_bytes }
}

/// Bytes of a key's text in JSON, at most: a byte that is escaped takes three.
fn spelled_bytes(key: &[u8]) -> usize {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' if !matches!(byte, b'%' | b'"' | b'\\'));
    key.len() + 2 * key.iter().filter(|byte| !plain(byte)).count()
}
