//! Puts each entry of the source beside the target's entry of the same key: two listings merged, two
//! LIST requests for a thousand objects.
//!
//! A source key is the source's prefix and a rest, its target key the target's prefix and the same
//! rest. Two keys with the same prefix order as their rests do, so the mapping keeps the order and both
//! listings can be read forward once.

mod serial;

pub use serial::{Lookup, SerialJoin, SerialStep};

use std::collections::VecDeque;

use crate::key::Key;
use crate::object::Entry;

/// A listing that cannot be merged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadListing {
    /// A key does not sort after the one before it.
    #[error("listing out of order: {key} after {before}")]
    OutOfOrder {
        /// The key listed before.
        before: Key,
        /// The key listed next.
        key: Key,
    },
    /// A key does not begin with the prefix asked for.
    #[error("listing of another prefix: {key}")]
    Misplaced {
        /// The key.
        key: Key,
    },
}

/// What the join can do now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JoinStep {
    /// The next entry of the source, and what the target holds under its key.
    Pair {
        /// At the source.
        source: Entry,
        /// Where it goes.
        target_key: Key,
        /// At the target.
        target: Option<Entry>,
    },
    /// [`Join::feed_source`] the next page.
    NeedSource,
    /// The target alone has this key. Only of a join that was begun with [`Join::with_extra`].
    Extra {
        /// Where it would have come from.
        key: Key,
        /// At the target.
        target: Entry,
    },
    /// [`Join::feed_target`] the next page, or a page that begins at this target key: nothing before
    /// it matters any more.
    NeedTarget {
        /// The next target key to be looked up; `None` where every key of the target matters, so that
        /// no page may be left out.
        from: Option<Key>,
    },
    /// The source's listing is over.
    End,
}

/// A merge of two listings in byte order. Holds the entries of the pages given and no more.
#[derive(Debug)]
pub struct Join {
    source_prefix: Key,
    target_prefix: Key,
    source: Side,
    target: Side,
    target_extra: u64,
    hands_out_extra: bool,
}

#[derive(Debug, Default)]
struct Side {
    entries: VecDeque<Entry>,
    last: Option<Key>,
    is_over: bool,
}

impl Side {
    fn feed(&mut self, prefix: &Key, page: Vec<Entry>, is_last: bool) -> Result<(), BadListing> {
        let mut before = self.last.as_ref();
        for entry in &page {
            if let Some(before) = before.filter(|before| **before >= entry.key) {
                let (before, key) = (before.clone(), entry.key.clone());
                return Err(BadListing::OutOfOrder { before, key });
            }
            if !entry.key.starts_with(prefix.as_bytes()) {
                return Err(BadListing::Misplaced { key: entry.key.clone() });
            }
            before = Some(&entry.key);
        }
        self.last = before.cloned();
        if self.entries.is_empty() {
            self.entries = page.into();
        } else {
            self.entries.extend(page);
        }
        self.is_over = is_last;
        Ok(())
    }
}

impl Join {
    /// A join of nothing yet. Listings begin where the caller asks for them; both must begin at the
    /// same place.
    pub fn new(source_prefix: Key, target_prefix: Key) -> Self {
        let (source, target) = (Side::default(), Side::default());
        let (target_extra, hands_out_extra) = (0, false);
        Self { source_prefix, target_prefix, source, target, target_extra, hands_out_extra }
    }

    /// A join that also hands out what only the target has, in its place among the pairs and up to the
    /// end of the target's listing, which must be fed whole.
    pub fn with_extra(source_prefix: Key, target_prefix: Key) -> Self {
        Self { hands_out_extra: true, ..Self::new(source_prefix, target_prefix) }
    }

    /// Takes the next page of the source. `is_last` says that no page follows.
    pub fn feed_source(&mut self, page: Vec<Entry>, is_last: bool) -> Result<(), BadListing> {
        self.source.feed(&self.source_prefix, page, is_last)
    }

    /// Takes the next page of the target. `is_last` says that no page follows.
    pub fn feed_target(&mut self, page: Vec<Entry>, is_last: bool) -> Result<(), BadListing> {
        self.target.feed(&self.target_prefix, page, is_last)
    }

    /// Keys of the target passed over because the source has none like them: at least so many, as the
    /// target is not listed beyond the source's end.
    pub fn target_extra(&self) -> u64 {
        self.target_extra
    }

    /// Whether every entry of the source given so far was handed out, so that a cursor may stand at the
    /// last one.
    pub fn is_drained(&self) -> bool {
        self.source.entries.is_empty()
    }

    /// The next pair, or what is needed for it.
    pub fn step(&mut self) -> JoinStep {
        let Some(next) = self.source.entries.front() else {
            return match (self.source.is_over, self.hands_out_extra) {
                (false, _) => JoinStep::NeedSource,
                (true, false) => JoinStep::End,
                (true, true) => self.extra_to_the_end(),
            };
        };
        let (from, to) = (self.source_prefix.as_bytes(), self.target_prefix.as_bytes());
        let target_key = next.key.moved(from, to).expect("a fed key begins with the prefix");
        while let Some(extra) = self.target.entries.pop_front_if(|entry| entry.key < target_key) {
            self.target_extra += 1;
            if self.hands_out_extra {
                return self.extra(extra);
            }
        }
        if self.target.entries.is_empty() && !self.target.is_over {
            let from = (!self.hands_out_extra).then_some(target_key);
            return JoinStep::NeedTarget { from };
        }
        let is_same = self.target.entries.front().is_some_and(|entry| entry.key == target_key);
        let target = if is_same { self.target.entries.pop_front() } else { None };
        match self.source.entries.pop_front() {
            Some(source) => JoinStep::Pair { source, target_key, target },
            None => JoinStep::End,
        }
    }

    /// What the target holds beyond the last key of the source.
    fn extra_to_the_end(&mut self) -> JoinStep {
        match self.target.entries.pop_front() {
            Some(extra) => {
                self.target_extra += 1;
                self.extra(extra)
            }
            None if self.target.is_over => JoinStep::End,
            None => JoinStep::NeedTarget { from: None },
        }
    }

    fn extra(&self, target: Entry) -> JoinStep {
        let (from, to) = (self.target_prefix.as_bytes(), self.source_prefix.as_bytes());
        let key = target.key.moved(from, to).expect("a fed key begins with the prefix");
        JoinStep::Extra { key, target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    pub(super) fn entry(key: Key, size: u64) -> Entry {
        Entry { key, size, etag: None, last_modified: None, storage_class: None, archived: false }
    }

    proptest! {
        #[test]
        fn the_mapping_of_keys_keeps_their_order(
            one: Vec<u8>, other: Vec<u8>, from: Vec<u8>, to: Vec<u8>,
        ) {
            let key = |rest: &[u8]| Key::new([from.as_slice(), rest].concat());
            let moved = |rest: &[u8]| key(rest).moved(&from, &to).unwrap();
            prop_assert_eq!(key(&one).cmp(&key(&other)), moved(&one).cmp(&moved(&other)));
        }

        #[test]
        fn each_source_entry_meets_its_target_entry_whatever_the_pages(
            source in prop::collection::btree_set("[ab/]{0,4}", 0..30),
            target in prop::collection::btree_set("[ab/]{0,4}", 0..30),
            source_page in 1_usize..5,
            target_page in 1_usize..5,
        ) {
            let entries = |prefix: &str, keys: &BTreeSet<String>, size| -> Vec<Entry> {
                keys.iter().map(|key| entry(Key::from(format!("{prefix}{key}")), size)).collect()
            };
            let all = [entries("s/", &source, 1), entries("t-", &target, 2)];
            let mut at = [0, 0];
            let mut join = Join::new(Key::from("s/"), Key::from("t-"));
            let mut met = Vec::new();
            loop {
                let mut page = |side: usize, size: usize| {
                    let end = (at[side] + size).min(all[side].len());
                    let page = all[side][at[side]..end].to_vec();
                    at[side] = end;
                    (page, end == all[side].len())
                };
                match join.step() {
                    JoinStep::Pair { source, target_key, target } => {
                        prop_assert!(target.iter().all(|entry| entry.key == target_key));
                        met.push((source.key, target.is_some()));
                    }
                    JoinStep::NeedSource => {
                        prop_assert!(join.is_drained());
                        let (page, is_last) = page(0, source_page);
                        join.feed_source(page, is_last).unwrap();
                    }
                    JoinStep::Extra { .. } => prop_assert!(false, "nobody asked for it"),
                    JoinStep::NeedTarget { from } => {
                        let (page, is_last) = page(1, target_page);
                        prop_assert!(from.is_some_and(|from| from.starts_with(b"t-")));
                        join.feed_target(page, is_last).unwrap();
                    }
                    JoinStep::End => break,
                }
                prop_assert!(join.source.entries.len() <= source_page);
                prop_assert!(join.target.entries.len() <= target_page);
            }
            let want: Vec<(Key, bool)> = source
                .iter()
                .map(|key| (Key::from(format!("s/{key}")), target.contains(key)))
                .collect();
            prop_assert_eq!(met, want);
            let extra = target.iter().filter(|key| {
                !source.contains(*key) && source.last().is_some_and(|last| *key < last)
            });
            prop_assert_eq!(join.target_extra(), extra.count() as u64);
        }

        #[test]
        fn with_extra_every_key_of_either_side_comes_once_and_in_order(
            source in prop::collection::btree_set("[ab/]{0,4}", 0..30),
            target in prop::collection::btree_set("[ab/]{0,4}", 0..30),
            source_page in 1_usize..5,
            target_page in 1_usize..5,
        ) {
            let mut join = Join::with_extra(Key::from("s/"), Key::from("t-"));
            let mut left = [("s/", &source), ("t-", &target)].map(|(prefix, keys)| {
                keys.iter().map(|key| entry(Key::from(format!("{prefix}{key}")), 1)).collect()
            });
            let mut page = |side: usize, size: usize| {
                let rest: &mut VecDeque<Entry> = &mut left[side];
                let page = rest.drain(..size.min(rest.len())).collect();
                (page, rest.is_empty())
            };
            let mut met = Vec::new();
            loop {
                match join.step() {
                    JoinStep::Pair { source, target, .. } => {
                        met.push((source.key, true, target.is_some()));
                    }
                    JoinStep::Extra { key, .. } => met.push((key, false, true)),
                    JoinStep::NeedSource => {
                        let (page, is_last) = page(0, source_page);
                        join.feed_source(page, is_last).unwrap();
                    }
                    JoinStep::NeedTarget { from } => {
                        prop_assert_eq!(from, None);
                        let (page, is_last) = page(1, target_page);
                        join.feed_target(page, is_last).unwrap();
                    }
                    JoinStep::End => break,
                }
            }
            let want: Vec<_> = source
                .union(&target)
                .map(|key| {
                    let (at_source, at_target) = (source.contains(key), target.contains(key));
                    (Key::from(format!("s/{key}")), at_source, at_target)
                })
                .collect();
            prop_assert_eq!(met, want);
        }
    }

    #[test]
    fn a_listing_that_is_not_in_order_or_of_another_prefix_is_refused() {
        let page = |keys: &[&str]| keys.iter().map(|key| entry(Key::from(*key), 1)).collect();
        let mut join = Join::new(Key::from("a"), Key::default());
        join.feed_source(page(&["a/b"]), false).unwrap();
        let error = join.feed_source(page(&["a-b"]), false).unwrap_err();
        assert_eq!(error.to_string(), "listing out of order: a-b after a/b");
        assert!(matches!(
            join.feed_source(page(&["b"]), true),
            Err(BadListing::Misplaced { key }) if key == Key::from("b")
        ));
        join.feed_target(page(&["k"]), false).unwrap();
        assert!(join.feed_target(page(&["k"]), true).is_err());
    }
}
