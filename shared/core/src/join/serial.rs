//! The join for a source that does not list by bytes: one page at a time, sorted here.

use std::collections::VecDeque;

use super::BadListing;
use crate::key::Key;
use crate::object::Entry;

/// How a source entry was looked up at the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// In a listing, which holds this under the key.
    Listed(Option<Entry>),
    /// Not yet: the listings did not reach it. HEAD it.
    Unlisted,
}

/// What the join wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SerialStep {
    /// List one page of the target after this key, and hand it to [`SerialJoin::feed_target`].
    List {
        /// Sorts just before the next key to be looked up.
        after: Key,
    },
    /// Every entry is looked up or to be looked up alone: [`SerialJoin::finish`].
    Done,
}

/// Looks up one page of source entries in at most so many pages of the target.
///
/// Keys are taken in byte order. Each page of the target begins at the first key not looked up yet, so
/// it settles at least that one, and every other up to its last key: never more requests than HEADs
/// would be, and one for all where the target is empty or holds much the same keys.
#[derive(Debug)]
pub struct SerialJoin {
    waiting: VecDeque<(Key, Entry)>,
    looked_up: Vec<(Entry, Key, Lookup)>,
    pages_left: u32,
}

impl SerialJoin {
    /// Entries of one page in any order. Fails for a key that does not begin with the prefix.
    pub fn new(
        mut entries: Vec<Entry>,
        source_prefix: &Key,
        target_prefix: &Key,
        target_pages_max: u32,
    ) -> Result<Self, BadListing> {
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        let mut join =
            Self { waiting: VecDeque::new(), looked_up: Vec::new(), pages_left: target_pages_max };
        for entry in entries {
            let moved = entry.key.moved(source_prefix.as_bytes(), target_prefix.as_bytes());
            let key = moved.ok_or_else(|| BadListing::Misplaced { key: entry.key.clone() })?;
            // What OSS cannot hold it does not hold.
            if key.oss_objection().is_some() {
                join.looked_up.push((entry, key, Lookup::Listed(None)));
            } else {
                join.waiting.push_back((key, entry));
            }
        }
        Ok(join)
    }

    /// What the join wants next.
    pub fn step(&self) -> SerialStep {
        let next = self.waiting.front().filter(|_| self.pages_left > 0);
        match next.and_then(|(key, _)| key.just_before()) {
            Some(after) => SerialStep::List { after },
            None => SerialStep::Done,
        }
    }

    /// Takes the page that [`SerialStep::List`] asked for. `is_last` says that no page follows.
    pub fn feed_target(&mut self, page: Vec<Entry>, is_last: bool) {
        self.pages_left = self.pages_left.saturating_sub(1);
        let reach = if is_last { None } else { page.last().map(|entry| entry.key.clone()) };
        let is_empty = page.is_empty();
        let mut page = page.into_iter().peekable();
        while let Some((key, entry)) = self.waiting.pop_front() {
            // An empty page that is not the last settles nothing.
            let is_beyond = reach.as_ref().is_some_and(|reach| key > *reach);
            if is_beyond || (is_empty && !is_last) {
                self.waiting.push_front((key, entry));
                break;
            }
            while page.next_if(|listed| listed.key < key).is_some() {}
            let found = page.next_if(|listed| listed.key == key);
            self.looked_up.push((entry, key, Lookup::Listed(found)));
        }
    }

    /// Every entry with its target key and how it was looked up, in byte order of the source.
    pub fn finish(mut self) -> Vec<(Entry, Key, Lookup)> {
        let rest = self.waiting.into_iter().map(|(key, entry)| (entry, key, Lookup::Unlisted));
        self.looked_up.extend(rest);
        self.looked_up.sort_by(|one, other| one.0.key.cmp(&other.0.key));
        self.looked_up
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_entry_is_found_rightly_or_left_to_a_head(
            source in prop::collection::btree_set("[ab/-]{0,5}", 0..40),
            target in prop::collection::btree_set("t[ab/-]{0,5}", 0..60),
            rotate in 0_usize..40,
            pages_max in 0_u32..6,
            page_keys in 1_usize..9,
        ) {
            let mut entries: Vec<Entry> =
                source.iter().map(|key| entry(Key::from(format!("s{key}")), 1)).collect();
            entries.rotate_left(rotate % source.len().max(1));
            let target: BTreeSet<Key> = target.iter().map(|key| Key::from(key.as_str())).collect();
            let mut join =
                SerialJoin::new(entries, &Key::from("s"), &Key::from("t"), pages_max).unwrap();
            let mut pages = 0;
            while let SerialStep::List { after } = join.step() {
                let rest: Vec<&Key> = target.iter().filter(|key| **key > after).collect();
                let page = rest.iter().take(page_keys).map(|key| entry((*key).clone(), 2)).collect();
                join.feed_target(page, rest.len() <= page_keys);
                pages += 1;
            }
            prop_assert!(pages <= pages_max);
            let found = join.finish();
            let keys: Vec<String> =
                found.iter().map(|(entry, ..)| entry.key.to_text()[1..].to_owned()).collect();
            prop_assert_eq!(keys, source.into_iter().collect::<Vec<_>>());
            let mut unlisted = 0;
            for (entry, key, lookup) in found {
                prop_assert_eq!(entry.key.moved(b"s", b"t"), Some(key.clone()));
                match lookup {
                    Lookup::Listed(listed) => {
                        prop_assert_eq!(listed.is_some(), target.contains(&key));
                        prop_assert!(listed.is_none_or(|listed| listed.key == key));
                    }
                    Lookup::Unlisted => unlisted += 1,
                }
            }
            prop_assert!(unlisted == 0 || pages == pages_max);
        }
    }

    #[test]
    fn an_empty_target_costs_one_request() {
        let entries = (0..1_000).map(|n| entry(Key::from(format!("{:03}", 999 - n)), 1)).collect();
        let mut join = SerialJoin::new(entries, &Key::default(), &Key::default(), 4).unwrap();
        assert!(matches!(join.step(), SerialStep::List { .. }));
        join.feed_target(Vec::new(), true);
        assert_eq!(join.step(), SerialStep::Done);
        assert!(join.finish().iter().all(|(_, _, lookup)| *lookup == Lookup::Listed(None)));
    }

    #[test]
    fn a_key_that_oss_cannot_hold_is_not_looked_up() {
        let entries = vec![entry(Key::new(vec![0xff]), 1)];
        let join = SerialJoin::new(entries, &Key::default(), &Key::default(), 4).unwrap();
        assert_eq!(join.step(), SerialStep::Done);
        assert_eq!(join.finish()[0].2, Lookup::Listed(None));
    }
}
