//! When a slice is split, and where.

use std::sync::Arc;

use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_core::splitting::{Alphabet, SplitSearch, SplitStep, middle};
use ossferry_ledger::rows::SliceRow;

use crate::lister::Helper;
use crate::walk::{Halt, Walk};

/// Pages read since the last split before the next is looked for: a range that ends within them
/// costs less to walk than to search.
const PAGES_BEFORE: u32 = 2;

/// Pages until the next search where one found nothing to split, doubled each time.
const PAGES_AFTER_NONE: u32 = 8;

/// Halvings below a known bound before the whole search is begun.
const HALVINGS_MAX: u32 = 6;

/// Empty pages that one question passes over.
const EMPTY_PAGES_MAX: u32 = 3;

/// A split point with keys after it.
struct Found {
    middle: Key,
    /// The greatest key seen beyond it.
    greatest: Key,
}

type Answer = Result<Option<Found>, PortError>;

/// Looks for a split point beside the walk, so that the walk never waits for it.
pub(crate) struct Splitter {
    alphabet: Alphabet,
    /// A key known to stand near the end of the range.
    hint: Option<Key>,
    pages: u32,
    pages_needed: u32,
    more: bool,
    search: Option<Helper<Answer>>,
}

impl Splitter {
    pub(crate) fn new(row: &SliceRow) -> Self {
        Self {
            alphabet: Alphabet::default(),
            hint: row.upper_hint.clone(),
            pages: 0,
            pages_needed: PAGES_BEFORE,
            more: true,
            search: None,
        }
    }

    /// Takes a page in. `more`: whether the listing goes on after it.
    pub(crate) fn learn(&mut self, entries: &[Entry], more: bool) {
        let few = [0, entries.len() / 2, entries.len().saturating_sub(1)];
        few.iter()
            .filter_map(|at| entries.get(*at))
            .for_each(|entry| self.alphabet.learn(&entry.key));
        self.pages += 1;
        self.more = more;
    }

    /// Between two pages: splits where a search found a place beyond every key read, or begins one.
    pub(crate) async fn turn(
        &mut self,
        walk: &mut Walk,
        last_read: Option<&Key>,
    ) -> Result<(), Halt> {
        if self.search.as_ref().is_some_and(Helper::is_finished) {
            let answer = match self.search.take() {
                Some(search) => search.join().await,
                None => None,
            };
            self.take(walk, last_read, answer).await?;
        }
        let is_long = self.pages >= self.pages_needed && self.more && last_read.is_some();
        if is_long && self.search.is_none() && walk.row.may_split() && (walk.appetite)() {
            self.begin(walk, last_read);
        }
        Ok(())
    }

    fn begin(&mut self, walk: &Walk, last_read: Option<&Key>) {
        let Some(cursor) = last_read.cloned() else { return };
        let search = Search {
            source: walk.judge.source.clone(),
            prefix: walk.judge.plan.job.source.prefix().clone(),
            cursor,
            until: walk.until.get(),
            hint: self.hint.clone(),
            alphabet: self.alphabet.clone(),
        };
        self.search = Some(Helper::start(search.run()));
    }

    async fn take(
        &mut self,
        walk: &mut Walk,
        last_read: Option<&Key>,
        answer: Option<Answer>,
    ) -> Result<(), Halt> {
        self.pages = 0;
        let found = match answer {
            Some(Ok(Some(found))) => found,
            Some(Ok(None)) => {
                self.pages_needed = self.pages_needed.saturating_mul(2).max(PAGES_AFTER_NONE);
                return Ok(());
            }
            Some(Err(error)) => {
                tracing::debug!(slice = %walk.slice.slice, %error, "no split point");
                return Ok(());
            }
            None => return Ok(()),
        };
        let is_ahead = last_read.is_none_or(|last| *last < found.middle);
        if !is_ahead || !(walk.appetite)() {
            // The walk was faster; the next search knows where the range ends.
            self.hint =
                Some(found.greatest).filter(|hint| last_read.is_none_or(|last| last < hint));
            return Ok(());
        }
        walk.split(&found).await?;
        self.hint = None;
        self.pages_needed = PAGES_BEFORE;
        Ok(())
    }
}

impl Walk {
    async fn split(&mut self, found: &Found) -> Result<(), Halt> {
        let Found { middle, greatest } = found;
        let (row, child) =
            self.ledger.split_slice(&self.slice, &self.hold, middle, Some(greatest)).await?;
        tracing::debug!(slice = %self.slice.slice, child = %child.slice, %middle, "slice split");
        self.until.set(row.until.clone());
        self.row.children = row.children;
        Ok(())
    }
}

/// One search for a split point after `cursor`.
struct Search {
    source: Arc<dyn Source>,
    prefix: Key,
    cursor: Key,
    until: Option<Key>,
    hint: Option<Key>,
    alphabet: Alphabet,
}

impl Search {
    async fn run(self) -> Answer {
        match self.below_bound().await? {
            Some(found) => Ok(Some(found)),
            None => self.whole().await,
        }
    }

    /// Halves what lies below a known end of the range: mostly one question.
    async fn below_bound(&self) -> Answer {
        let hint = self.hint.as_ref().filter(|hint| **hint > self.cursor);
        let Some(mut bound) = hint.or(self.until.as_ref()).cloned() else { return Ok(None) };
        for _ in 0..HALVINGS_MAX {
            let half = middle(&self.cursor, Some(&bound), &self.prefix, &self.alphabet);
            let Some(half) = half.filter(|half| *half > self.cursor) else { break };
            if let Some(first) = self.first_after(&half).await? {
                let greatest = hint.map_or(first.clone(), |hint| hint.max(&first).clone());
                return Ok(Some(Found { middle: half, greatest }));
            }
            bound = half;
        }
        Ok(None)
    }

    async fn whole(&self) -> Answer {
        let (prefix, cursor) = (self.prefix.clone(), self.cursor.clone());
        let mut search =
            SplitSearch::new(prefix, cursor, self.until.clone(), self.alphabet.clone());
        let mut greatest: Option<Key> = None;
        loop {
            match search.step() {
                SplitStep::Nothing => return Ok(None),
                SplitStep::Split(middle) => {
                    let found = greatest.filter(|greatest| *greatest > middle);
                    return Ok(found.map(|greatest| Found { middle, greatest }));
                }
                SplitStep::Probe(after) => {
                    let first = self.first_after(&after).await?;
                    search.answer(first.as_ref());
                    greatest = greatest.max(first);
                }
            }
        }
    }

    /// The first key of the range after this one.
    async fn first_after(&self, after: &Key) -> Result<Option<Key>, PortError> {
        let start = ListStart::After(after.clone());
        let mut request = ListRequest { prefix: self.prefix.clone(), start, keys_max: 1 };
        for _ in 0..EMPTY_PAGES_MAX {
            let mut page = self.source.list(&request).await?;
            if let Some(entry) = page.entries.drain(..).next() {
                let is_within = self.until.as_ref().is_none_or(|until| entry.key <= *until);
                return Ok(Some(entry.key).filter(|_| is_within));
            }
            let Some(next) = page.next else { return Ok(None) };
            request.start = ListStart::Token(next);
        }
        Ok(None)
    }
}
