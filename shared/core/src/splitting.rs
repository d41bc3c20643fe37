//! Where to split a key range: a key between two others, and a search for one that has keys on both
//! sides.
//!
//! Keys are treated as numbers whose digits are characters: UTF-8 sorts by bytes as it sorts by
//! characters, and the characters that keys are known to use at a place are its digits.

mod alphabet;
mod scale;
mod search;

pub use alphabet::Alphabet;
pub use search::{PROBES_MAX, SplitSearch, SplitStep};

use crate::key::{Key, OSS_KEY_BYTES_MAX};
use scale::Scale;

/// A key that sorts strictly between `after` and `until`, near the middle of the keys that could stand
/// between them by `alphabet`; `until` `None` is the end of the prefix's keys.
///
/// The result is UTF-8, begins with `prefix` and has at most 1,023 bytes. Returns `None` where a
/// bound or the prefix is not UTF-8, or where there is no such key.
pub fn middle(after: &Key, until: Option<&Key>, prefix: &Key, alphabet: &Alphabet) -> Option<Key> {
    let prefix = prefix.as_str()?;
    // Nothing of the prefix sorts before it, nor after a bound that does not begin with it.
    let low = after.as_str()?.max(prefix);
    let high = match until {
        Some(until) if until.as_bytes() <= low.as_bytes() => return None,
        Some(until) if until.starts_with(prefix.as_bytes()) => Some(until.as_str()?),
        _ => None,
    };
    if !low.starts_with(prefix) {
        return None;
    }
    let scale = Scale::new(prefix, low, high, alphabet);
    let fits = |candidate: &String| {
        candidate.len() <= OSS_KEY_BYTES_MAX
            && candidate.as_str() > low
            && high.is_none_or(|high| candidate.as_str() < high)
            && candidate.starts_with(prefix)
    };
    scale.halfway(low, high, fits).or_else(|| neighbour(low, fits)).map(Key::from)
}

/// Any key that fits just above `low`: the shortest extension of it, else one with a character
/// raised, from the last to the first.
fn neighbour(low: &str, fits: impl Fn(&String) -> bool) -> Option<String> {
    let extended = ['0', ' ', '\0'].map(|c| format!("{low}{c}"));
    let raised = low.char_indices().rev().filter_map(|(at, c)| {
        let next = match c {
            '\u{D7FF}' => '\u{E000}',
            _ => char::from_u32(c as u32 + 1)?,
        };
        Some(format!("{}{next}", &low[..at]))
    });
    extended.into_iter().chain(raised).find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        for key in keys {
            alphabet.learn(&Key::from(*key));
        }
        alphabet
    }

    fn between(after: &str, until: &str, alphabet: &Alphabet) -> Option<String> {
        let until = (!until.is_empty()).then(|| Key::from(until));
        let middle = middle(&Key::from(after), until.as_ref(), &Key::default(), alphabet)?;
        Some(middle.as_str().expect("a middle is text").to_owned())
    }

    #[test]
    fn the_middle_of_numbers_is_a_number() {
        let digits = learned(&["obj-00000999", "obj-00000123"]);
        for (after, until, want) in [
            ("obj-00000999", "obj-10000000", "obj-05"),
            ("obj-00000000", "obj-00000100", "obj-0000005"),
            ("obj-05", "obj-1", "obj-07"),
        ] {
            let found = between(after, until, &digits).unwrap();
            assert!(found.starts_with(want), "{after} {found} {until}");
        }
        let hex = learned(&["9f86d081", "e3b0c442"]);
        assert!(between("0", "", &hex).unwrap().starts_with(['7', '8']));
    }

    #[test]
    fn there_is_no_middle_where_there_is_no_room_or_no_text() {
        let none = Alphabet::default();
        assert_eq!(between("a", "a\0", &none), None);
        assert_eq!(between("a", "a", &none), None);
        assert_eq!(between("b", "a", &none), None);
        assert_eq!(between("a", "a\u{1}", &none), Some("a\0".to_owned()));
        let binary = Key::new(vec![b'a', 0xff]);
        let (a, b) = (Key::from("a"), Key::from("b"));
        assert_eq!(middle(&binary, Some(&b), &Key::default(), &none), None);
        assert_eq!(middle(&a, Some(&binary), &Key::default(), &none), None);
        assert_eq!(middle(&b, None, &a, &none), None);
    }

    #[test]
    fn a_key_of_full_length_has_a_middle_above_it() {
        let long = "x".repeat(OSS_KEY_BYTES_MAX);
        let found = between(&long, "y", &learned(&[&long])).unwrap();
        assert!(found.len() <= OSS_KEY_BYTES_MAX && found > long && *found < *"y");
    }

    proptest! {
        #[test]
        fn the_middle_lies_strictly_between_wherever_a_key_does(
            mut keys in prop::collection::vec("[a-c0-1/é\u{10FFFF}\u{0}]{0,6}|\\PC{0,8}", 2),
            seen in prop::collection::vec("\\PC{0,8}", 0..4),
            take in 0_usize..4,
            bounded: bool,
        ) {
            keys.sort();
            let mut alphabet = Alphabet::default();
            for key in &seen {
                alphabet.learn(&Key::from(key.as_str()));
            }
            let (low, high) = (keys[0].as_str(), keys[1].as_str());
            let prefix: String = low.chars().take(take).collect();
            let until = bounded.then(|| Key::from(high));
            let found = middle(&Key::from(low), until.as_ref(), &Key::from(prefix.as_str()), &alphabet);
            let lowest_above = format!("{low}\0");
            match found {
                Some(found) => {
                    let text = found.as_str().unwrap();
                    prop_assert!(text > low && text.starts_with(&prefix) && text.len() <= OSS_KEY_BYTES_MAX);
                    prop_assert!(until.is_none_or(|until| found < until));
                }
                None => prop_assert!(bounded && *high <= *lowest_above),
            }
        }
    }
}
