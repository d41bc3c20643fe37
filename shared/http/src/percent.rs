//! Percent-encoding of bytes, in the one spelling that S3 and OSS sign: unreserved characters stand
//! for themselves, all others as `%XX` in upper case.

/// Which bytes besides `A-Za-z0-9-._~` stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slash {
    /// `/` as well: a key in a path.
    Kept,
    /// None: a component of a query.
    Encoded,
}

/// Appends the encoded bytes.
pub fn push_encoded(out: &mut String, bytes: &[u8], slash: Slash) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (byte == b'/' && slash == Slash::Kept);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// A key as it stands in a path: `/` kept, dot segments and doubled slashes as they are.
pub fn encode_key(key: &[u8]) -> String {
    let mut out = String::with_capacity(key.len() + 16);
    push_encoded(&mut out, key, Slash::Kept);
    out
}

/// A name or value as it stands in a query.
pub fn encode_component(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    push_encoded(&mut out, bytes, Slash::Encoded);
    out
}

/// Appends `name=value` to a query, and `&` before it where something stands there already. A value
/// of `None` leaves the `=` out.
pub fn push_query(query: &mut String, name: &str, value: Option<&[u8]>) {
    if !query.is_empty() && !query.ends_with('?') {
        query.push('&');
    }
    push_encoded(query, name.as_bytes(), Slash::Encoded);
    if let Some(value) = value {
        query.push('=');
        push_encoded(query, value, Slash::Encoded);
    }
}

/// What a `+` stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plus {
    /// Itself: paths.
    Plus,
    /// A space: forms and the listings of the S3 family and OSS.
    Space,
}

/// Takes the encoding off. `None` where a `%` is not followed by two hex digits.
pub fn decode(text: &[u8], plus: Plus) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        out.push(match byte {
            b'%' => {
                let [high, low, after @ ..] = tail else { return None };
                rest = after;
                digit(*high)? << 4 | digit(*low)?
            }
            b'+' if plus == Plus::Space => b' ',
            byte => *byte,
        });
    }
    Some(out)
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same_bytes(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode_key(&bytes).as_bytes(), Plus::Plus), Some(bytes.clone()));
            prop_assert_eq!(
                decode(encode_component(&bytes).as_bytes(), Plus::Space),
                Some(bytes)
            );
        }
    }

    #[test]
    fn only_unreserved_characters_stand_for_themselves() {
        assert_eq!(encode_key("a//b/../.~-_ +%!é".as_bytes()), "a//b/../.~-_%20%2B%25%21%C3%A9");
        assert_eq!(encode_component(b"a/b"), "a%2Fb");
        let mut query = String::from("/bucket?");
        push_query(&mut query, "uploads", None);
        push_query(&mut query, "prefix", Some(b"a b"));
        assert_eq!(query, "/bucket?uploads&prefix=a%20b");
    }

    #[test]
    fn a_broken_escape_is_not_guessed_at() {
        for broken in ["%", "%2", "%zz", "a%+1"] {
            assert_eq!(decode(broken.as_bytes(), Plus::Plus), None, "{broken}");
        }
        assert_eq!(decode(b"a+b%2b", Plus::Space).unwrap(), b"a b+");
        assert_eq!(decode(b"a+b", Plus::Plus).unwrap(), b"a+b");
    }
}
