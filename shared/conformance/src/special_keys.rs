//! Keys that are hard to carry.

use ossferry_core::key::Key;

/// Bytes of the longest key that OSS and S3 hold.
const KEY_BYTES_MAX: usize = 1_023;

/// What follows the prefix.
const RESTS: [&str; 42] = [
    "a//b",
    "a///",
    "../x",
    "a/../b",
    "a/./b",
    ".",
    "..",
    "./",
    "folder/",
    "/leading",
    " space",
    "space ",
    "two  spaces",
    "+",
    "%",
    "%2F",
    "%2f",
    "a+b%20c",
    "?query=1&b",
    "#fragment",
    "a;b=c,d:e@f$g!h*i'(j)",
    "\"quotes\"",
    "<tag>&amp;</tag>",
    "back\\slash",
    "[b]{c}|^`~",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{65e5}\u{672c}\u{8a9e}",
    "\u{1F680}",
    "\u{1F468}\u{200D}\u{1F469}",
    "\u{FFFD}",
    "control\u{1}",
    "control\u{1f}",
    "control\u{7f}",
    "tab\tand\nline\r",
    "index.html",
    "UPPER",
    "upper",
    "a-b",
    "a.b/c",
    "a/b",
    "a0",
];

/// Keys that clients, proxies and file systems like to change on the way, below a prefix that ends with
/// a slash. OSS holds each of them; a file system does not.
pub fn special_keys(prefix: &str) -> Vec<Key> {
    let mut keys: Vec<Key> =
        RESTS.iter().map(|rest| Key::from(format!("{prefix}{rest}"))).collect();
    let room = KEY_BYTES_MAX - prefix.len();
    keys.push(Key::from(format!("{prefix}{}", "k".repeat(room))));
    keys.push(Key::from(format!("{prefix}{}", "\u{e9}".repeat(room / 2))));
    // A file system holds names of 255 bytes, but longer paths.
    let segments = format!("{}/", "s".repeat(199)).repeat(6);
    keys.push(Key::from(format!("{prefix}{}z", &segments[..room - 1])));
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn special_keys_differ_and_fit_oss() {
        let keys = special_keys("p/");
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        for key in &keys {
            assert_eq!(key.oss_objection(), None, "{key}");
        }
        assert!(keys.iter().any(|key| key.len() == KEY_BYTES_MAX));
    }
}
