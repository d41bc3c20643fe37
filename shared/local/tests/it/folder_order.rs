//! The order of a folder's listing against the sorted keys.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_core::time::Clock;
use ossferry_local::FolderSource;
use proptest::prelude::*;

use crate::clock;
use crate::folder::{folder, write};

async fn list(source: &FolderSource, prefix: &str, start: ListStart, keys_max: u32) -> Vec<Key> {
    let request = ListRequest { prefix: Key::from(prefix), start, keys_max };
    source.list(&request).await.unwrap().entries.into_iter().map(|entry| entry.key).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Paths of short names, of the letters around `/` in the order of bytes.
fn paths() -> impl Strategy<Value = BTreeSet<String>> {
    let name = "[ab!./0-]{1,2}"
        .prop_filter("no name", |name| !name.contains('/') && name != "." && name != "..");
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    prop::collection::btree_set(path, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_tree_is_listed_as_its_sorted_keys(
        paths in paths(),
        prefix in "[ab/.0-]{0,3}",
        start in "[ab!/.0-]{0,4}",
        keys_max in 1_u32..8,
    ) {
        let (folder, source) = folder();
        let mut held = BTreeSet::new();
        for path in paths {
            // A file can't lie where a folder is, nor under a file.
            let place = folder.path().join(&path);
            let made = fs::create_dir_all(place.parent().unwrap());
            if made.and_then(|()| fs::write(place, b"")).is_ok() {
                held.insert(Key::from(path));
            }
        }
        let runtime = runtime();
        let expected: Vec<_> =
            held.iter().filter(|key| key.starts_with(prefix.as_bytes())).cloned().collect();

        let mut listed = Vec::new();
        let mut next = ListStart::Beginning;
        loop {
            let request = ListRequest {
                prefix: Key::from(prefix.as_str()),
                start: next,
                keys_max,
            };
            let page = runtime.block_on(source.list(&request)).unwrap();
            listed.extend(page.entries.into_iter().map(|entry| entry.key));
            match page.next {
                Some(token) => next = ListStart::Token(token),
                None => break,
            }
        }
        prop_assert_eq!(&listed, &expected);

        let start = Key::from(start);
        let after = ListStart::After(start.clone());
        let listed = runtime.block_on(list(&source, &prefix, after, keys_max));
        let later = expected.iter().filter(|key| **key > start).take(keys_max as usize);
        prop_assert!(listed.iter().eq(later), "after {}: {:?}", start, listed);
    }
}

#[tokio::test]
async fn a_large_flat_folder_is_kept_and_read_again_once_it_changes() {
    let (folder, _) = folder();
    let root = folder.path();
    for number in 0..2_500 {
        write(&root.join(format!("{number:05}")), b"");
    }
    // Read long after the last change, as far as the source knows.
    let system = clock();
    let later: Clock = std::sync::Arc::new(move || system().plus(Duration::from_mins(1)));
    let source = FolderSource::open(root, later).unwrap();
    let pages = async || {
        let (mut keys, mut start) = (Vec::new(), ListStart::Beginning);
        loop {
            let page = list(&source, "", start, 1_000).await;
            let Some(last) = page.last().cloned() else { return keys };
            keys.extend(page);
            start = ListStart::After(last);
        }
    };
    assert_eq!(pages().await.len(), 2_500);
    assert_eq!(pages().await.len(), 2_500);
    // Longer after the reading than the step of the file system's clock.
    tokio::time::sleep(Duration::from_millis(20)).await;
    write(&root.join("00000-new"), b"");
    fs::remove_file(root.join("00001")).unwrap();
    fs::write(root.join("00002"), b"grown").unwrap();
    let keys = pages().await;
    assert_eq!(keys.len(), 2_500);
    assert_eq!(keys[..3], ["00000", "00000-new", "00002"].map(Key::from));
    assert_eq!(source.head(&Key::from("00002")).await.unwrap().size, 5);
}

#[tokio::test]
async fn a_folder_that_may_not_be_read_is_an_error_and_no_gap() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, source) = folder();
    let closed = folder.path().join("closed");
    write(&closed.join("file"), b"1");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let request = ListRequest { prefix: Key::from(""), start: ListStart::Beginning, keys_max: 9 };
    let listed = source.list(&request).await;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    match listed {
        Err(error) => assert_eq!(error.kind, ossferry_core::error::ErrorKind::AccessDenied),
        // Root may read everything.
        Ok(page) => assert_eq!(page.entries.len(), 1),
    }
}
