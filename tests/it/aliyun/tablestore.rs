use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ossferry_aliyun::TablestoreTable;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::ports::{Condition, Row, Table, Value, Written};
use ossferry_http::Credentials;
use ossferry_tests::clock::{self, system_now};
use ossferry_tests::fixtures::root;
use ossferry_tests::smq::credentials;
use ossferry_tests::tablestore::{TABLE, Tablestore};
use smq_tablestore_emulator::Fault;

fn row(number: i64) -> Row {
    Row {
        partition: "5f3a-slice".to_owned(),
        sort: "task/00000001".to_owned(),
        attributes: BTreeMap::from([("number".to_owned(), Value::Integer(number))]),
        ..Row::default()
    }
}

async fn put(table: &TablestoreTable, number: i64) -> Result<Written, PortError> {
    let condition = match number {
        0 => Condition::Absent,
        number => Condition::Revision(number.unsigned_abs()),
    };
    table.put(&row(number), condition).await
}

async fn standing(table: &TablestoreTable) -> Option<Row> {
    table.get(&row(0).partition, &row(0).sort).await.expect("get row")
}

fn refused(status: u16, code: &'static str, message: &'static str) -> Fault {
    Fault::Refused { status, code, message }
}

#[tokio::test]
async fn a_lost_answer_to_a_conditional_put_is_unknown_and_a_read_tells() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    for (number, condition) in [(0, Condition::Absent), (1, Condition::Revision(1))] {
        tablestore.faults().on_next("PutRow", Fault::AnswerLost);
        let before = tablestore.faults().count("PutRow");
        let error = put(&table, number).await.expect_err("no answer");
        assert_eq!((error.kind, error.conclusion), (ErrorKind::Connection, Conclusion::Unknown));
        assert_eq!(tablestore.faults().count("PutRow"), before + 1, "not sent again by itself");
        let revision = number.unsigned_abs() + 1;
        let stands = Some(Row { revision, ..row(number) });
        assert_eq!(standing(&table).await, stands);
        // Who sends it again is told of the row that stands: his own.
        let written = table.put(&row(number), condition).await.expect("put row");
        assert_eq!(written, Written::Refused(stands));
    }
}

#[tokio::test]
async fn no_answer_is_believed_that_is_not_signed() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    tablestore.faults().on_next("PutRow", Fault::AnswerDamaged);
    let error = put(&table, 0).await.expect_err("a damaged answer");
    assert_eq!((error.kind, error.conclusion), (ErrorKind::BadAnswer, Conclusion::Unknown));
    tablestore.faults().on_next("GetRow", Fault::AnswerDamaged);
    assert_eq!(standing(&table).await, Some(Row { revision: 1, ..row(0) }), "read again");
    assert_eq!(tablestore.faults().count("GetRow"), 2);
}

#[tokio::test]
async fn what_the_service_did_not_carry_out_is_sent_again_whatever_it_was() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    let codes = [
        (503, "OTSServerBusy", "Server is busy."),
        (403, "OTSNotEnoughCapacityUnit", "Remaining capacity unit is not enough."),
        (409, "OTSRowOperationConflict", "Data is being modified by the other request."),
        (404, "OTSTableNotReady", "The table is not ready."),
        (503, "OTSPartitionUnavailable", "The partition is not available."),
        (409, "OTSOperationConflict", "Operation conflict."),
        (403, "OTSOperationThrottled", "Operation throttled."),
        (403, "OTSQuotaExhausted", "Too frequent table operations."),
    ];
    for (number, (status, code, message)) in (0..).zip(codes) {
        tablestore.faults().on_next("PutRow", refused(status, code, message));
        tablestore.faults().on_next("GetRow", refused(status, code, message));
        let written = put(&table, number).await.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(written, Written::Done(number.unsigned_abs() + 1), "{code}");
        assert_eq!(standing(&table).await.map(|row| row.attributes), Some(row(number).attributes));
    }
    let count = codes.len() as u64 * 2;
    assert_eq!(tablestore.faults().count("PutRow"), count);
    assert_eq!(tablestore.faults().count("GetRow"), count);
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_asked_again_only_of_reads() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    assert_eq!(put(&table, 0).await.expect("put row"), Written::Done(1));
    for (status, code) in
        [(503, "OTSTimeout"), (500, "OTSInternalServerError"), (503, "OTSServerUnavailable")]
    {
        tablestore.faults().on_next("PutRow", refused(status, code, "Try again."));
        let error = put(&table, 1).await.expect_err(code);
        assert_eq!(error.conclusion, Conclusion::Unknown, "{code}");
        for operation in ["GetRow", "GetRange"] {
            tablestore.faults().on_next(operation, refused(status, code, "Try again."));
        }
        assert!(standing(&table).await.is_some());
        let page = table.range(&row(0).partition, "", "u", 10).await.expect("range");
        assert_eq!((page.rows.len(), page.more), (1, false));
    }
    assert_eq!(tablestore.faults().count("PutRow"), 4);
}

#[tokio::test]
async fn a_refused_put_whose_row_cannot_be_read_has_changed_nothing() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    assert_eq!(put(&table, 0).await.expect("put row"), Written::Done(1));
    for _ in 0..4 {
        tablestore.faults().on_next("GetRow", refused(500, "OTSInternalServerError", "Try again."));
    }
    let error = put(&table, 0).await.expect_err("the row cannot be read");
    assert_eq!((error.kind, error.conclusion), (ErrorKind::ServerError, Conclusion::NotDone));
    let written = put(&table, 0).await.expect("put row");
    assert_eq!(written, Written::Refused(Some(Row { revision: 1, ..row(0) })));
}

#[tokio::test]
async fn an_endpoint_that_takes_no_v4_is_signed_for_by_v2() {
    let tablestore = Tablestore::start_taking(false).await;
    let table = tablestore.table();
    assert_eq!(put(&table, 0).await.expect("put row"), Written::Done(1));
    assert_eq!(tablestore.faults().count("PutRow"), 2, "one by V4, one by V2");
    assert!(standing(&table).await.is_some());
    assert_eq!(tablestore.faults().count("GetRow"), 1, "V2 from here on");
}

#[tokio::test]
async fn a_refused_account_is_final_and_its_secret_is_not_told() {
    let tablestore = Tablestore::start().await;
    let good = credentials();
    for (wrong, requests) in [
        (Credentials { access_key: "OTHER".to_owned(), ..good.clone() }, 1),
        (Credentials { token: Some("other".to_owned()), ..good.clone() }, 1),
        // Either signature might have been the wrong one.
        (Credentials { secret_key: "other-secret".to_owned(), ..good.clone() }, 2),
    ] {
        let before = tablestore.faults().count("PutRow");
        let table = tablestore.reach(TABLE, &wrong, clock::system());
        let error = put(&table, 0).await.expect_err("refused");
        assert_eq!((error.kind, error.is_transient()), (ErrorKind::AccountRefused, false));
        assert!(!error.to_string().contains(&wrong.secret_key), "{error}");
        assert_eq!(tablestore.faults().count("PutRow"), before + requests, "{error}");
    }
    let absent = tablestore.reach("absent", &good, clock::system());
    let error = put(&absent, 0).await.expect_err("no such table");
    assert!(error.message.contains("OTSObjectNotExist") && !error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_an_hour_is_set_right() {
    let tablestore = Tablestore::start().await;
    let early = Arc::new(|| system_now().plus(Duration::from_hours(1)));
    let table = tablestore.reach(TABLE, &credentials(), early);
    assert_eq!(put(&table, 0).await.expect("put row"), Written::Done(1));
    assert_eq!(tablestore.faults().count("PutRow"), 2);
    assert_eq!(put(&table, 1).await.expect("put row"), Written::Done(2));
}

#[tokio::test]
async fn a_row_that_the_service_cannot_hold_is_not_sent() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    let large = Row { blob: Some(vec![0; table.row_bytes_max()].into()), ..row(0) };
    let unnamed = Row { attributes: [("a-b".to_owned(), Value::Integer(1))].into(), ..row(0) };
    for wrong in [large, unnamed] {
        let error = table.put(&wrong, Condition::Absent).await.expect_err("refused");
        assert_eq!((error.kind, error.is_transient()), (ErrorKind::Unsupported, false));
    }
    assert_eq!(tablestore.faults().count("PutRow"), 0);
}

#[tokio::test]
async fn every_kind_of_row_that_a_ledger_writes_is_held() {
    let tablestore = Tablestore::start().await;
    let table = tablestore.table();
    let files = std::fs::read_dir(root().join("tests/testdata/rows")).expect("the samples");
    let mut count = 0;
    for file in files {
        let path = file.expect("a sample").path();
        let text = std::fs::read_to_string(&path).expect("a sample");
        let fields: serde_json::Map<_, _> = serde_json::from_str(&text).expect("an object");
        let attributes = fields.into_iter().map(|(name, value)| {
            let value = match value {
                serde_json::Value::String(text) => Value::Text(text),
                value => Value::Integer(value.as_i64().expect("text or a whole number")),
            };
            (name, value)
        });
        let (partition, sort) = ("5f3a-samples".to_owned(), path.display().to_string());
        let row = Row { partition, sort, attributes: attributes.collect(), ..Row::default() };
        let written = table.put(&row, Condition::Absent).await;
        assert_eq!(written.unwrap_or_else(|error| panic!("{error}")), Written::Done(1));
        let held = table.get(&row.partition, &row.sort).await.expect("get row");
        assert_eq!(held, Some(Row { revision: 1, ..row }));
        count += 1;
    }
    assert!(count > 5, "{count} samples");
}
