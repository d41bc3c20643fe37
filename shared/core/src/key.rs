//! Object keys: bytes, ordered as bytes, spelled as text without loss.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// OSS holds keys of 1 to 1,023 bytes (naming page of the OSS manual, 2021; unchanged 2026).
pub const OSS_KEY_BYTES_MAX: usize = 1_023;

/// An object's key, byte for byte. Orders as S3, COS and OSS list: by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(Bytes);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key as text, where it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the key begins with `prefix`.
    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        self.0.starts_with(prefix)
    }

    /// The key under another prefix: `from` cut off, `to` put in front.
    ///
    /// Returns `None` when the key does not begin with `from`.
    pub fn moved(&self, from: &[u8], to: &[u8]) -> Option<Self> {
        let rest = self.0.strip_prefix(from)?;
        if from == to {
            return Some(self.clone());
        }
        let mut bytes = Vec::with_capacity(to.len() + rest.len());
        bytes.extend_from_slice(to);
        bytes.extend_from_slice(rest);
        Some(Self::new(bytes))
    }

    /// A spelling for rows and messages: UTF-8 as it is, but control characters, `%` and bytes
    /// that are not UTF-8 as `%XX`. [`Key::from_text`] gives the same key back.
    pub fn to_text(&self) -> Cow<'_, str> {
        let plain = |c: char| !c.is_control() && c != '%';
        if let Some(text) = self.as_str()
            && text.chars().all(plain)
        {
            return Cow::Borrowed(text);
        }
        let mut text = String::with_capacity(self.len() + 8);
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if plain(c) {
                    text.push(c);
                } else {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        push_escape(&mut text, byte);
                    }
                }
            }
            for byte in chunk.invalid() {
                push_escape(&mut text, *byte);
            }
        }
        Cow::Owned(text)
    }

    /// Reads the spelling of [`Key::to_text`]. A `%` without two hex digits stands for itself.
    pub fn from_text(text: &str) -> Self {
        if !text.contains('%') {
            return Self::new(text.as_bytes().to_vec());
        }
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let escape = (bytes[at] == b'%')
                .then(|| text.get(at + 1..at + 3))
                .flatten()
                // A sign would be read as part of a number.
                .filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|hex| u8::from_str_radix(hex, 16).ok());
            if let Some(byte) = escape {
                out.push(byte);
                at += 3;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        Self::new(out)
    }

    /// A valid UTF-8 key that sorts before this one with few or no keys between, so that a listing
    /// *after* it begins *at* this key. `None` where there is none (the empty key).
    ///
    /// Falls back to a shorter prefix where the exact neighbour would be longer than OSS accepts.
    pub fn just_before(&self) -> Option<Self> {
        let text = self.as_str()?;
        let last = text.chars().next_back()?;
        let stem = &text[..text.len() - last.len_utf8()];
        if last == '\0' {
            return Some(Self::from(stem));
        }
        let lower = match last {
            '\u{E000}' => '\u{D7FF}',
            _ => char::from_u32(last as u32 - 1).expect("only the surrogates are a gap"),
        };
        let neighbour = format!("{stem}{lower}\u{10FFFF}");
        Some(if neighbour.len() > OSS_KEY_BYTES_MAX {
            Self::from(stem)
        } else {
            Self::new(neighbour)
        })
    }

    /// Why OSS cannot hold an object of this key, if it cannot (naming page of the OSS manual).
    pub fn oss_objection(&self) -> Option<&'static str> {
        match self.as_bytes() {
            [] => Some("the key is empty"),
            [b'/', ..] => Some("the key begins with /"),
            [b'\\', ..] => Some("the key begins with \\"),
            bytes if bytes.len() > OSS_KEY_BYTES_MAX => Some("the key is longer than 1,023 bytes"),
            bytes if std::str::from_utf8(bytes).is_err() => Some("the key is not UTF-8"),
            _ => None,
        }
    }
}

fn push_escape(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(HEX[usize::from(byte >> 4)] as char);
    text.push(HEX[usize::from(byte & 15)] as char);
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.to_text())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_text(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_text_of_a_key_gives_the_key_back(bytes: Vec<u8>) {
            let key = Key::new(bytes);
            prop_assert_eq!(Key::from_text(&key.to_text()), key);
        }

        #[test]
        fn the_neighbour_below_is_below_and_not_longer_than_oss_accepts(text in "\\PC{1,40}") {
            let key = Key::from(text.as_str());
            let below = key.just_before().unwrap();
            prop_assert!(below < key);
            prop_assert!(below.as_str().is_some());
        }
    }

    #[test]
    fn a_percent_sign_without_two_hex_digits_stands_for_itself() {
        for text in ["100%", "%+f", "%-1", "%g0", "%é"] {
            assert_eq!(Key::from_text(text), Key::from(text));
        }
        assert_eq!(Key::from_text("%ff%41"), Key::new(vec![0xff, b'A']));
    }

    #[test]
    fn the_neighbour_below_leaves_no_room_for_ordinary_keys() {
        let below = Key::from("a/b5").just_before().unwrap();
        assert!(Key::from("a/b4zzzz") < below && below < Key::from("a/b5"));
        assert_eq!(Key::from("a\0").just_before(), Some(Key::from("a")));
        assert_eq!(Key::from("").just_before(), None);
        let long = Key::new(vec![b'x'; 1_023]);
        assert_eq!(long.just_before().unwrap().len(), 1_022);
    }

    #[test]
    fn oss_refuses_keys_by_name() {
        for (key, held) in [
            (&b"a//b"[..], true),
            (b"../x", true),
            (b".", true),
            (b"a/", true),
            (b"\x01", true),
            (b"", false),
            (b"/a", false),
            (b"\\a", false),
            (b"\xff", false),
        ] {
            assert_eq!(Key::new(key.to_vec()).oss_objection().is_none(), held, "{key:?}");
        }
        assert!(Key::new(vec![b'k'; 1_023]).oss_objection().is_none());
        assert!(Key::new(vec![b'k'; 1_024]).oss_objection().is_some());
    }
}
