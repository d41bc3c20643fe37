//! Every [`Table`] must pass each function here.

#![expect(missing_docs, reason = "the name of a case is the sentence it proves")]

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;
use ossferry_core::ports::{Condition, Row, Table, Value, Written};

use crate::fresh;

#[doc(hidden)]
#[macro_export]
macro_rules! table_cases {
    ($run:ident $given:tt) => {
        $crate::$run! { table $given [
            an_absent_row_is_not_found
            a_row_is_put_once_if_absent
            revisions_count_from_one_with_every_write
            a_wrong_revision_is_refused_with_the_row_that_stands
            a_revision_of_an_absent_row_is_refused_with_nothing
            the_revision_inside_a_row_is_ignored
            attributes_and_blob_are_replaced_whole
            text_numbers_and_blobs_come_back_as_they_were
            unusual_and_long_keys_are_held
            a_range_is_ordered_by_bytes
            a_range_holds_its_first_bound_and_not_its_last
            a_range_without_room_has_no_rows
            a_range_is_read_in_pages
            a_range_stays_in_its_partition
            a_read_sees_every_write_that_returned
            sixteen_writers_lose_no_update
            of_many_that_put_an_absent_row_one_wins
            a_row_of_the_largest_size_is_held
            a_range_of_large_rows_is_read_in_pages
        ] }
    };
}

/// Runs every case and names the one that fails.
pub async fn every(table: &dyn Table) {
    table_cases! { run_cases (table) }
}

fn row(partition: &str, sort: &str) -> Row {
    Row {
        partition: partition.to_owned(),
        sort: sort.to_owned(),
        attributes: BTreeMap::from([("state".to_owned(), Value::Text("open".to_owned()))]),
        ..Row::default()
    }
}

fn numbered(partition: &str, number: i64) -> Row {
    let attributes = BTreeMap::from([("number".to_owned(), Value::Integer(number))]);
    Row { attributes, ..row(partition, "row") }
}

async fn get(table: &dyn Table, row: &Row) -> Option<Row> {
    table.get(&row.partition, &row.sort).await.expect("get row")
}

async fn put_new(table: &dyn Table, row: &Row) {
    let written = table.put(row, Condition::Absent).await.expect("put row");
    assert_eq!(written, Written::Done(1));
}

/// Every row of a range, however many pages the table makes of it.
async fn read_range(table: &dyn Table, partition: &str, from: &str, rows_max: usize) -> Vec<Row> {
    let (mut rows, mut from) = (Vec::new(), from.to_owned());
    loop {
        let page = table.range(partition, &from, "\u{10FFFF}", rows_max).await.expect("range");
        assert!(page.rows.len() <= rows_max, "a page holds more rows than were asked for");
        rows.extend(page.rows);
        if !page.more {
            return rows;
        }
        let last = rows.last().expect("a page with more to come moves on");
        from = format!("{}\0", last.sort);
    }
}

pub async fn an_absent_row_is_not_found(table: &dyn Table) {
    assert_eq!(get(table, &row(&fresh("absent"), "row")).await, None);
}

pub async fn a_row_is_put_once_if_absent(table: &dyn Table) {
    let first = row(&fresh("once"), "row");
    put_new(table, &first).await;
    let second = Row { attributes: BTreeMap::new(), ..first.clone() };
    let written = table.put(&second, Condition::Absent).await.expect("put row");
    let standing = Row { revision: 1, ..first };
    assert_eq!(written, Written::Refused(Some(standing.clone())));
    assert_eq!(get(table, &standing).await, Some(standing));
}

pub async fn revisions_count_from_one_with_every_write(table: &dyn Table) {
    let partition = fresh("revisions");
    put_new(table, &numbered(&partition, 1)).await;
    for revision in 1..5 {
        let next = numbered(&partition, 10);
        let written = table.put(&next, Condition::Revision(revision)).await.expect("put row");
        assert_eq!(written, Written::Done(revision + 1));
        assert_eq!(get(table, &next).await, Some(Row { revision: revision + 1, ..next }));
    }
}

pub async fn a_wrong_revision_is_refused_with_the_row_that_stands(table: &dyn Table) {
    let partition = fresh("wrong");
    put_new(table, &numbered(&partition, 1)).await;
    let second = numbered(&partition, 2);
    let written = table.put(&second, Condition::Revision(1)).await.expect("put row");
    assert_eq!(written, Written::Done(2));
    let standing = Row { revision: 2, ..second };
    for revision in [0, 1, 3, u64::MAX] {
        let late = numbered(&partition, 9);
        let written = table.put(&late, Condition::Revision(revision)).await.expect("put row");
        assert_eq!(written, Written::Refused(Some(standing.clone())), "revision {revision}");
    }
    assert_eq!(get(table, &standing).await, Some(standing));
}

pub async fn a_revision_of_an_absent_row_is_refused_with_nothing(table: &dyn Table) {
    let absent = row(&fresh("absent"), "row");
    for revision in [0, 1] {
        let written = table.put(&absent, Condition::Revision(revision)).await.expect("put row");
        assert_eq!(written, Written::Refused(None));
    }
    assert_eq!(get(table, &absent).await, None);
}

pub async fn the_revision_inside_a_row_is_ignored(table: &dyn Table) {
    let row = Row { revision: 77, ..row(&fresh("ignored"), "row") };
    put_new(table, &row).await;
    let written = table.put(&row, Condition::Revision(1)).await.expect("put row");
    assert_eq!(written, Written::Done(2));
}

pub async fn attributes_and_blob_are_replaced_whole(table: &dyn Table) {
    let partition = fresh("whole");
    let blob = Some(Bytes::from_static(b"list"));
    let first = Row { blob, ..row(&partition, "row") };
    put_new(table, &first).await;
    let second = numbered(&partition, 3);
    let written = table.put(&second, Condition::Revision(1)).await.expect("put row");
    assert_eq!(written, Written::Done(2));
    assert_eq!(get(table, &second).await, Some(Row { revision: 2, ..second }));
}

pub async fn text_numbers_and_blobs_come_back_as_they_were(table: &dyn Table) {
    let control: String = (1..32).filter_map(char::from_u32).chain(['\u{7f}', '\u{85}']).collect();
    let texts = [
        "",
        " ",
        "null",
        "12",
        "\"\\/{}[],:'`%+&<>",
        "caf\u{e9} beside cafe\u{301}",
        "\u{1F680}\u{10FFFF}\u{FFFD}\u{2028}\u{FEFF}",
        &control,
        &"long ".repeat(2_000),
    ];
    let numbers = [0, 1, -1, 9_007_199_254_740_993, i64::MAX, i64::MIN];
    let texts = texts.iter().map(|text| Value::Text((*text).to_owned()));
    let values = texts.chain(numbers.map(Value::Integer)).enumerate();
    let attributes = values.map(|(index, value)| (format!("value_{index}"), value)).collect();
    let blob: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let sent = Row { attributes, blob: Some(blob.into()), ..row(&fresh("values"), "row") };
    put_new(table, &sent).await;
    let held = Row { revision: 1, ..sent };
    assert_eq!(get(table, &held).await, Some(held.clone()));
    assert_eq!(read_range(table, &held.partition, "", 10).await, [held]);
}

pub async fn unusual_and_long_keys_are_held(table: &dyn Table) {
    let partition = format!("{}/ %'\"\\ \u{e9}\u{1F680}", fresh("keys"));
    let long = "k".repeat(512);
    let sorts = ["task/00000001", "a b", "a%20b", "'\"\\", "cafe\u{301}", "caf\u{e9}", &long];
    for sort in sorts {
        put_new(table, &row(&partition, sort)).await;
    }
    for sort in sorts {
        let held = Row { revision: 1, ..row(&partition, sort) };
        assert_eq!(get(table, &held).await, Some(held));
    }
    assert_eq!(read_range(table, &partition, "", 100).await.len(), sorts.len());
    let partition = format!("{:p<512}", fresh("long"));
    put_new(table, &row(&partition, "row")).await;
    assert!(get(table, &row(&partition, "row")).await.is_some());
}

pub async fn a_range_is_ordered_by_bytes(table: &dyn Table) {
    let partition = fresh("order");
    // By UTF-16, or by the words of a language, these sort otherwise.
    let sorts = [
        "a",
        "B",
        "a-b",
        "a/b",
        "a.b",
        "ab",
        "A",
        "task/10",
        "task/2",
        "task/1",
        "~",
        "0",
        "\u{e9}",
        "e",
        "f",
        "\u{FFFD}",
        "\u{1F600}",
        "a\u{1}",
    ];
    for sort in sorts {
        put_new(table, &row(&partition, sort)).await;
    }
    let mut expected = sorts;
    expected.sort_unstable();
    let rows = read_range(table, &partition, "", 100).await;
    assert_eq!(rows.iter().map(|row| row.sort.as_str()).collect::<Vec<_>>(), expected);
}

pub async fn a_range_holds_its_first_bound_and_not_its_last(table: &dyn Table) {
    let partition = fresh("bounds");
    for sort in ["a", "b", "b0", "c"] {
        put_new(table, &row(&partition, sort)).await;
    }
    for (from, until, expected) in [
        ("a", "c", &["a", "b", "b0"][..]),
        ("b", "b0", &["b"]),
        ("aa", "bz", &["b", "b0"]),
        ("b1", "\u{10FFFF}", &["c"]),
        ("d", "e", &[]),
    ] {
        let page = table.range(&partition, from, until, 10).await.expect("range");
        let sorts: Vec<_> = page.rows.iter().map(|row| row.sort.as_str()).collect();
        assert_eq!(sorts, expected, "{from} to {until}");
        assert!(!page.more);
    }
}

pub async fn a_range_without_room_has_no_rows(table: &dyn Table) {
    let partition = fresh("room");
    put_new(table, &row(&partition, "b")).await;
    for (from, until) in [("b", "b"), ("c", "a")] {
        let page = table.range(&partition, from, until, 10).await.expect("range");
        assert!(page.rows.is_empty() && !page.more, "{from} to {until}");
    }
}

pub async fn a_range_is_read_in_pages(table: &dyn Table) {
    let partition = fresh("pages");
    let sorts: Vec<_> = (0..25).map(|number| format!("row/{number:04}")).collect();
    for sort in &sorts {
        put_new(table, &row(&partition, sort)).await;
    }
    for rows_max in [1, 10, 24, 25, 26] {
        let rows = read_range(table, &partition, "", rows_max).await;
        assert!(rows.iter().map(|row| &row.sort).eq(&sorts), "{rows_max} a page");
    }
    let page = table.range(&partition, "", "\u{10FFFF}", 25).await.expect("range");
    assert!(page.rows.len() < 25 || !page.more, "more rows are promised than there are");
}

pub async fn a_range_stays_in_its_partition(table: &dyn Table) {
    let partition = fresh("partition");
    for other in ["", "2", "/", "\u{1F680}"] {
        put_new(table, &row(&format!("{partition}{other}"), "row")).await;
    }
    let rows = read_range(table, &partition, "", 100).await;
    assert_eq!(rows, [Row { revision: 1, ..row(&partition, "row") }]);
}

pub async fn a_read_sees_every_write_that_returned(table: &dyn Table) {
    let partition = fresh("fresh");
    put_new(table, &numbered(&partition, 0)).await;
    for number in 1..50 {
        let next = numbered(&partition, number);
        let condition = Condition::Revision(number.unsigned_abs());
        assert!(matches!(table.put(&next, condition).await.expect("put row"), Written::Done(_)));
        let page = table.range(&partition, "", "s", 1).await.expect("range");
        assert_eq!(page.rows[0].attributes, next.attributes);
        assert_eq!(get(table, &next).await.map(|row| row.attributes), Some(next.attributes));
    }
}

/// Raises the number by one, reading again as often as another was faster.
async fn raise(table: &dyn Table, partition: &str) {
    let mut standing = get(table, &numbered(partition, 0)).await.expect("the row is there");
    loop {
        let Some(Value::Integer(number)) = standing.attributes.get("number") else {
            panic!("the row has no number: {standing:?}");
        };
        let next = numbered(partition, number + 1);
        let condition = Condition::Revision(standing.revision);
        match table.put(&next, condition).await.expect("put row") {
            Written::Done(_) => return,
            Written::Refused(found) => {
                let found = found.expect("the row is there");
                assert!(found.revision > standing.revision, "an older row than was read refused");
                standing = found;
            }
        }
    }
}

pub async fn sixteen_writers_lose_no_update(table: &dyn Table) {
    let partition = fresh("writers");
    put_new(table, &numbered(&partition, 0)).await;
    let partition = partition.as_str();
    join_all((0..16).map(|_| async move {
        for _ in 0..8 {
            raise(table, partition).await;
        }
    }))
    .await;
    let last = get(table, &numbered(partition, 0)).await;
    assert_eq!(last, Some(Row { revision: 129, ..numbered(partition, 128) }));
}

pub async fn of_many_that_put_an_absent_row_one_wins(table: &dyn Table) {
    let partition = fresh("race");
    let rows: Vec<_> = (0..16).map(|number| numbered(&partition, number)).collect();
    let writes = rows.iter().map(|row| table.put(row, Condition::Absent));
    let written = join_all(writes).await.into_iter().map(|written| written.expect("put row"));
    let standing = get(table, &rows[0]).await.expect("one of them stands");
    let mut winners = 0;
    for (row, written) in rows.iter().zip(written) {
        if written == Written::Done(1) {
            winners += 1;
            assert_eq!(row.attributes, standing.attributes);
        } else {
            assert_eq!(written, Written::Refused(Some(standing.clone())));
        }
    }
    assert_eq!(winners, 1);
}

/// A row that takes the most bytes the table says it holds.
fn largest(table: &dyn Table, partition: &str, sort: &str) -> Row {
    let row = row(partition, sort);
    let taken = partition.len() + sort.len() + "state".len() + "open".len();
    let mut blob = vec![0; table.row_bytes_max() - taken];
    fastrand::Rng::with_seed(11).fill(&mut blob);
    Row { blob: Some(blob.into()), ..row }
}

pub async fn a_row_of_the_largest_size_is_held(table: &dyn Table) {
    let largest = largest(table, &fresh("largest"), "row");
    put_new(table, &largest).await;
    let held = Row { revision: 1, ..largest };
    assert_eq!(get(table, &held).await, Some(held.clone()));
    let written = table.put(&held, Condition::Revision(1)).await.expect("put row");
    assert_eq!(written, Written::Done(2));
}

pub async fn a_range_of_large_rows_is_read_in_pages(table: &dyn Table) {
    let partition = fresh("large");
    for number in 0..24 {
        put_new(table, &largest(table, &partition, &format!("row/{number:02}"))).await;
    }
    let rows = read_range(table, &partition, "", 1_000).await;
    assert_eq!(rows.len(), 24);
    assert!(rows.iter().all(|row| row.blob.is_some()));
}
