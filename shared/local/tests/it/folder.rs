//! What only a folder must do: links, special files, files that change.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, ETag, Pin};
use ossferry_core::ports::{ListRequest, ListStart, Page, Source};
use ossferry_local::FolderSource;
use tempfile::TempDir;

use crate::clock;

pub(crate) fn folder() -> (TempDir, FolderSource) {
    let folder = tempfile::tempdir().unwrap();
    let source = FolderSource::open(folder.path(), clock()).unwrap();
    (folder, source)
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(crate) async fn list(source: &FolderSource) -> Page {
    let request =
        ListRequest { prefix: Key::from(""), start: ListStart::Beginning, keys_max: 1_000 };
    source.list(&request).await.unwrap()
}

async fn keys(source: &FolderSource) -> Vec<Key> {
    list(source).await.entries.into_iter().map(|entry| entry.key).collect()
}

async fn pin(source: &FolderSource, key: &str) -> Pin {
    Pin { etag: source.head(&Key::from(key)).await.unwrap().etag.unwrap() }
}

async fn read(source: &FolderSource, key: &str, pin: &Pin) -> Result<Vec<u8>, ErrorKind> {
    let open = source.open(&Key::from(key), pin, None).await.map_err(|error| error.kind)?;
    let frames: Vec<_> = open.body.try_collect().await.map_err(|error| error.kind)?;
    Ok(frames.concat())
}

#[tokio::test]
async fn links_lead_to_files_of_the_folder_and_never_out_of_it() {
    let (folder, source) = folder();
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("secret"), b"secret");
    let root = folder.path();
    write(&root.join("real/file"), b"inside");
    write(&root.join("real/deep/x"), b"x");
    symlink("real/file", root.join("relative")).unwrap();
    symlink(root.join("real/file"), root.join("absolute")).unwrap();
    symlink("../relative", root.join("real/chain")).unwrap();
    symlink(outside.path().join("secret"), root.join("out")).unwrap();
    symlink(outside.path(), root.join("out-folder")).unwrap();
    symlink(format!("../{}", root.file_name().unwrap().display()), root.join("self")).unwrap();
    symlink("..", root.join("real/up")).unwrap();
    symlink("real/deep", root.join("to-folder")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("circle", root.join("circle")).unwrap();
    let listed = keys(&source).await;
    let expected =
        ["absolute", "real/chain", "real/deep/x", "real/file", "relative"].map(Key::from);
    assert_eq!(listed, expected);
    for key in ["absolute", "relative", "real/chain"] {
        let pin = pin(&source, key).await;
        assert_eq!(read(&source, key, &pin).await.unwrap(), b"inside", "{key}");
    }
    let any = Pin { etag: ETag::new("any") };
    for key in [
        "out",
        "out-folder/secret",
        "self",
        "self/real/file",
        "real/up/real/file",
        "to-folder",
        "to-folder/x",
        "dangling",
        "circle",
        "../secret",
        "real/../real/file",
        "real",
        "a\0b",
    ] {
        assert_eq!(read(&source, key, &any).await, Err(ErrorKind::NoSuchKey), "{key}");
        let head = source.head(&Key::from(key)).await;
        assert_eq!(head.unwrap_err().kind, ErrorKind::NoSuchKey, "{key}");
    }
}

#[tokio::test]
async fn a_link_turned_elsewhere_is_a_changed_object() {
    let (folder, source) = folder();
    for name in ["a", "b"] {
        write(&folder.path().join(name), b"same");
    }
    symlink("a", folder.path().join("link")).unwrap();
    let pin = pin(&source, "link").await;
    fs::remove_file(folder.path().join("link")).unwrap();
    symlink("b", folder.path().join("link")).unwrap();
    assert_eq!(read(&source, "link", &pin).await, Err(ErrorKind::PreconditionFailed));
}

#[tokio::test]
async fn pipes_sockets_and_empty_folders_are_no_objects() {
    let (folder, source) = folder();
    let root = folder.path();
    fs::create_dir_all(root.join("empty/deeper")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    assert!(made.success());
    write(&root.join("file"), b"");
    assert_eq!(keys(&source).await, [Key::from("file")]);
    for key in ["pipe", "socket", "empty"] {
        let error = source.head(&Key::from(key)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSuchKey, "{key}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_utf_8_is_listed_with_its_bytes() {
    let (folder, source) = folder();
    let name = b"caf\xe9/\xff\xfe".to_vec();
    write(&folder.path().join(OsStr::from_bytes(&name)), b"latin");
    write(&folder.path().join("z"), b"1");
    let request = |start| ListRequest { prefix: Key::from(""), start, keys_max: 1 };
    let first = source.list(&request(ListStart::Beginning)).await.unwrap();
    let key = Key::new(name);
    assert_eq!(first.entries[0].key, key);
    assert!(key.oss_objection().is_some());
    assert_eq!(source.head(&key).await.unwrap().size, 5);
    let second = source.list(&request(ListStart::Token(first.next.unwrap()))).await.unwrap();
    assert_eq!(second.entries[0].key, Key::from("z"));
}

/// Opens a file of a few frames and reads the first, changes it, and reads on.
async fn change_while_read(change: impl FnOnce(&Path)) -> (usize, Option<ErrorKind>) {
    let (folder, source) = folder();
    let path = folder.path().join("file");
    write(&path, &vec![1; 1_000_000]);
    let pin = pin(&source, "file").await;
    let mut body = source.open(&Key::from("file"), &pin, None).await.unwrap().body;
    let mut bytes = body.next().await.unwrap().unwrap().len();
    change(&path);
    while let Some(frame) = body.next().await {
        match frame {
            Ok(frame) => bytes += frame.len(),
            Err(error) => return (bytes, Some(error.kind)),
        }
    }
    (bytes, None)
}

#[tokio::test]
async fn a_file_changed_while_it_is_read_never_gives_its_last_frame() {
    let changes: [fn(&Path); 4] = [
        |path| fs::write(path, vec![2; 1_000_000]).unwrap(),
        |path| fs::write(path, b"short").unwrap(),
        |path| {
            use std::io::Write;
            fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
        },
        |path| {
            // As rsync does: the old mtime is put back, but ctime can't be.
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            fs::write(path, vec![3; 1_000_000]).unwrap();
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_modified(modified).unwrap();
        },
    ];
    for change in changes {
        let (bytes, error) = change_while_read(change).await;
        assert_eq!(error, Some(ErrorKind::PreconditionFailed));
        assert!(bytes < 1_000_000, "all {bytes} bytes were given before the error");
    }
    assert_eq!(change_while_read(|_| ()).await, (1_000_000, None));
}

#[tokio::test]
async fn a_file_changed_right_after_it_was_opened_is_noticed() {
    let (folder, source) = folder();
    let path = folder.path().join("file");
    for round in 0..20_u8 {
        // Written, opened and written again as fast as can be: within one step of a coarse clock.
        write(&path, &vec![round; 300_000]);
        let pin = pin(&source, "file").await;
        let mut body = source.open(&Key::from("file"), &pin, None).await.unwrap().body;
        let first = body.next().await.unwrap().unwrap();
        write(&path, &vec![100 + round; 300_000]);
        assert!(first.iter().all(|byte| *byte == round));
        assert!(body.next().await.unwrap().is_err(), "round {round}");
    }
}

#[tokio::test]
async fn a_file_of_another_time_or_name_is_not_the_pinned_one() {
    let (folder, source) = folder();
    let path = folder.path().join("file");
    write(&path, b"first");
    let old = pin(&source, "file").await;
    assert_eq!(read(&source, "file", &old).await.unwrap(), b"first");
    // The same bytes and mtime in another file.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let copy = folder.path().join("copy");
    write(&copy, b"first");
    fs::OpenOptions::new().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
    fs::rename(&copy, &path).unwrap();
    assert_eq!(read(&source, "file", &old).await, Err(ErrorKind::PreconditionFailed));
    fs::remove_file(&path).unwrap();
    assert_eq!(read(&source, "file", &old).await, Err(ErrorKind::NoSuchKey));
}

#[tokio::test]
async fn the_date_is_the_later_of_mtime_and_ctime() {
    let (folder, source) = folder();
    let path = folder.path().join("file");
    write(&path, b"1");
    let before = clock()().minus(Duration::from_mins(1));
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    let old = source.head(&Key::from("file")).await.unwrap();
    assert!(old.last_modified.unwrap() > before, "a file unpacked with an old date looks old");
    assert_eq!(old.content_modified, Some(ossferry_core::time::Timestamp(1_000)));
    let opened = source.open(&Key::from("file"), &pin(&source, "file").await, None).await.unwrap();
    assert_eq!(opened.info.content_modified, old.content_modified, "the mtime is what is carried");
    let future = clock()().plus(Duration::from_hours(48));
    let millis = Duration::from_millis(u64::try_from(future.0).unwrap());
    file.set_modified(std::time::UNIX_EPOCH + millis).unwrap();
    assert_eq!(list(&source).await.entries[0].last_modified, Some(future));
}

#[tokio::test]
async fn a_range_is_checked_after_its_last_byte_too() {
    let (folder, source) = folder();
    let path = folder.path().join("file");
    write(&path, &vec![1; 2_000_000]);
    let pin = pin(&source, "file").await;
    let range = Some(ByteRange { start: 100, bytes: 600_000 });
    let mut body = source.open(&Key::from("file"), &pin, range).await.unwrap().body;
    body.next().await.unwrap().unwrap();
    write(&path, &vec![2; 2_000_000]);
    let rest: Result<Vec<_>, _> = body.try_collect().await;
    assert_eq!(rest.unwrap_err().kind, ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error_and_not_an_empty_listing() {
    let (folder, source) = folder();
    let path = folder.path().to_owned();
    write(&path.join("file"), b"1");
    assert_eq!(keys(&source).await.len(), 1);
    drop(folder);
    let request = ListRequest { prefix: Key::from(""), start: ListStart::Beginning, keys_max: 9 };
    assert_eq!(source.list(&request).await.unwrap_err().kind, ErrorKind::NoSuchBucket);
    let error = FolderSource::open(&path, clock()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::NoSuchBucket);
}

/// Lists a folder of which a part may not be read, by pages of this size.
async fn pages(source: &FolderSource, start: ListStart, keys_max: u32) -> Vec<Key> {
    let mut request = ListRequest { prefix: Key::from(""), start, keys_max };
    let mut keys = Vec::new();
    loop {
        let page = source.list(&request).await.unwrap();
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        let Some(next) = page.next else { return keys };
        request.start = ListStart::Token(next);
    }
}

/// Rights do not bind root: then the test runs once more as another user.
fn runs_as_another_user(test: &str) -> bool {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let place = tempfile::tempdir().unwrap();
    if fs::metadata(place.path()).unwrap().uid() != 0 {
        return false;
    }
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = place.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let mut again = std::process::Command::new(&binary);
    let done = again
        .args(["--exact", test])
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && told.contains("1 passed"), "{told}");
    true
}

#[tokio::test]
async fn what_may_not_be_read_is_listed_by_name_and_the_rest_is_walked() {
    use std::os::unix::fs::PermissionsExt;
    if runs_as_another_user("folder::what_may_not_be_read_is_listed_by_name_and_the_rest_is_walked")
    {
        return;
    }
    let (folder, source) = folder();
    let root = folder.path();
    for name in ["a", "closed/x", "closed/y/z", "names/inner/x", "names/only", "z"] {
        write(&root.join(name), b"1");
    }
    let allow = |name: &str, mode| {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    allow("closed", 0o000);
    // Its names may be read, but nothing below it may be reached.
    allow("names", 0o400);
    let expected = ["a", "closed/", "names/", "z"].map(Key::from);
    for keys_max in [1, 2, 1_000] {
        assert_eq!(pages(&source, ListStart::Beginning, keys_max).await, expected, "{keys_max}");
    }
    let holes = list(&source).await.entries;
    let hole = &holes[1];
    assert!(hole.size == 0 && hole.etag.is_none() && hole.last_modified.is_none());
    let any = Pin { etag: ETag::new("any") };
    for key in ["closed/", "names/", "names/only"] {
        let head = source.head(&Key::from(key)).await.unwrap_err();
        assert_eq!(head.kind, ErrorKind::AccessDenied, "{key}");
        assert_eq!(read(&source, key, &any).await, Err(ErrorKind::AccessDenied), "{key}");
    }
    // Where no such object may stand, the listing fails: nothing is left out without a word.
    for (prefix, start) in
        [("closed/x", ListStart::Beginning), ("", ListStart::After(Key::from("closed/x")))]
    {
        let request = ListRequest { prefix: Key::from(prefix), start, keys_max: 9 };
        let error = source.list(&request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{prefix}");
    }
    allow("closed", 0o700);
    allow("names", 0o700);
    // What was left out is not gone because it could be read later.
    let late = source.head(&Key::from("closed/")).await.unwrap_err();
    assert!(late.kind == ErrorKind::AccessDenied && late.message.contains("readable now"));
    assert_eq!(keys(&source).await.len(), 6);
}
