//! A folder of this machine to OSS: names of every kind, links, and what is no file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use ossferry_conformance::special_keys;
use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;

use super::{assert_target, count, run};

/// Whether a file can have that path.
fn is_path(key: &Key) -> bool {
    let mut names = key.as_bytes().split(|byte| *byte == b'/');
    names.all(|name| !matches!(name, b"" | b"." | b"..") && name.len() <= 255)
}

fn write(folder: &Path, key: &Key, bytes: &Bytes) {
    let path = folder.join(OsStr::from_bytes(key.as_bytes()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_arrives_whole_and_nothing_from_outside_it() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), b"not of the folder").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    let mut keys: Vec<Key> = special_keys("special/").into_iter().filter(is_path).collect();
    keys.extend([".hidden", "empty", "d/e/f.json", "d-e", "d.e/f"].map(Key::from));
    for key in keys {
        // `a/b` makes a folder of `a`, so that no file `a` stands beside it.
        let bytes = bytes_of(&key, 1, if key == Key::from("empty") { 0 } else { 300 });
        write(folder.path(), &key, &bytes);
        expected.insert(key, bytes);
    }
    let large = Key::from("large.bin");
    let bytes = bytes_of(&large, 1, 3 << 20);
    write(folder.path(), &large, &bytes);
    expected.insert(large, bytes);
    // A link to a file of the folder is an object; one that leads out, or to a folder, is none.
    symlink("d-e", folder.path().join("link")).unwrap();
    expected.insert(Key::from("link"), expected[&Key::from("d-e")].clone());
    symlink(outside.path().join("secret"), folder.path().join("way out")).unwrap();
    symlink(outside.path(), folder.path().join("way out too")).unwrap();
    symlink("d", folder.path().join("link to a folder")).unwrap();
    symlink("nowhere", folder.path().join("broken link")).unwrap();
    std::fs::create_dir(folder.path().join("empty folder")).unwrap();
    write(folder.path(), &Key::new(&b"not \xff utf-8"[..]), &Bytes::from_static(b"x"));

    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_folder(folder.path(), &oss)
        .limits("split_bytes = 1048576\npart_bytes = 1048576");
    let ossferry = Ossferry::new(&job);
    let first = run(&ossferry, 0).await;
    let total = expected.len() as u64;
    assert_eq!((first.copied, first.unsupported, first.failed), (total, 1, 0), "{first:?}");
    assert_target(&oss, &expected).await;
    let failures =
        ossferry.run(&["report", "--job", "job.toml", "--format", "csv"]).await.expect(0);
    assert!(failures.stdout.contains("not %FF utf-8"), "{}", failures.stdout);
    let json = oss.target().head(&Key::from("d/e/f.json")).await.unwrap();
    assert_eq!(json.headers.content_type.as_deref(), Some("application/json"));

    let again = run(&ossferry, 0).await;
    assert_eq!((again.skipped, again.copied), (total, 0), "{again:?}");
    assert_eq!(count(&again.requests.target, "PutObject"), 0);
    let key = Key::from("d-e");
    let bytes = bytes_of(&key, 2, 300);
    write(folder.path(), &key, &bytes);
    expected.insert(key, bytes.clone());
    expected.insert(Key::from("link"), bytes);
    let third = run(&ossferry, 0).await;
    assert_eq!((third.skipped, third.copied), (total - 2, 2), "{third:?}");
    assert_target(&oss, &expected).await;
}
