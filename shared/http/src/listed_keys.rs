//! The keys of one page of a listing: in one piece of memory, however many they are.

use std::ops::Range;

use bytes::Bytes;
use ossferry_core::key::Key;

use crate::percent::Plus;

/// Collects keys as a page lists them. Whether they are encoded the page may say at its end.
#[derive(Debug, Default)]
pub struct ListedKeys {
    /// One after the other.
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

/// A key with a `%` that two hex digits do not follow. It is not guessed at: it would name another
/// object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a key with a broken escape")]
pub struct BrokenEscape;

impl ListedKeys {
    /// Takes the next key as it is spelled.
    pub fn push(&mut self, text: &str) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        self.ranges.push(start..self.bytes.len());
    }

    /// Takes the encoding off every key, in place: none grows.
    pub fn decode(&mut self, plus: Plus) -> Result<(), BrokenEscape> {
        let mut end = 0;
        for range in &mut self.ranges {
            let start = end;
            end = decode_to(&mut self.bytes, range.clone(), start, plus)?;
            *range = start..end;
        }
        self.bytes.truncate(end);
        Ok(())
    }

    /// The keys in their order, which share their memory.
    pub fn into_keys(self) -> impl Iterator<Item = Key> {
        let bytes = Bytes::from(self.bytes);
        self.ranges.into_iter().map(move |range| Key::new(bytes.slice(range)))
    }
}

/// Decodes `range` of `bytes` to `at`, which is not after it, and returns where the decoded bytes end.
fn decode_to(
    bytes: &mut [u8],
    range: Range<usize>,
    mut at: usize,
    plus: Plus,
) -> Result<usize, BrokenEscape> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut from = range.start;
    while from < range.end {
        let (byte, length) = match bytes[from..range.end] {
            [b'+', ..] if plus == Plus::Space => (b' ', 1),
            [b'%', high, low, ..] => {
                let (high, low) = hex(high).zip(hex(low)).ok_or(BrokenEscape)?;
                (high << 4 | low, 3)
            }
            [b'%', ..] => return Err(BrokenEscape),
            [byte, ..] => (byte, 1),
            [] => break,
        };
        bytes[at] = byte;
        at += 1;
        from += length;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::percent::encode_component;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_back_as_they_were_before_they_were_encoded(keys: Vec<Vec<u8>>) {
            let mut listed = ListedKeys::default();
            for key in &keys {
                listed.push(&encode_component(key).replace("%20", "+"));
            }
            listed.decode(Plus::Space).unwrap();
            let found: Vec<_> = listed.into_keys().map(|key| key.as_bytes().to_vec()).collect();
            prop_assert_eq!(found, keys);
        }
    }

    #[test]
    fn a_broken_escape_of_any_key_is_an_error() {
        for broken in ["a%zz", "a%2", "%"] {
            let mut listed = ListedKeys::default();
            listed.push("good%20");
            listed.push(broken);
            listed.push("20");
            assert_eq!(listed.decode(Plus::Space), Err(BrokenEscape), "{broken}");
        }
    }

    #[test]
    fn keys_that_are_not_encoded_are_left_as_they_are() {
        let mut listed = ListedKeys::default();
        listed.push("a+b%2B");
        assert_eq!(listed.into_keys().next(), Some(Key::from("a+b%2B")));
    }
}
