//! What an audit does after a serial walk: the target's listing once more, by key, and for each key of it a
//! question to the source.
//!
//! A source of another order cannot be joined with the target, so that its own walk never meets what only
//! the target holds. What it listed is not kept either: a set of every key would not fit a function. So each
//! key of the target costs one HEAD of the source, of which a slice has a few dozen in flight.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, stream};
use ossferry_core::error::ErrorKind;
use ossferry_core::join::BadListing;
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart};
use ossferry_ledger::rows::SliceRow;

use crate::drafts::Passed;
use crate::judge::{HEADS, Judge, Ruling, Sighting, Standing};
use crate::keyed::in_order;
use crate::lister::{Bound, Listed, Lister};
use crate::walk::{Ended, Halt, Walk};

/// Stands in the row in place of the source's token. Beside it the cursor is a key of the target, spelled
/// as the source's; a planner that does not know it stops the pass by name.
const TOKEN: &str = "the target's listing";

/// Keys between two looks at the clock.
const KEYS_AT_ONCE: usize = 256;

/// Whether the source of this slice is walked, and the target is looked through.
pub(crate) fn is_at_target(row: &SliceRow) -> bool {
    row.cursor.is_some() && row.token.as_deref() == Some(TOKEN)
}

impl Walk {
    /// Notes that the source is walked, and goes on with the target.
    pub(crate) async fn turn_to_target(&mut self) -> Result<Ended, Halt> {
        self.drafts.turn_to_target(TOKEN);
        self.row.cursor = Some(Key::default());
        if let Some(ended) = self.rest_now().await? {
            return Ok(ended);
        }
        self.walk_only_at_target().await
    }

    pub(crate) async fn walk_only_at_target(&mut self) -> Result<Ended, Halt> {
        let plan = self.judge.plan.clone();
        // The empty key stands for none: what is called as the prefix is a key of the target too.
        let cursor = self.row.cursor.as_ref().filter(|cursor| **cursor != Key::default());
        let mut last = cursor.and_then(|cursor| plan.job.target_key(cursor));
        let start = last.clone().map_or(ListStart::Beginning, ListStart::After);
        let keys_max = self.judge.target.profile().page_keys_max;
        let request = ListRequest { prefix: plan.job.target.prefix.clone(), start, keys_max };
        let listed = Listed::Target(self.judge.target.clone());
        let mut target = Lister::start(listed, request, Bound::default());
        loop {
            if let Some(ended) = self.rest().await? {
                return Ok(ended);
            }
            let Some(page) = self.next_page(&mut target, "target").await? else { continue };
            let bad = |bad| Halt::of_listing("target", &bad);
            in_order(last.as_ref(), &page.entries).map_err(bad)?;
            last = page.entries.last().map(|entry| entry.key.clone()).or(last);
            for entries in page.entries.chunks(KEYS_AT_ONCE) {
                if let Some(ended) = self.rest().await? {
                    return Ok(ended);
                }
                self.look_for(entries).await?;
            }
            if page.next.is_none() {
                return self.finish().await;
            }
        }
    }

    /// Plans those of the entries that the source has no object for.
    async fn look_for(&mut self, entries: &[Entry]) -> Result<(), Halt> {
        let mut sightings = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.judge.plan.job.source_key(&entry.key);
            let misplaced = || BadListing::Misplaced { key: entry.key.clone() };
            let key = key.ok_or_else(|| Halt::of_listing("target", &misplaced()))?;
            sightings.push(self.judge.audit_extra(key, entry.clone()));
        }
        let held = self.judge.held_by_source(&sightings).await?;
        for sighting in sightings {
            // Whether the filter's keys were counted with the source's is not known here.
            let is_filtered =
                matches!(sighting.standing, Standing::Ruled(Ruling::Pass(Passed::Filtered)));
            if is_filtered || held.contains(&sighting.entry.key) {
                self.drafts.pass_over(sighting.entry.key);
            } else {
                sighting.settle(&mut self.drafts);
            }
        }
        self.drafts.end_page(None);
        Ok(())
    }
}

impl Judge {
    /// The keys that the source has, of those that are to be planned.
    async fn held_by_source(&self, sightings: &[Sighting]) -> Result<BTreeSet<Key>, Halt> {
        let is_planned = |sighting: &&Sighting| {
            matches!(sighting.standing, Standing::Ruled(Ruling::Plan { .. }))
        };
        // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
        let questions: Vec<_> = sightings
            .iter()
            .filter(is_planned)
            .map(|sighting| self.held_key(&sighting.entry.key).boxed())
            .collect();
        let mut answers = stream::iter(questions).buffer_unordered(HEADS);
        let mut held = BTreeSet::new();
        while let Some(answer) = answers.next().await {
            held.extend(answer?);
        }
        Ok(held)
    }

    /// The key, where the source has it. What it refuses to say of one key a copier asks again, and records.
    async fn held_key(&self, key: &Key) -> Result<Option<Key>, Halt> {
        match self.source.head(key).await {
            Ok(_) => Ok(Some(key.clone())),
            Err(error) if error.kind == ErrorKind::NoSuchKey => Ok(None),
            Err(error) if !error.concerns_one_object() => Err(Halt::of_port("source", &error)),
            Err(_) => Ok(None),
        }
    }
}
