//! A listing of any length that stands nowhere: every entry is computed from its place.

use std::ops::Range;

/// Digits of a number in a key: wide enough that keys sort as their numbers do.
const NUMBER_DIGITS: usize = 10;

/// Objects of one folder, and folders of the folder above.
const FOLDER_OBJECTS: u64 = 1_000;

/// What the keys of both ends look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    /// `photos/0000001234-9f86d081.jpg`: one folder holds everything.
    Flat,
    /// `photos/0000/001/0000001234-9f86d081.jpg`: a thousand objects a folder.
    Folders,
}

/// The objects of one bucket, by their places from 0. A place's object number is what the source and
/// the target agree on: equal numbers are equal objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bucket {
    pub(crate) layout: Layout,
    /// Objects of the source: numbers lie below it.
    pub(crate) numbers: u64,
    /// The bucket holds every so many-th number, from 0. Never zero.
    pub(crate) every: u64,
}

impl Bucket {
    /// How many objects the bucket holds.
    pub(crate) fn objects(&self) -> u64 {
        self.numbers.div_ceil(self.every)
    }

    /// The object at a place.
    pub(crate) fn object(&self, place: u64) -> Object {
        Object { layout: self.layout, number: place * self.every }
    }

    /// The first place whose key sorts after this one.
    pub(crate) fn first_after(&self, key: &[u8]) -> u64 {
        self.partition_point(|candidate| candidate <= key)
    }

    /// The places of the keys that begin with `prefix`.
    pub(crate) fn under(&self, prefix: &[u8]) -> Range<u64> {
        let start = self.partition_point(|key| key < prefix);
        start..self.partition_point(|key| key < prefix || key.starts_with(prefix))
    }

    /// The first place whose key is not `before` any more. Keys are so as far as they are in order.
    fn partition_point(&self, before: impl Fn(&[u8]) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.objects());
        let mut key = Vec::new();
        while low < high {
            let middle = low + (high - low) / 2;
            key.clear();
            self.object(middle).push_key(&mut key);
            if before(&key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// One object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    layout: Layout,
    number: u64,
}

impl Object {
    /// Appends the key. Numbers come first in it, so that keys sort as they do.
    pub(crate) fn push_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"photos/");
        if self.layout == Layout::Folders {
            let folder = self.number / FOLDER_OBJECTS;
            push_decimal(out, folder / FOLDER_OBJECTS, 4);
            out.push(b'/');
            push_decimal(out, folder % FOLDER_OBJECTS, 3);
            out.push(b'/');
        }
        push_decimal(out, self.number, NUMBER_DIGITS);
        out.push(b'-');
        push_hex(out, mixed(self.number), 8);
        out.extend_from_slice(b".jpg");
    }

    /// Bytes: of photographs, always seven digits, far below what is moved in parts.
    pub(crate) fn size(&self) -> u64 {
        1_000_000 + mixed(self.number) % 4_000_000
    }

    /// Appends what has the form of an MD5.
    pub(crate) fn push_etag(&self, out: &mut Vec<u8>) {
        push_hex(out, mixed(self.number), 16);
        push_hex(out, mixed(!self.number), 16);
    }

    /// Appends a date of January 2026, as listings spell it.
    pub(crate) fn push_last_modified(&self, out: &mut Vec<u8>) {
        let hash = mixed(self.number ^ 0x5eed);
        out.extend_from_slice(b"2026-01-");
        push_decimal(out, hash % 31 + 1, 2);
        out.push(b'T');
        push_decimal(out, hash / 31 % 24, 2);
        out.push(b':');
        push_decimal(out, hash / 1_000 % 60, 2);
        out.push(b':');
        push_decimal(out, hash / 100_000 % 60, 2);
        out.extend_from_slice(b".000Z");
    }
}

/// Appends the last `digits` decimal digits.
pub(crate) fn push_decimal(out: &mut Vec<u8>, mut number: u64, digits: usize) {
    let start = out.len();
    out.resize(start + digits, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + digit_of(number % 10);
        number /= 10;
    }
}

/// Appends the highest `digits` hex digits of 16.
fn push_hex(out: &mut Vec<u8>, number: u64, digits: u32) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for digit in 0..digits {
        out.push(HEX[usize::from(digit_of(number >> (60 - 4 * digit) & 15))]);
    }
}

fn digit_of(number: u64) -> u8 {
    u8::try_from(number).expect("one digit")
}

/// Bits without a pattern (the finalizer of `SplitMix64`).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(layout: Layout, numbers: u64, every: u64) -> Bucket {
        Bucket { layout, numbers, every }
    }

    fn key(bucket: &Bucket, place: u64) -> Vec<u8> {
        let mut key = Vec::new();
        bucket.object(place).push_key(&mut key);
        key
    }

    #[test]
    fn keys_ascend_in_every_layout_and_over_the_edges_of_folders() {
        for layout in [Layout::Flat, Layout::Folders] {
            let all = bucket(layout, 20_000_000, 1);
            for around in [1, 1_000, 999_999, 1_000_000, 10_000_000, 19_999_998] {
                for place in around - 1..=around {
                    assert!(key(&all, place) < key(&all, place + 1), "{layout:?} {place}");
                }
            }
        }
    }

    #[test]
    fn a_listing_begins_at_the_first_key_after_the_one_named() {
        for (layout, every) in [(Layout::Flat, 1), (Layout::Flat, 2), (Layout::Folders, 3)] {
            let some = bucket(layout, 3_001, every);
            let objects = some.objects();
            for place in [0, 1, 499, objects - 1] {
                let named = key(&some, place);
                assert_eq!(some.first_after(&named), place + 1);
                assert_eq!(some.first_after(&named[..named.len() - 1]), place, "a shorter key");
                let below = [&named[..], b"\0"].concat();
                assert_eq!(some.first_after(&below), place + 1, "a longer key");
            }
            assert_eq!(some.first_after(b""), 0);
            assert_eq!(some.first_after(b"q"), objects);
        }
    }

    #[test]
    fn the_keys_under_a_prefix_are_those_that_begin_with_it() {
        for layout in [Layout::Flat, Layout::Folders] {
            let all = bucket(layout, 2_345, 1);
            for prefix in
                ["", "photos/", "photos/000000012", "photos/0000/001/", "p", "photoz", "a", "z"]
            {
                let prefix = prefix.as_bytes();
                let under = all.under(prefix);
                let begins = |place: &u64| key(&all, *place).starts_with(prefix);
                let want = (0..all.objects()).filter(begins).count();
                assert_eq!(under.clone().count(), want, "{layout:?} {prefix:?}");
                assert!(under.clone().all(|place| begins(&place)), "{layout:?} {prefix:?}");
            }
        }
    }

    #[test]
    fn the_target_holds_every_second_object_of_the_source_as_it_is_there() {
        let (source, target) = (bucket(Layout::Flat, 101, 1), bucket(Layout::Flat, 101, 2));
        assert_eq!((source.objects(), target.objects()), (101, 51));
        for place in 0..51 {
            assert_eq!(key(&target, place), key(&source, 2 * place));
            assert_eq!(target.object(place).size(), source.object(2 * place).size());
        }
    }

    #[test]
    fn an_entry_is_spelled_as_listings_spell_it() {
        let object = bucket(Layout::Folders, 1 << 30, 1).object(1_234_567);
        let (mut key, mut etag, mut date) = (Vec::new(), Vec::new(), Vec::new());
        object.push_key(&mut key);
        object.push_etag(&mut etag);
        object.push_last_modified(&mut date);
        let key = String::from_utf8(key).unwrap();
        assert!(key.starts_with("photos/0001/234/0001234567-") && key.len() == 39, "{key}");
        assert!(etag.len() == 32 && etag.iter().all(u8::is_ascii_hexdigit));
        let date = String::from_utf8(date).unwrap();
        assert!(date.starts_with("2026-01-") && date.len() == 24 && date.ends_with('Z'), "{date}");
    }
}
