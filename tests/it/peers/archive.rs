//! Objects that must be restored before they can be read.

use ossferry_core::key::Key;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, ObjectRow, Ossferry};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::oss::Oss;

use super::RUN;

/// Data Transfer Hub drops archived objects without a record
/// (`aws-solutions/data-transfer-hub-cli`, `dth/client.go` L391), and Super Slurper skips them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_object_is_named_in_the_report_and_copied_once_it_can_be_read() {
    let oss = Oss::start(clock::system()).await;
    let objects = [("cold/small", 40), ("cold/large", 300_000), ("warm", 40)];
    for (name, size) in objects {
        let key = Key::from(name);
        let class = if name == "warm" { "IA" } else { "Archive" };
        oss.origin().put_of_class(&key, &bytes_of(&key, 1, size), class).await;
    }
    let limits = "split_bytes = 204800\npart_bytes = 102400";
    let ossferry = Ossferry::new(&JobFile::from_oss(&oss).limits(limits));
    let report = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((report.listed, report.copied, report.archived), (3, 1, 2), "{report:?}");
    let of_class = |rows: Vec<ObjectRow>, outcome: &str| -> Vec<String> {
        let rows = rows.into_iter().filter(|row| row.outcome == outcome);
        rows.map(|row| row.key).collect()
    };
    let mut archived = of_class(ossferry.rows().await, "archived");
    archived.sort();
    assert_eq!(archived, ["cold/large", "cold/small"]);

    for (name, size) in objects {
        let key = Key::from(name);
        oss.origin().put_of_class(&key, &bytes_of(&key, 1, size), "Standard").await;
    }
    let again = ossferry.run(&RUN).await.expect(0).report();
    assert_eq!((again.copied, again.archived, again.skipped), (2, 0, 1), "{again:?}");
    assert_eq!(oss.target().objects().await, oss.origin().objects().await);
}
