//! The walk over a source that lists by bytes: two listings merged, a page of each at a time.

use ossferry_core::join::{BadListing, Join, JoinStep};
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart, Page};
use ossferry_ledger::rows::PassKind;

use crate::audit::AtTarget;
use crate::judge::Sighting;
use crate::lister::{Bound, Listed, Lister};
use crate::split::Splitter;
use crate::walk::{Ended, Halt, Walk};

/// What the join waits for.
enum Need {
    Source,
    /// `from`: where the page is to begin, unless it is to be the next one.
    Target {
        from: Option<Key>,
    },
    Nothing,
}

impl Walk {
    pub(crate) async fn walk_keyed(&mut self) -> Result<Ended, Halt> {
        let plan = self.judge.plan.clone();
        let prefix = plan.job.source.prefix();
        let target_prefix = plan.job.target.prefix.clone();
        let is_audit = plan.kind == PassKind::Audit;
        let begin = if is_audit { Join::with_extra } else { Join::new };
        let mut join = begin(prefix.clone(), target_prefix);
        let mut source = self.list_source(prefix);
        let mut target = TargetPages::default();
        if is_audit {
            target.after = self.row.cursor.as_ref().and_then(|cursor| plan.job.target_key(cursor));
        }
        let mut splitter = Splitter::new(&self.row);
        let mut sightings = Vec::new();
        let mut last_read = self.row.cursor.clone();
        loop {
            let need = self.step_through(&mut join, &mut sightings);
            self.settle(&mut sightings).await?;
            if matches!(need, Need::Nothing) {
                return self.finish().await;
            }
            if let Some(ended) = self.rest().await? {
                return Ok(ended);
            }
            match need {
                Need::Nothing => {}
                Need::Target { from } => self.feed_target(&mut join, &mut target, from).await?,
                Need::Source => {
                    self.drafts.end_page(None);
                    splitter.turn(self, last_read.as_ref()).await?;
                    let Some(page) = self.next_page(&mut source, "source").await? else {
                        continue;
                    };
                    let is_last = page.next.is_none();
                    splitter.learn(&page.entries, !is_last);
                    self.feed_source(&mut join, page.entries, is_last, &mut last_read)?;
                }
            }
        }
    }

    fn list_source(&self, prefix: &Key) -> Lister {
        let start = match &self.row.cursor {
            Some(cursor) => ListStart::After(cursor.clone()),
            None => ListStart::Beginning,
        };
        let keys_max = self.judge.source.profile().page_keys_max;
        let request = ListRequest { prefix: prefix.clone(), start, keys_max };
        Lister::start(Listed::Source(self.judge.source.clone()), request, self.until.clone())
    }

    /// Takes every pair that the pages in hand give.
    fn step_through(&self, join: &mut Join, sightings: &mut Vec<Sighting>) -> Need {
        let is_audit = self.judge.plan.kind == PassKind::Audit;
        loop {
            match join.step() {
                JoinStep::Pair { source, target_key, target } if is_audit => {
                    let target = AtTarget::Listed(target.as_ref());
                    sightings.push(self.judge.audit(source, &target_key, &target));
                }
                JoinStep::Pair { source, target_key, target } => {
                    sightings.push(self.judge.sight(source, target_key, target.as_ref()));
                }
                // The target's page may reach beyond the slice.
                JoinStep::Extra { key, .. } if self.is_beyond(&key) => return Need::Nothing,
                JoinStep::Extra { key, target } => {
                    sightings.push(self.judge.audit_extra(key, target));
                }
                JoinStep::NeedSource => return Need::Source,
                JoinStep::NeedTarget { from } => return Need::Target { from },
                JoinStep::End => return Need::Nothing,
            }
        }
    }

    fn is_beyond(&self, key: &Key) -> bool {
        self.until.get().is_some_and(|until| *key > until)
    }

    /// Checks the whole page before a key of it counts, and leaves out what lies beyond the slice.
    fn feed_source(
        &self,
        join: &mut Join,
        mut entries: Vec<Entry>,
        is_last: bool,
        last_read: &mut Option<Key>,
    ) -> Result<(), Halt> {
        let bad = |bad: BadListing| Halt::of_listing("source", &bad);
        in_order(last_read.as_ref(), &entries).map_err(bad)?;
        let mut is_over = is_last;
        if let Some(last) = entries.last() {
            *last_read = Some(last.key.clone());
            if let Some(until) = self.until.reached_by(&last.key) {
                is_over = true;
                entries.truncate(entries.partition_point(|entry| entry.key <= until));
            }
        }
        join.feed_source(entries, is_over).map_err(bad)
    }

    /// Gives the join the page of the target that holds `from`: the next one read ahead, or, where the
    /// target holds much that the source does not, one that begins there. Without `from` always the
    /// next one. Gives nothing where the deadline comes first.
    async fn feed_target(
        &self,
        join: &mut Join,
        target: &mut TargetPages,
        from: Option<Key>,
    ) -> Result<(), Halt> {
        if let Some(lister) = &mut target.lister {
            let Some(page) = self.next_page(lister, "target").await? else { return Ok(()) };
            let holds = |from| page.entries.last().is_some_and(|last| last.key >= from);
            if page.next.is_none() || from.clone().is_none_or(holds) {
                return target.feed(join, page);
            }
        }
        let from = from.as_ref().or(target.after.as_ref());
        let mut lister = self.list_target(from, target.last.as_ref());
        if let Some(page) = self.next_page(&mut lister, "target").await? {
            target.lister = Some(lister);
            target.feed(join, page)?;
        }
        Ok(())
    }

    fn list_target(&self, from: Option<&Key>, last: Option<&Key>) -> Lister {
        let job = &self.judge.plan.job;
        let start = match (from.map_or(ListStart::Beginning, target_start), last) {
            (ListStart::After(start), Some(last)) if start < *last => {
                ListStart::After(last.clone())
            }
            (ListStart::Beginning, Some(last)) => ListStart::After(last.clone()),
            (start, _) => start,
        };
        // No page is needed beyond the slice's end, as it stands now.
        let until = self.until.get().and_then(|until| job.target_key(&until));
        let keys_max = self.judge.target.profile().page_keys_max;
        let request = ListRequest { prefix: job.target.prefix.clone(), start, keys_max };
        Lister::start(Listed::Target(self.judge.target.clone()), request, Bound::at(until))
    }
}

/// The target's listing, read from where the join first asks.
#[derive(Default)]
struct TargetPages {
    lister: Option<Lister>,
    /// The last key given to the join: another listing begins after it.
    last: Option<Key>,
    /// In an audit: up to here every key of the target was handed out before.
    after: Option<Key>,
}

impl TargetPages {
    fn feed(&mut self, join: &mut Join, mut page: Page) -> Result<(), Halt> {
        if let Some(after) = &self.after {
            page.entries.retain(|entry| entry.key > *after);
        }
        if let Some(last) = page.entries.last() {
            self.last = Some(last.key.clone());
        }
        let is_last = page.next.is_none();
        join.feed_target(page.entries, is_last).map_err(|bad| Halt::of_listing("target", &bad))
    }
}

/// Where a listing of the target begins so that it holds `from`. A key that OSS cannot hold is cut to
/// one that it can: the listing then begins a little early.
fn target_start(from: &Key) -> ListStart {
    let mut from = from.clone();
    if from.oss_objection().is_some() {
        let valid = from.as_bytes().utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let cut = valid.floor_char_boundary(ossferry_core::key::OSS_KEY_BYTES_MAX);
        from = Key::from(&valid[..cut]);
        if from.oss_objection().is_some() {
            return ListStart::Beginning;
        }
    }
    from.just_before().map_or(ListStart::Beginning, ListStart::After)
}

pub(crate) fn in_order(before: Option<&Key>, entries: &[Entry]) -> Result<(), BadListing> {
    let mut before = before;
    for entry in entries {
        if let Some(before) = before.filter(|before| **before >= entry.key) {
            let (before, key) = (before.clone(), entry.key.clone());
            return Err(BadListing::OutOfOrder { before, key });
        }
        before = Some(&entry.key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_of_the_target_begins_before_the_key_whatever_the_key() {
        let long = "x".repeat(2_000);
        for key in [b"a".to_vec(), b"a/\xff".to_vec(), long.into_bytes(), "é".repeat(600).into()] {
            let key = Key::new(key);
            let ListStart::After(start) = target_start(&key) else { panic!("{key}") };
            assert!(start < key && start.len() <= 1_023, "{key}");
            assert!(start.as_str().is_some());
        }
        for key in [&b"/a"[..], b"\xff", b""] {
            assert_eq!(target_start(&Key::new(key.to_vec())), ListStart::Beginning);
        }
    }

    #[test]
    fn a_page_out_of_order_is_found_before_a_key_of_it_counts() {
        let entry = |key: &str| Entry {
            key: Key::from(key),
            size: 0,
            etag: None,
            last_modified: None,
            storage_class: None,
            archived: false,
        };
        let page = [entry("a-b"), entry("a/b"), entry("a-c")];
        in_order(None, &page[..2]).unwrap();
        in_order(None, &page).unwrap_err();
        in_order(Some(&Key::from("a-b")), &page[..2]).unwrap_err();
    }
}
