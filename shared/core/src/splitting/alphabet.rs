//! The characters that keys use, place by place.

use std::collections::BTreeSet;

use crate::key::Key;

/// Places looked at one by one. Further on one alphabet serves for all.
const PLACES_MAX: usize = 96;

/// Rare characters remembered at a place.
const OTHERS_MAX: usize = 64;

const DIGITS: u8 = 1;
const LOWER_HEX: u8 = 2;
const LOWER: u8 = 4;
const UPPER_HEX: u8 = 8;
const UPPER: u8 = 16;

/// The characters that listed keys use, place by place, completed to whole classes: where a page
/// showed `0` and `3` the next will show `7`.
#[derive(Clone, Debug, Default)]
pub struct Alphabet {
    places: Vec<Seen>,
    anywhere: Seen,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    classes: u8,
    others: BTreeSet<char>,
}

impl Alphabet {
    /// Takes the characters of a key in. A few keys of each page are enough.
    pub fn learn(&mut self, key: &Key) {
        let Some(text) = key.as_str() else { return };
        for (place, c) in text.chars().enumerate() {
            self.anywhere.add(c);
            if place < PLACES_MAX {
                if place == self.places.len() {
                    self.places.push(Seen::default());
                }
                self.places[place].add(c);
            }
        }
    }

    /// The characters to expect at a place (from 0), ascending, these among them. Never empty.
    pub(super) fn at(&self, place: usize, these: impl IntoIterator<Item = char>) -> Vec<char> {
        let mut seen = self.places.get(place).unwrap_or(&self.anywhere).clone();
        let exact: BTreeSet<char> = these.into_iter().collect();
        for c in &exact {
            seen.add(*c);
        }
        if seen.classes == 0 && seen.others.is_empty() {
            seen.classes = DIGITS | LOWER;
        }
        let mut characters = seen.completed();
        characters.extend(exact);
        characters.into_iter().collect()
    }
}

impl Seen {
    fn add(&mut self, c: char) {
        match c {
            '0'..='9' => self.classes |= DIGITS,
            'a'..='f' => self.classes |= LOWER_HEX,
            'g'..='z' => self.classes |= LOWER,
            'A'..='F' => self.classes |= UPPER_HEX,
            'G'..='Z' => self.classes |= UPPER,
            _ if self.others.len() < OTHERS_MAX => {
                self.others.insert(c);
            }
            _ => {}
        }
    }

    fn completed(self) -> BTreeSet<char> {
        let has = |class| self.classes & class != 0;
        let mut characters = self.others.clone();
        if has(DIGITS) {
            characters.extend('0'..='9');
        }
        // Letters up to f beside digits are hexadecimal, alone they begin words.
        for (hex, all, a, f, z) in
            [(LOWER_HEX, LOWER, 'a', 'f', 'z'), (UPPER_HEX, UPPER, 'A', 'F', 'Z')]
        {
            if has(all) || (has(hex) && !has(DIGITS)) {
                characters.extend(a..=z);
            } else if has(hex) {
                characters.extend(a..=f);
            }
        }
        characters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_completed_to_its_class() {
        let mut alphabet = Alphabet::default();
        for key in ["03a", "1x-", "07b"] {
            alphabet.learn(&Key::from(key));
        }
        let at = |place| alphabet.at(place, []).into_iter().collect::<String>();
        assert_eq!(at(0), "0123456789");
        assert_eq!(at(1), "0123456789abcdefghijklmnopqrstuvwxyz");
        assert_eq!(at(2), "-abcdefghijklmnopqrstuvwxyz");
        assert_eq!(at(9), "-0123456789abcdefghijklmnopqrstuvwxyz");
        assert_eq!(alphabet.at(0, ['/', 'c']).into_iter().collect::<String>(), "/0123456789abcdef");
        assert_eq!(Alphabet::default().at(0, []).len(), 36);
    }
}
