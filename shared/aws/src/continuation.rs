//! Continuation tokens that XML could not carry.
//!
//! To most stores a token is opaque text. To some (SeaweedFS 4) it is the last key, and a key may hold
//! control characters, for which XML has no spelling: the store writes U+FFFD in their place, and a listing
//! that went on from there would pass over every key up to U+FFFD without a word.

use ossferry_core::key::Key;

/// What stands in a document for a character that it cannot hold.
const REPLACED: char = '\u{FFFD}';

/// A token that leads to another place than the store meant, and cannot be set right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damaged;

/// The token as the store meant it, given the last key of its page.
pub(crate) fn whole_token(token: String, last: Option<&Key>) -> Result<String, Damaged> {
    let Some(last) = last.and_then(Key::as_str) else { return Ok(token) };
    let replaced = |text: &str| text.matches(REPLACED).count();
    if replaced(&token) <= replaced(last) {
        return Ok(token);
    }
    // The key, or the end of it: the same with each character that XML lacks.
    let skipped = last.chars().count().checked_sub(token.chars().count()).ok_or(Damaged)?;
    let meant: String = last.chars().skip(skipped).collect();
    let is_meant = meant.chars().map(as_in_xml).eq(token.chars());
    if is_meant { Ok(meant) } else { Err(Damaged) }
}

/// XML 1.0, section 2.2: of the control characters below a space only these three.
fn as_in_xml(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'.. => character,
        _ => REPLACED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_the_last_key_gets_its_control_characters_back() {
        for (token, last, meant) in [
            ("opaque==", "a/control\u{1f}", "opaque=="),
            ("a/control\u{FFFD}", "a/control\u{1f}", "a/control\u{1f}"),
            ("control\u{FFFD}", "a/control\u{1f}", "control\u{1f}"),
            ("\u{FFFD}\u{FFFD}\t", "\u{1}\u{FFFD}\t", "\u{1}\u{FFFD}\t"),
            ("\u{FFFD}", "\u{FFFD}", "\u{FFFD}"),
        ] {
            let found = whole_token(token.to_owned(), Some(&Key::from(last)));
            assert_eq!(found.as_deref(), Ok(meant), "{token:?} {last:?}");
        }
        assert_eq!(whole_token("a\u{FFFD}".to_owned(), None).as_deref(), Ok("a\u{FFFD}"));
    }

    #[test]
    fn a_damaged_token_that_nothing_explains_is_an_error() {
        for (token, last) in [("b\u{FFFD}", "a\u{1}"), ("aa\u{FFFD}", "a\u{1}"), ("\u{FFFD}", "a")]
        {
            assert_eq!(whole_token(token.to_owned(), Some(&Key::from(last))), Err(Damaged));
        }
    }
}
