//! The table port over `DynamoDB`: one table, one item a row, no index and no transaction.

mod item;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};
use ossferry_core::usage;
use ossferry_http::{retry, retry_while};

use self::item::{PARTITION, REVISION, SORT, item_of, row_of};
pub use self::item::{item_bytes, read_units, write_units};
use crate::sdk::{RETRIES, port_error, timeouts};

/// Bytes of one row by the port's count. `DynamoDB` refuses an item of more than 400 KB; names, numbers
/// and a margin for what later versions of rows add lie between.
const ROW_BYTES_MAX: usize = 350 << 10;

type Item = HashMap<String, AttributeValue>;

/// A `DynamoDB` table whose keys are the texts `partition` (hash) and `sort` (range).
pub struct DynamoTable {
    client: Client,
    table: String,
    meter: Arc<Meter>,
}

impl DynamoTable {
    /// The table of this name. The SDK's own retries are switched off: of a conditional write whose
    /// answer was lost, a second attempt would find its own row and report that the condition failed.
    #[expect(clippy::needless_pass_by_value, reason = "the client is handed over, as the name is")]
    pub fn new(client: Client, table: String) -> Self {
        let config = client.config().to_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(Duration::ZERO))
            .build();
        Self { client: Client::from_conf(config), table, meter: Arc::default() }
    }

    /// The same table, counting on `meter` what AWS bills.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// Puts once. What refused stands in the error.
    async fn put_once(&self, item: &Item, condition: Condition) -> Result<(), PutFailure> {
        self.meter.count("PutItem");
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let call = match condition {
            Condition::Absent => call
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", PARTITION),
            Condition::Revision(revision) => call
                .condition_expression("#revision = :revision")
                .expression_attribute_names("#revision", REVISION)
                .expression_attribute_values(":revision", AttributeValue::N(revision.to_string())),
        };
        match call.send().await {
            Ok(answer) => {
                self.count_units(usage::WRITE_UNITS, answer.consumed_capacity());
                Ok(())
            }
            Err(error) => Err(match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    PutFailure::Condition(failed.item().cloned())
                }
                _ => PutFailure::Port(failure("PutItem", error)),
            }),
        }
    }

    /// Counts what the service says that it bills.
    fn count_units(&self, unit: &'static str, consumed: Option<&ConsumedCapacity>) {
        let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of units is small and whole for consistent reads and for writes"
        )]
        self.meter.count_many(unit, units.ceil() as u64);
    }
}

/// Why a row was not put.
enum PutFailure {
    /// The condition did not hold; the item that stood there, as far as it was told.
    Condition(Option<Item>),
    /// The call failed.
    Port(PortError),
}

/// The error of a call, with the service's reasons where it was throttled.
fn failure<E>(operation: &str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Debug + Send + Sync + 'static,
    aws_sdk_dynamodb::Error: From<SdkError<E, HttpResponse>>,
{
    use aws_sdk_dynamodb::Error;

    let mut found = port_error(operation, &error);
    let error = Error::from(error);
    let reasons = match &error {
        Error::ProvisionedThroughputExceededException(throttled) => throttled.throttling_reasons(),
        Error::RequestLimitExceeded(throttled) => throttled.throttling_reasons(),
        Error::ThrottlingException(throttled) => throttled.throttling_reasons(),
        _ => &[],
    };
    for reason in reasons.iter().filter_map(|reason| reason.reason()) {
        found.message.push_str(": ");
        found.message.push_str(reason);
    }
    found
}

#[async_trait]
impl Table for DynamoTable {
    fn row_bytes_max(&self) -> usize {
        ROW_BYTES_MAX
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        const OPERATION: &str = "GetItem";
        let answer = retry(&RETRIES, || async {
            self.meter.count(OPERATION);
            let call = self
                .client
                .get_item()
                .table_name(&self.table)
                .key(PARTITION, AttributeValue::S(partition.to_owned()))
                .key(SORT, AttributeValue::S(sort.to_owned()))
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            call.send().await.map_err(|error| failure(OPERATION, error))
        })
        .await?;
        self.count_units(usage::READ_UNITS, answer.consumed_capacity());
        answer.item.map(row_of).transpose()
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        const OPERATION: &str = "Query";
        // The service refuses bounds in this order, and the empty text as a key.
        if from >= until || rows_max == 0 {
            return Ok(RowPage::default());
        }
        // One more than asked for: only that tells whether there is more.
        let limit = i32::try_from(rows_max).unwrap_or(i32::MAX).saturating_add(1);
        let answer = retry(&RETRIES, || async {
            self.meter.count(OPERATION);
            let call = self
                .client
                .query()
                .table_name(&self.table)
                .expression_attribute_names("#partition", PARTITION)
                .expression_attribute_names("#sort", SORT)
                .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()))
                .expression_attribute_values(":until", AttributeValue::S(until.to_owned()))
                .limit(limit)
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let call = if from.is_empty() {
                call.key_condition_expression("#partition = :partition AND #sort < :until")
            } else {
                // There is no condition for one bound that is held and one that is not.
                call.key_condition_expression(
                    "#partition = :partition AND #sort BETWEEN :from AND :until",
                )
                .expression_attribute_values(":from", AttributeValue::S(from.to_owned()))
            };
            call.send().await.map_err(|error| failure(OPERATION, error))
        })
        .await?;
        self.count_units(usage::READ_UNITS, answer.consumed_capacity());
        let mut more = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default();
        let mut rows = items.into_iter().map(row_of).collect::<Result<Vec<_>, _>>()?;
        if rows.last().is_some_and(|row| row.sort == until) {
            rows.pop();
            more = false;
        }
        more |= rows.len() > rows_max;
        rows.truncate(rows_max);
        Ok(RowPage { rows, more })
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        row.check_size("PutItem", ROW_BYTES_MAX)?;
        let revision = match condition {
            Condition::Absent => 1,
            Condition::Revision(revision) => revision.saturating_add(1),
        };
        let item = item_of(row, revision)?;
        let may_repeat = |error: &PortError| error.conclusion == Conclusion::NotDone;
        let written = retry_while(&RETRIES, may_repeat, || async {
            match self.put_once(&item, condition).await {
                Ok(()) => Ok(Ok(())),
                Err(PutFailure::Condition(standing)) => Ok(Err(standing)),
                Err(PutFailure::Port(error)) => Err(error),
            }
        })
        .await?;
        let Err(standing) = written else { return Ok(Written::Done(revision)) };
        let standing = standing.map(row_of).transpose()?;
        let bytes = standing.as_ref().map_or(0, item_bytes).max(item_bytes(row));
        self.meter.count_many(usage::WRITE_UNITS, write_units(bytes));
        if standing.is_none() {
            // Nothing stands there, or the service kept the item to itself.
            let standing = self.get(&row.partition, &row.sort).await?;
            if standing.is_none() && condition == Condition::Absent {
                let message = "PutItem: nothing stands where something was to stand";
                return Err(PortError::new(ErrorKind::BadAnswer, message));
            }
            return Ok(Written::Refused(standing));
        }
        Ok(Written::Refused(standing))
    }
}
