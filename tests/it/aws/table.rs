//! Lost answers, throttling and repeated writes, on the wire to `DynamoDB`.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use ossferry_aws::DynamoTable;
use ossferry_core::error::{Conclusion, ErrorKind};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Condition, Row, Table, Value, Written};
use ossferry_core::usage;
use ossferry_tests::dynamodb_local::{DynamoDbLocal, client_at};
use ossferry_tests::wire::{Fault, Rule, Wire};
use ossferry_tests::world::World;

/// A table behind a wire.
struct Wired {
    wire: Wire,
    name: String,
    meter: Arc<Meter>,
    table: DynamoTable,
}

impl Wired {
    async fn new() -> Self {
        let server = DynamoDbLocal::shared();
        let name = server.fresh_table().await;
        let wire = Wire::before_server(server.address()).await;
        let meter = Arc::<Meter>::default();
        let table = DynamoTable::new(client_at(&wire.endpoint()), name.clone());
        Self { wire, name, table: table.metered(Arc::clone(&meter)), meter }
    }
}

fn row(sort: &str, number: i64) -> Row {
    Row {
        partition: "partition".to_owned(),
        sort: sort.to_owned(),
        attributes: BTreeMap::from([("number".to_owned(), Value::Integer(number))]),
        ..Row::default()
    }
}

const THROTTLED: &str = r#"{
    "__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException",
    "message":"Throughput exceeds the limit of table arn:aws:dynamodb:us-east-1:1:table/t",
    "throttlingReasons":[{"reason":"TableWriteKeyRangeThroughputExceeded","resource":"arn:t"}]
}"#;

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_sent_once_and_unknown() {
    let Wired { wire, table, .. } = Wired::new().await;
    wire.rule(Rule::first("PutItem", Fault::AnswerLost));
    let error = table.put(&row("a", 1), Condition::Absent).await.unwrap_err();
    assert_eq!(error.conclusion, Conclusion::Unknown, "{error}");
    assert_eq!(wire.count("PutItem"), 1);
    let standing = table.get("partition", "a").await.unwrap();
    assert_eq!(standing, Some(Row { revision: 1, ..row("a", 1) }));
}

/// Why the SDK's own retries are switched off, whatever the client says that is handed in.
#[tokio::test]
async fn the_sdk_would_report_its_own_write_as_a_failed_condition() {
    let Wired { wire, name, .. } = Wired::new().await;
    let config = client_at(&wire.endpoint()).config().to_builder();
    let config = config.retry_config(RetryConfig::standard()).build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    wire.rule(Rule::first("PutItem", Fault::AnswerLost));
    let call = client.put_item().table_name(&name);
    let call = call.item("partition", AttributeValue::S("p".to_owned()));
    let call = call.item("sort", AttributeValue::S("s".to_owned()));
    let put = call.condition_expression("attribute_not_exists(sort)").send().await;
    let error = put.unwrap_err().into_service_error();
    assert!(matches!(error, PutItemError::ConditionalCheckFailedException(_)), "{error:?}");
    assert_eq!(wire.count("PutItem"), 2);

    let table = DynamoTable::new(client, name);
    wire.rule(Rule::first("PutItem", Fault::AnswerLost));
    let error = table.put(&row("once", 1), Condition::Absent).await.unwrap_err();
    assert_eq!((error.conclusion, wire.count("PutItem")), (Conclusion::Unknown, 3));
}

#[tokio::test]
async fn a_refused_put_tells_the_row_that_stands_without_a_further_request() {
    let Wired { wire, table, meter, .. } = Wired::new().await;
    let _ = table.put(&row("a", 1), Condition::Absent).await.unwrap();
    let refused = table.put(&row("a", 2), Condition::Absent).await.unwrap();
    assert_eq!(refused, Written::Refused(Some(Row { revision: 1, ..row("a", 1) })));
    assert_eq!((wire.count("PutItem"), wire.total()), (2, 2));
    let counts = meter.take();
    assert_eq!((counts["PutItem"], counts[usage::WRITE_UNITS]), (2, 2));
}

#[tokio::test]
async fn units_are_those_that_the_service_counts() {
    let Wired { table, meter, wire: _wire, .. } = Wired::new().await;
    let blob = |bytes: usize| Row { blob: Some(vec![7; bytes].into()), ..row("a", 1) };
    let _ = table.put(&blob(9_500), Condition::Absent).await.unwrap();
    assert_eq!(meter.take()[usage::WRITE_UNITS], 10);
    // The larger of the two rows counts.
    let _ = table.put(&row("a", 2), Condition::Revision(1)).await.unwrap();
    assert_eq!(meter.take()[usage::WRITE_UNITS], 10);
    let _ = table.put(&blob(9_500), Condition::Revision(2)).await.unwrap();
    let refused = table.put(&row("a", 2), Condition::Revision(2)).await.unwrap();
    assert!(matches!(refused, Written::Refused(Some(_))));
    assert_eq!(meter.take()[usage::WRITE_UNITS], 20);
    table.get("partition", "a").await.unwrap();
    table.get("partition", "absent").await.unwrap();
    table.range("partition", "a", "b", 10).await.unwrap();
    let counts = meter.take();
    assert_eq!(counts[usage::READ_UNITS], 3 + 1 + 3);
    assert_eq!((counts["GetItem"], counts["Query"]), (2, 1));
}

#[tokio::test]
async fn throttling_is_outlasted_and_told_with_its_reason_where_it_lasts() {
    let Wired { wire, table, .. } = Wired::new().await;
    wire.rule(Rule::first("PutItem", Fault::Json(THROTTLED)).at(1, 2));
    let written = table.put(&row("a", 1), Condition::Absent).await.unwrap();
    assert_eq!((written, wire.count("PutItem")), (Written::Done(1), 3));
    wire.rule(Rule::first("GetItem", Fault::Json(THROTTLED)).every(1));
    let error = table.get("partition", "a").await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::Throttled, Conclusion::NotDone));
    assert_eq!(
        error.to_string(),
        "GetItem: ThrottlingException (400): TableWriteKeyRangeThroughputExceeded \
         (request id SCRIPTED)"
    );
}

#[tokio::test]
async fn a_read_is_repeated_whatever_became_of_it() {
    let Wired { wire, table, .. } = Wired::new().await;
    let _ = table.put(&row("a", 1), Condition::Absent).await.unwrap();
    for fault in [Fault::AnswerLost, Fault::Refused, Fault::BodyCut(20)] {
        wire.rule(Rule::first("GetItem", fault.clone()));
        wire.rule(Rule::first("Query", fault));
        assert!(table.get("partition", "a").await.unwrap().is_some());
        assert_eq!(table.range("partition", "a", "b", 9).await.unwrap().rows.len(), 1);
        wire.clear_rules();
    }
}

/// Moves a small world over a ledger in this table.
async fn move_world(table: DynamoTable) {
    let world = World::small().await;
    let mut drive = world.drive_over(Arc::new(table));
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass).await;
    let report = drive.check(&pass, &world.oss, &world.expected).await;
    assert_eq!((report.copied, report.failed), (8, 0), "{report:?}");
}

#[tokio::test]
async fn writes_that_a_client_repeats_by_itself_neither_lose_nor_double_a_step() {
    let wired = Wired::new().await;
    wired.wire.rule(Rule::first("PutItem", Fault::Twice).every(1));
    move_world(wired.table).await;
    assert!(wired.wire.count("PutItem") > 20);
}

#[tokio::test]
async fn lost_answers_and_throttling_neither_lose_nor_double_a_step() {
    for (operation, fault, every) in [
        ("PutItem", Fault::AnswerLost, 2),
        ("PutItem", Fault::Json(THROTTLED), 2),
        ("GetItem", Fault::AnswerLost, 3),
        ("Query", Fault::Json(THROTTLED), 3),
    ] {
        let wired = Wired::new().await;
        wired.wire.rule(Rule::first(operation, fault).every(every));
        move_world(wired.table).await;
    }
}

#[tokio::test]
async fn errors_name_no_secret() {
    let Wired { wire, table, .. } = Wired::new().await;
    // As AWS words it: with all that was signed, a session's token among it.
    let refused = r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"The Canonical String should have been 'POST secret-of-the-tests AKIDTESTS'"}"#;
    let mut errors = Vec::new();
    for fault in [Fault::Json(refused), Fault::AnswerLost, Fault::Refused] {
        wire.rule(Rule::first("PutItem", fault));
        errors.push(table.put(&row("a", 1), Condition::Absent).await.unwrap_err());
        wire.clear_rules();
    }
    assert_eq!(errors[0].kind, ErrorKind::AccountRefused);
    for error in errors {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret") && !text.contains("AKID"), "{text}");
    }
}
