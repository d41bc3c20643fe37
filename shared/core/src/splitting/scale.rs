//! Keys as numbers.

use super::Alphabet;

/// Numbers stay below this, so that sums of two fit in 128 bits.
const NUMBER_MAX: u128 = 1 << 110;

/// Turns keys that share a stem into numbers and back. Each place after the stem is a digit: 0 where
/// the key has ended, then the alphabet's characters. Order is kept, up to the precision.
pub(super) struct Scale {
    stem: String,
    places: Vec<Vec<char>>,
    /// One more than the largest number.
    end: u128,
}

impl Scale {
    /// A scale for keys between two that begin with `prefix`; `high` `None` is the end of the prefix's
    /// keys.
    pub(super) fn new(prefix: &str, low: &str, high: Option<&str>, alphabet: &Alphabet) -> Self {
        let stem = high.map_or(prefix, |high| common(low, high));
        let stem_places = stem.chars().count();
        let mut lows = low[stem.len()..].chars();
        let mut highs = high.map_or("", |high| &high[stem.len()..]).chars();
        let (mut places, mut end) = (Vec::new(), 1_u128);
        for place in stem_places.. {
            let characters = alphabet.at(place, [lows.next(), highs.next()].into_iter().flatten());
            let base = characters.len() as u128 + 1;
            if end * base > NUMBER_MAX {
                break;
            }
            end *= base;
            places.push(characters);
        }
        Self { stem: stem.to_owned(), places, end }
    }

    /// The number of a key that begins with the stem, rounded down.
    pub(super) fn number(&self, key: &str) -> u128 {
        let mut characters = key[self.stem.len()..].chars();
        let (mut number, mut exact) = (0, true);
        for place in &self.places {
            let mut digit = 0;
            if let Some(c) = characters.next().filter(|_| exact) {
                // A character unknown here counts as the next one below it, to its end.
                digit = place.partition_point(|known| *known <= c);
                exact = digit > 0 && place[digit - 1] == c;
            } else if !exact {
                digit = place.len();
            }
            number = number * (place.len() as u128 + 1) + digit as u128;
        }
        number
    }

    /// The number above all keys of the stem.
    pub(super) fn end(&self) -> u128 {
        self.end
    }

    /// A short key about halfway that fits. Cut to fewer characters a key becomes smaller, so only as
    /// far as a sixteenth of the way.
    pub(super) fn halfway(
        &self,
        low: &str,
        high: Option<&str>,
        fits: impl Fn(&String) -> bool,
    ) -> Option<String> {
        let (low, high) = (self.number(low), high.map_or(self.end, |high| self.number(high)));
        let half = low + high.checked_sub(low)? / 2;
        let near = half - (half - low) / 8;
        let digits = self.digits(half);
        for count in 1..=digits.len() {
            let key = self.key(&digits[..count]);
            if self.number(&key) >= near && fits(&key) {
                return Some(key);
            }
        }
        None
    }

    fn digits(&self, mut number: u128) -> Vec<usize> {
        let mut digits = vec![0; self.places.len()];
        for (digit, place) in digits.iter_mut().zip(&self.places).rev() {
            let base = place.len() as u128 + 1;
            *digit = usize::try_from(number % base).unwrap_or(place.len());
            number /= base;
        }
        digits
    }

    /// The key of these digits. One that goes on after its end goes on with the lowest character.
    fn key(&self, digits: &[usize]) -> String {
        let mut key = self.stem.clone();
        let ends_at = digits.iter().rposition(|digit| *digit > 0).map_or(0, |last| last + 1);
        for (digit, place) in digits[..ends_at].iter().zip(&self.places) {
            key.push(place[digit.saturating_sub(1)]);
        }
        key
    }
}

/// The characters that both begin with.
pub(super) fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    &one[..same.map(|(c, _)| c.len_utf8()).sum()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_keep_the_order_of_keys(
            mut keys in prop::collection::vec("[a-z0-9é/]{0,12}", 3),
        ) {
            keys.sort();
            let scale = Scale::new("", &keys[0], Some(&keys[2]), &Alphabet::default());
            let within = common(&keys[0], &keys[2]);
            prop_assert!(keys[1].starts_with(within));
            let numbers: Vec<u128> = keys.iter().map(|key| scale.number(key)).collect();
            prop_assert!(numbers.is_sorted(), "{:?}", numbers);
            prop_assert!(numbers[2] < scale.end());
        }
    }
}
