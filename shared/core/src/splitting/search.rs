//! Finds a split point in a range of which only the beginning is known.

use super::scale::{Scale, common};
use super::{Alphabet, middle};
use crate::key::{Key, OSS_KEY_BYTES_MAX};

/// Questions that one search asks at most, each one LIST request for one key.
pub const PROBES_MAX: u32 = 40;

/// Sorts after every key that goes on otherwise.
const TOP: char = '\u{10FFFF}';

/// What a search wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SplitStep {
    /// Ask for the first key of the prefix after this one, and hand it to [`SplitSearch::answer`].
    Probe(Key),
    /// Split here: at least one key lies after the cursor and not after this, and at least one lies
    /// after this.
    Split(Key),
    /// Fewer than two keys are left, or they are not text: nothing to split.
    Nothing,
}

/// Searches a split point for the keys after a cursor, by asking "which is the first key after this
/// one?" as seldom as it can.
///
/// It first finds how much of the next key all others share, by halving its length; then it closes in
/// on the last key by halving what lies above; the split point is the middle of the first and the last.
#[derive(Clone, Debug)]
pub struct SplitSearch {
    prefix: Key,
    until: Option<Key>,
    alphabet: Alphabet,
    /// The first key after the cursor.
    first: String,
    /// The greatest key known to be there.
    greatest: String,
    /// Nothing lies after this.
    bound: Option<Key>,
    probes: u32,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    First {
        probe: Key,
    },
    /// Every key shares `shared` characters of the first; not every one shares `parted`.
    Stem {
        shared: usize,
        parted: usize,
        probe: Key,
    },
    Last {
        probe: Key,
    },
    Done(Option<Key>),
}

impl SplitSearch {
    /// A search over the keys of `prefix` after `cursor`, up to `until` and it included.
    pub fn new(prefix: Key, cursor: Key, until: Option<Key>, alphabet: Alphabet) -> Self {
        let phase = Phase::First { probe: cursor };
        let (first, greatest) = (String::new(), String::new());
        Self { prefix, until, alphabet, first, greatest, bound: None, probes: 0, phase }
    }

    /// What the search wants now.
    pub fn step(&self) -> SplitStep {
        match &self.phase {
            Phase::First { probe } | Phase::Stem { probe, .. } | Phase::Last { probe } => {
                SplitStep::Probe(probe.clone())
            }
            Phase::Done(Some(key)) => SplitStep::Split(key.clone()),
            Phase::Done(None) => SplitStep::Nothing,
        }
    }

    /// Questions asked so far.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    /// Takes the first key after the one probed; `None` where there is none. A key beyond the range
    /// counts as none. Does nothing once the search is done.
    pub fn answer(&mut self, first_after: Option<&Key>) {
        let beyond = |key: &Key| {
            self.until.as_ref().is_some_and(|until| key > until)
                || !key.starts_with(self.prefix.as_bytes())
        };
        let found = first_after.filter(|key| !beyond(key));
        // Keys that are not text are left to be walked: a bound between them could not be written.
        let text = found.map(|key| key.as_str().map(str::to_owned));
        if let Some(key) = found {
            self.alphabet.learn(key);
        }
        self.probes += 1;
        self.phase = match (std::mem::replace(&mut self.phase, Phase::Done(None)), text) {
            (Phase::Done(split), _) => Phase::Done(split),
            (_, Some(None)) | (Phase::First { .. }, None) => Phase::Done(None),
            (Phase::First { .. }, Some(Some(key))) => {
                self.greatest.clone_from(&key);
                self.first = key;
                let prefix = self.prefix.as_str().map_or(0, |prefix| prefix.chars().count());
                self.halve_stem(prefix, self.stem_places() + 1)
            }
            (Phase::Stem { shared, parted, probe }, text) => {
                let places = usize::midpoint(shared, parted);
                if self.take(text.flatten(), probe) {
                    self.halve_stem(shared, places)
                } else {
                    self.halve_stem(places, parted)
                }
            }
            (Phase::Last { probe }, text) => {
                self.take(text.flatten(), probe);
                self.halve_rest()
            }
        };
    }

    /// Notes what an answer says of the last key; whether there was one.
    fn take(&mut self, key: Option<String>, probe: Key) -> bool {
        let Some(key) = key else {
            if self.bound.as_ref().is_none_or(|bound| probe < *bound) {
                self.bound = Some(probe);
            }
            return false;
        };
        if key > self.greatest {
            self.greatest = key;
        }
        true
    }

    /// Characters of the first key that leave room for one more.
    fn stem_places(&self) -> usize {
        let room = OSS_KEY_BYTES_MAX - TOP.len_utf8();
        self.first.char_indices().take_while(|(at, c)| at + c.len_utf8() <= room).count()
    }

    fn halve_stem(&self, shared: usize, parted: usize) -> Phase {
        // What the greatest key does not share need not be asked.
        let known = common(&self.first, &self.greatest).chars().count();
        let parted = if self.greatest > self.first { parted.min(known + 1) } else { parted };
        if parted <= shared + 1 {
            return self.halve_rest();
        }
        let places = usize::midpoint(shared, parted);
        let stem: String = self.first.chars().take(places).chain([TOP]).collect();
        Phase::Stem { shared, parted, probe: Key::from(stem) }
    }

    fn halve_rest(&self) -> Phase {
        let greatest = Key::from(self.greatest.as_str());
        let is_alone = self.greatest <= self.first;
        if is_alone && self.probes + 1 == PROBES_MAX {
            return Phase::Last { probe: greatest };
        }
        let is_near = !is_alone && self.is_last_near();
        if self.probes < PROBES_MAX
            && !is_near
            && let Some(probe) = middle(&greatest, self.upper(), &self.prefix, &self.alphabet)
        {
            return Phase::Last { probe };
        }
        if is_alone {
            return Phase::Done(None);
        }
        let first = Key::from(self.first.as_str());
        let split = middle(&first, Some(&greatest), &self.prefix, &self.alphabet);
        Phase::Done(Some(split.unwrap_or(first)))
    }

    fn upper(&self) -> Option<&Key> {
        [self.bound.as_ref(), self.until.as_ref()].into_iter().flatten().min()
    }

    /// Whether what may lie above the greatest key is small beside what lies below it.
    fn is_last_near(&self) -> bool {
        let prefix = self.prefix.as_str().unwrap_or_default();
        let upper = self.upper().and_then(Key::as_str).filter(|upper| upper.starts_with(prefix));
        let scale = Scale::new(prefix, &self.first, upper, &self.alphabet);
        let number = |key: &str| scale.number(key);
        let (first, greatest) = (number(&self.first), number(&self.greatest));
        let upper = upper.map_or(scale.end(), number);
        upper.saturating_sub(greatest) <= greatest.saturating_sub(first) / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Runs a search; (the split point, the probes it took).
    fn searched(
        mut search: SplitSearch,
        first_after: impl Fn(&Key) -> Option<Key>,
    ) -> (Option<Key>, u32) {
        loop {
            match search.step() {
                SplitStep::Probe(probe) => search.answer(first_after(&probe).as_ref()),
                SplitStep::Split(key) => return (Some(key), search.probes()),
                SplitStep::Nothing => return (None, search.probes()),
            }
        }
    }

    /// The first of `count` numbered keys after a key, by arithmetic.
    fn first_numbered(after: &Key, count: u64, name: impl Fn(u64) -> String) -> Option<Key> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let half = u64::midpoint(low, high);
            if Key::from(name(half)) > *after {
                high = half;
            } else {
                low = half + 1;
            }
        }
        (low < count).then(|| Key::from(name(low)))
    }

    proptest! {
        #[test]
        fn a_flat_bucket_of_numbered_keys_splits_near_the_middle(
            count in 3_000_u64..=12_000_000,
            listed in 1_000_u64..2_000,
            with_prefix: bool,
        ) {
            let name = |number: u64| format!("data/obj-{number:08}");
            let mut alphabet = Alphabet::default();
            alphabet.learn(&Key::from(name(0)));
            alphabet.learn(&Key::from(name(listed)));
            let prefix = Key::from(if with_prefix { "data/" } else { "" });
            let search = SplitSearch::new(prefix, Key::from(name(listed)), None, alphabet);
            let (split, probes) = searched(search, |after| first_numbered(after, count, name));
            let next = first_numbered(&split.unwrap(), count, name).unwrap();
            let above: u64 = next.as_str().unwrap()[9..].parse().unwrap();
            let percent = (above - listed) * 100 / (count - listed);
            prop_assert!((10..=90).contains(&percent), "{}: {} %", next, percent);
            prop_assert!(probes <= PROBES_MAX);
        }

        #[test]
        fn a_split_has_keys_on_both_sides(
            keys in prop::collection::btree_set("[a-b/]{1,6}|[0-9a-f]{4,12}|\\PC{1,9}", 0..40),
            cursor in "\\PC{0,3}",
            until in prop::option::of("\\PC{1,3}"),
            prefix in "[a0-1]{0,1}",
        ) {
            let keys: BTreeSet<Key> = keys.iter().map(|key| Key::from(key.as_str())).collect();
            let (cursor, prefix) = (Key::from(cursor), Key::from(prefix));
            let until = until.map(Key::from);
            let belongs = |key: &&Key| {
                key.starts_with(prefix.as_bytes())
                    && **key > cursor
                    && until.as_ref().is_none_or(|until| *key <= until)
            };
            let ours: Vec<&Key> = keys.iter().filter(belongs).collect();
            let search =
                SplitSearch::new(prefix.clone(), cursor.clone(), until.clone(), Alphabet::default());
            let (split, probes) = searched(search, |after| {
                keys.iter().find(|key| *key > after && key.starts_with(prefix.as_bytes())).cloned()
            });
            prop_assert!(probes <= PROBES_MAX);
            match split {
                Some(split) => {
                    prop_assert!(split > cursor && split.len() <= OSS_KEY_BYTES_MAX);
                    prop_assert!(split.as_str().is_some());
                    prop_assert!(ours.iter().any(|key| **key <= split));
                    prop_assert!(ours.iter().any(|key| **key > split));
                }
                None => prop_assert!(ours.len() < 2, "{:?}", ours),
            }
        }
    }

    #[test]
    fn a_bucket_of_folders_and_one_of_hashes_split() {
        let folders: Vec<Key> =
            (0..500).map(|n| Key::from(format!("logs/2026/{:02}/{n:03}", n / 42 + 1))).collect();
        let hashes: Vec<Key> = (0..500_u64)
            .map(|n| Key::from(format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
            .collect();
        for mut keys in [folders, hashes] {
            keys.sort();
            let mut alphabet = Alphabet::default();
            keys.iter().take(10).for_each(|key| alphabet.learn(key));
            let search = SplitSearch::new(Key::default(), keys[9].clone(), None, alphabet);
            let (split, probes) =
                searched(search, |after| keys.iter().find(|key| *key > after).cloned());
            let split = split.unwrap();
            let left = keys[10..].iter().filter(|key| **key <= split).count();
            assert!((50..=450).contains(&left), "{split}: {left}");
            assert!(probes <= 30, "{probes}");
        }
    }

    #[test]
    fn keys_that_are_not_text_are_not_split() {
        let keys = [vec![b'a', 0xff], vec![b'b', 0xff]].map(Key::new);
        let search = SplitSearch::new(Key::default(), Key::default(), None, Alphabet::default());
        let (split, _) = searched(search, |after| keys.iter().find(|key| *key > after).cloned());
        assert_eq!(split, None);
    }
}
