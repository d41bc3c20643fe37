//! Bytes that are the same for the same object, and where the programs are that tests start.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{StreamExt, stream};
use ossferry_core::crc::crc64_ecma;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
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

/// Each header that an object carries, and metadata that clients like to decode.
pub fn every_header() -> ObjectHeaders {
    ObjectHeaders {
        content_type: Some("text/css".to_owned()),
        cache_control: Some("max-age=60".to_owned()),
        content_disposition: Some("attachment; filename=\"a b\"".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_language: Some("de".to_owned()),
        expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".to_owned()),
        user_metadata: vec![("owner".to_owned(), "a + b %41".to_owned())],
    }
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

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_owned()
}

/// A program that `tests/setup` installs. Panics with the remedy where it is missing: a test that is
/// skipped proves nothing.
pub fn installed(program: &str) -> PathBuf {
    installed_in("target/venv/bin", program)
}

/// A program that builds, checks or deploys the functions, as [`installed`] is.
pub fn deploying(program: &str) -> PathBuf {
    installed_in("target/sam-venv/bin", program)
}

/// A program that judges what is deployed on Alibaba Cloud, as [`installed`] is.
pub fn judging_alibaba(program: &str) -> PathBuf {
    installed_in("target/alibaba-venv/bin", program)
}

fn installed_in(folder: &str, program: &str) -> PathBuf {
    let path = root().join(folder).join(program);
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
    use super::*;

    #[test]
    fn bytes_are_the_same_for_the_same_object_only() {
        let (a, b) = (Key::from("a"), Key::from("b"));
        assert_eq!(bytes_of(&a, 1, 100), bytes_of(&a, 1, 100));
        assert_ne!(bytes_of(&a, 1, 100), bytes_of(&a, 2, 100));
        assert_ne!(bytes_of(&a, 1, 100), bytes_of(&b, 1, 100));
    }
}
