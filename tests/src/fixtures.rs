//! Keys that are hard to carry, and bytes that are the same for the same object.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{StreamExt, stream};
use ossferry_core::crc::crc64_ecma;
use ossferry_core::key::Key;
use ossferry_core::ports::ObjectBody;

/// Bytes of one frame of a [`body`].
const FRAME_BYTES: usize = 64 << 10;

/// The bytes of an object: the same for the same key, version and size, others for any other.
pub fn bytes_of(key: &Key, version: u64, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    let seed = crc64_ecma(key.as_bytes()) ^ version.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}

/// Bytes as a stream of frames.
pub fn body(bytes: &Bytes) -> ObjectBody {
    let bytes = bytes.clone();
    let frames = (0..bytes.len()).step_by(FRAME_BYTES).map(move |start| {
        let end = (start + FRAME_BYTES).min(bytes.len());
        Ok(bytes.slice(start..end))
    });
    stream::iter(frames).boxed()
}

/// Keys that clients, proxies and file systems like to change on the way, under a prefix.
pub fn special_keys(prefix: &str) -> Vec<Key> {
    let rests = [
        "a//b",
        "a///",
        "../x",
        "a/../b",
        "a/./b",
        ".",
        "..",
        "./",
        "folder/",
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
        "UPPER",
        "upper",
        "a-b",
        "a.b/c",
        "a/b",
    ];
    let mut keys: Vec<Key> =
        rests.iter().map(|rest| Key::from(format!("{prefix}{rest}"))).collect();
    let room = 1_023 - prefix.len();
    keys.push(Key::from(format!("{prefix}{}", "k".repeat(room))));
    keys.push(Key::from(format!("{prefix}{}", "\u{e9}".repeat(room / 2))));
    // Each segment short enough for a file system.
    let segments = format!("{}/", "s".repeat(199)).repeat(6);
    keys.push(Key::from(format!("{prefix}{}z", &segments[..room - 1])));
    keys
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_owned()
}

/// A program that `tests/setup` installs. Panics with the remedy where it is missing: a test that is
/// skipped proves nothing.
pub fn installed(program: &str) -> PathBuf {
    let path = root().join("target/venv/bin").join(program);
    assert!(path.exists(), "{} is missing: run tests/setup", path.display());
    path
}

/// A binary of this workspace, built with the profile of the tests. Panics with the remedy where it
/// is missing.
pub fn built(program: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a process knows where it is");
    // A test stands in a folder below the programs, another program beside them.
    let path = this.ancestors().skip(1).take(2).map(|folder| folder.join(program));
    let path = path.into_iter().find(|path| path.exists()).unwrap_or_else(|| program.into());
    assert!(
        path.exists(),
        "{} is missing: run cargo build --bins --workspace (with the profile of the tests)",
        path.display()
    );
    path
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
        assert!(keys.iter().any(|key| key.len() == 1_023));
    }

    #[test]
    fn bytes_are_the_same_for_the_same_object_only() {
        let (a, b) = (Key::from("a"), Key::from("b"));
        assert_eq!(bytes_of(&a, 1, 100), bytes_of(&a, 1, 100));
        assert_ne!(bytes_of(&a, 1, 100), bytes_of(&a, 2, 100));
        assert_ne!(bytes_of(&a, 1, 100), bytes_of(&b, 1, 100));
    }
}
