//! Tablestore as the table.

use std::sync::Arc;

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};
use ossferry_core::usage;
use ossferry_http::{retry, retry_while};
use prost::Message;

use crate::tablestore::messages::{
    CapacityUnit, ConsumedCapacity, FORWARD, GetRangeRequest, GetRangeResponse, GetRowRequest,
    GetRowResponse, PutRowRequest, PutRowResponse,
};
use crate::tablestore::plain_buffer::{CellValue, PlainRow, decoded};
use crate::tablestore::{
    TablestoreClient, TablestoreOptions, bad_answer, condition_of, key_of, objection, read_row,
    row_of,
};

/// Bytes of a row. The service takes 2 MB a cell and 4 MB a request and answers 4 MB of a range at once:
/// a row is far below all of them and as large as in every other table, so that work is packed alike.
const ROW_BYTES_MAX: usize = 350 << 10;

/// Rows of one request (Tablestore manual, "GetRange", 2026).
const PAGE_ROWS_MAX: usize = 5_000;

/// A table of Tablestore. Clones are one table.
///
/// A row's columns are its attributes, `revision`, and `blob` where it has one: readable in the
/// service's console.
#[derive(Clone)]
pub struct TablestoreTable {
    client: Arc<TablestoreClient>,
    meter: Arc<Meter>,
}

impl TablestoreTable {
    /// The table is not looked at: a wrong name shows at the first request.
    pub fn new(options: TablestoreOptions) -> Self {
        Self { client: Arc::new(TablestoreClient::new(options)), meter: Arc::default() }
    }

    /// The same table, counting its requests and their units on `meter`. Of a write that its condition
    /// refused the service tells no units.
    #[must_use]
    pub fn metered(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    async fn call<R: Message + Default>(
        &self,
        operation: &'static str,
        message: &impl Message,
    ) -> Result<R, PortError> {
        self.client.call(operation, message, &self.meter).await
    }

    fn count(&self, consumed: &ConsumedCapacity) {
        let CapacityUnit { read, write } = consumed.capacity_unit;
        for (name, units) in
            [(usage::TABLESTORE_READ_UNITS, read), (usage::TABLESTORE_WRITE_UNITS, write)]
        {
            let units = units.and_then(|units| u64::try_from(units).ok()).unwrap_or_default();
            if units > 0 {
                self.meter.count_many(name, units);
            }
        }
    }

    fn table_name(&self) -> String {
        self.client.options.table.clone()
    }

    /// Rows from `start` on, and where the rest begins.
    async fn page(
        &self,
        start: PlainRow,
        end: &PlainRow,
        rows_max: usize,
    ) -> Result<(Vec<Row>, Option<PlainRow>), PortError> {
        const OPERATION: &str = "GetRange";
        let request = GetRangeRequest {
            table_name: self.table_name(),
            direction: FORWARD,
            columns_to_get: Vec::new(),
            max_versions: Some(1),
            limit: Some(i32::try_from(rows_max.min(PAGE_ROWS_MAX)).unwrap_or(1)),
            inclusive_start_primary_key: start.encoded().into(),
            exclusive_end_primary_key: end.encoded().into(),
        };
        let answer: GetRangeResponse =
            retry(&self.client.options.retry, || self.call(OPERATION, &request)).await?;
        self.count(&answer.consumed);
        let rows = decoded(answer.rows).and_then(|rows| rows.into_iter().map(read_row).collect());
        let rows: Vec<Row> = rows.ok_or_else(|| bad_answer(OPERATION, UNREADABLE))?;
        let next = answer.next_start_primary_key.unwrap_or_default();
        let next = decoded(next).ok_or_else(|| bad_answer(OPERATION, UNREADABLE))?.pop();
        Ok((rows, next.filter(|next| is_before(next, end))))
    }
}

const UNREADABLE: &str = "a row is not whole, or none of ours";

/// Whether a key lies in the partition of `end` and before it.
fn is_before(key: &PlainRow, end: &PlainRow) -> bool {
    let texts = |row: &PlainRow| match row.key.as_slice() {
        [(_, CellValue::Text(partition)), (_, CellValue::Text(sort))] => {
            Some((partition.clone(), sort.clone()))
        }
        _ => None,
    };
    texts(key).zip(texts(end)).is_none_or(|(key, end)| key.0 == end.0 && key.1 < end.1)
}

#[async_trait::async_trait]
impl Table for TablestoreTable {
    fn row_bytes_max(&self) -> usize {
        ROW_BYTES_MAX
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        const OPERATION: &str = "GetRow";
        // No row has such a key, and the service takes it for none.
        if partition.is_empty() || sort.is_empty() {
            return Ok(None);
        }
        let request = GetRowRequest {
            table_name: self.table_name(),
            primary_key: key_of(partition, sort).encoded().into(),
            columns_to_get: Vec::new(),
            max_versions: Some(1),
        };
        let answer: GetRowResponse =
            retry(&self.client.options.retry, || self.call(OPERATION, &request)).await?;
        self.count(&answer.consumed);
        let unreadable = || bad_answer(OPERATION, UNREADABLE);
        let row = decoded(answer.row).ok_or_else(unreadable)?.pop();
        row.map(|row| read_row(row).ok_or_else(unreadable)).transpose()
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        // The service refuses a range without room.
        if from >= until || rows_max == 0 {
            return Ok(RowPage::default());
        }
        let (mut start, end) = (key_of(partition, from), key_of(partition, until));
        loop {
            let (rows, next) = self.page(start, &end, rows_max).await?;
            match next {
                // An answer may be empty and not the last.
                Some(next) if rows.is_empty() => start = next,
                next => return Ok(RowPage { rows, more: next.is_some() }),
            }
        }
    }

    /// Sent again only where the service did not carry it out: whether a write stands whose answer
    /// was lost is for a read to tell.
    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        if let Some(objection) = objection(row, ROW_BYTES_MAX) {
            let message = format!("PutRow: {} {}: {objection}", row.partition, row.sort);
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        let (condition, revision) = condition_of(condition);
        let request = PutRowRequest {
            table_name: self.table_name(),
            row: row_of(row, revision).encoded().into(),
            condition,
        };
        let changed_nothing = |error: &PortError| error.conclusion == Conclusion::NotDone;
        let written = retry_while(&self.client.options.retry, changed_nothing, || {
            self.call::<PutRowResponse>("PutRow", &request)
        })
        .await;
        match written {
            Ok(answer) => {
                self.count(&answer.consumed);
                Ok(Written::Done(revision.unsigned_abs()))
            }
            Err(error) if error.kind == ErrorKind::PreconditionFailed => {
                // Rows are not deleted: one that is read now is at least as new as the one that refused.
                match self.get(&row.partition, &row.sort).await {
                    Ok(found) => Ok(Written::Refused(found)),
                    // The write was refused, whatever became of the read.
                    Err(error) if error.is_transient() => {
                        Err(error.concluding(Conclusion::NotDone))
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::ports::Value;

    /// What is meant by MB the manual does not say: the smaller.
    const MB: usize = 1_000_000;

    /// Rows that take the most bytes: in the blob, in one attribute, in many.
    fn largest() -> [Row; 3] {
        let bare = Row { partition: "p".repeat(512), sort: "s".repeat(512), ..Row::default() };
        let left = ROW_BYTES_MAX - 1_024;
        let text = |bytes: usize| Value::Text("t".repeat(bytes));
        let one = [("name".to_owned(), text(left - 4))].into();
        let width = left / 1_000 - 4;
        let many = (0..1_000).map(|number| (format!("c{number:03}"), text(width)));
        [
            Row { blob: Some(vec![7; left].into()), ..bare.clone() },
            Row { attributes: one, ..bare.clone() },
            Row { attributes: many.collect(), ..bare },
        ]
    }

    #[test]
    fn the_largest_row_is_within_every_limit_of_the_service() {
        for row in largest() {
            assert_eq!(objection(&row, ROW_BYTES_MAX), None);
            let (condition, revision) = condition_of(Condition::Revision(u64::MAX));
            let plain = row_of(&row, revision);
            let encoded = plain.encoded();
            // A cell's value is less than the row that holds it.
            assert!(encoded.len() <= 2 * MB);
            assert!(ten_rows_fit_in_an_answer(&encoded));
            let request =
                PutRowRequest { table_name: "t".repeat(255), row: encoded.into(), condition };
            assert!(request.encoded_len() <= 4 * MB);
        }
    }

    fn ten_rows_fit_in_an_answer(row: &[u8]) -> bool {
        10 * row.len() <= 4 * MB
    }

    #[test]
    fn a_range_goes_on_only_within_its_bounds() {
        let end = key_of("p", "m");
        for (partition, sort, is_within) in
            [("p", "a", true), ("p", "m", false), ("p", "n", false), ("q", "a", false)]
        {
            assert_eq!(is_before(&key_of(partition, sort), &end), is_within, "{partition} {sort}");
        }
    }
}
