//! A list of URLs to OSS: what is served arrives, and what is not ends in the report by its key.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::object::ObjectHeaders;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;
use ossferry_tests::web::{Manners, Tag, WebServer};

use super::{assert_target, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_urls_arrives_and_what_is_not_served_is_told_by_its_key() {
    let polite = WebServer::start(Manners::default()).await;
    let silent =
        WebServer::start(Manners { tag: Tag::Absent, dates: false, ..Manners::default() }).await;
    let (mut list, mut expected) = (Vec::new(), BTreeMap::new());
    let mut serve = |server: &WebServer, name: &str, size: usize| {
        let key = Key::from(name);
        let bytes = bytes_of(&key, 1, size);
        let headers =
            ObjectHeaders { content_type: Some("image/png".to_owned()), ..Default::default() };
        server.put(&key, bytes.clone(), &headers);
        list.push(format!("{}/ {name}", server.endpoint()));
        expected.insert(key, bytes);
    };
    for n in 0..30 {
        serve(&polite, &format!("p/{n}.png"), n * 100);
    }
    serve(&polite, "p/large.bin", 3 << 20);
    serve(&silent, "s/small.bin", 700);
    serve(&silent, "s/large.bin", 2 << 20);
    list.push(format!("{}/ p/missing.png", polite.endpoint()));
    expected.remove(&Key::from("s/large.bin"));

    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_urls("urls.txt", "allow = [\"127.0.0.1\"]", &oss)
        .limits("split_bytes = 1048576\npart_bytes = 1048576");
    let ossferry = Ossferry::new(&job);
    std::fs::write(ossferry.folder().join("urls.txt"), list.join("\n")).unwrap();
    let check = ossferry.run(&["check", "--job", "job.toml"]).await.expect(0).stdout;
    assert!(check.contains("1 could not be asked for"), "{check}");
    assert!(check.contains("2 have neither etag nor date"), "{check}");

    let first = run(&ossferry, 2).await;
    assert_eq!((first.copied, first.failed), (expected.len() as u64, 2), "{first:?}");
    assert_target(&oss, &expected).await;
    let csv = ["report", "--job", "job.toml", "--format", "csv"];
    let rows = ossferry.run(&csv).await.expect(0).stdout;
    let row = |key: &str| rows.lines().find(|row| row.starts_with(key)).unwrap_or_default();
    assert!(row("p/missing.png").contains("http 404"), "{rows}");
    assert!(row("s/large.bin").contains("neither etag nor date"), "{rows}");
    let head = oss.target().head(&Key::from("p/3.png")).await.unwrap();
    assert_eq!(head.headers.content_type.as_deref(), Some("image/png"));

    // Nothing changed, and then one object did, within the same second and of the same size.
    let key = Key::from("p/7.png");
    let bytes = Bytes::from(vec![9; 700]);
    polite.put(&key, bytes.clone(), &ObjectHeaders::default());
    expected.insert(key, bytes);
    let second = run(&ossferry, 2).await;
    assert_eq!((second.copied, second.failed), (1, 2), "{second:?}");
    assert_target(&oss, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_address_is_not_asked_unless_the_job_file_allows_it() {
    let server = WebServer::start(Manners::default()).await;
    server.put(&Key::from("a"), Bytes::from_static(b"a"), &ObjectHeaders::default());
    let oss = Oss::start(clock::system()).await;
    let ossferry = Ossferry::new(&JobFile::from_urls("urls.txt", "format = \"urls\"", &oss));
    std::fs::write(ossferry.folder().join("urls.txt"), server.list()).unwrap();
    let report = run(&ossferry, 2).await;
    assert_eq!((report.copied, report.failed), (0, 1), "{report:?}");
    assert_eq!(server.take_asked(), Vec::<String>::new());
    let csv = ["report", "--job", "job.toml", "--format", "csv"];
    let rows = ossferry.run(&csv).await.expect(0).stdout;
    assert!(rows.contains("127.0.0.1 is this machine's"), "{rows}");
}
