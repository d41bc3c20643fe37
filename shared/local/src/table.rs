//! The table port over SQLite.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::ports::{Condition, Row, RowPage, Table, Value, Written};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::Database;

/// Bytes of one row. SQLite would hold more; but `DynamoDB` refuses an item over 400 KB (names, numbers
/// and a margin included), and a plan that was made here must fit there.
pub const ROW_BYTES_MAX: usize = 350 << 10;

/// Bytes of one key column, as the port says.
const KEY_BYTES_MAX: usize = 512;

/// Blob bytes after which a page of rows ends early: a page of large rows must fit memory.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Rows of a [`Database`].
#[derive(Clone)]
pub struct SqliteTable {
    database: Database,
}

impl SqliteTable {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Table for SqliteTable {
    fn row_bytes_max(&self) -> usize {
        ROW_BYTES_MAX
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        let (partition, sort) = (partition.to_owned(), sort.to_owned());
        let found = self
            .database
            .read("get row", move |connection| find(connection, &partition, &sort))
            .await?;
        found.map(Stored::into_row).transpose()
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        let (partition, from, until) = (partition.to_owned(), from.to_owned(), until.to_owned());
        let (stored, more) = self
            .database
            .read("get range", move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT partition, sort, revision, attributes, blob FROM ledger_row
                     WHERE partition = ? AND sort >= ? AND sort < ? ORDER BY sort",
                )?;
                let mut found = statement.query(params![partition, from, until])?;
                let (mut rows, mut bytes) = (Vec::new(), 0);
                while let Some(row) = found.next()? {
                    if rows.len() >= rows_max || bytes >= PAGE_BYTES_MAX {
                        return Ok((rows, true));
                    }
                    let row = Stored::read(row)?;
                    bytes += row.attributes.len() + row.blob.as_ref().map_or(0, Vec::len);
                    rows.push(row);
                }
                Ok((rows, false))
            })
            .await?;
        let rows = stored.into_iter().map(Stored::into_row).collect::<Result<_, _>>()?;
        Ok(RowPage { rows, more })
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        check_size(row)?;
        let stored = Stored::from_row(row);
        let outcome = self
            .database
            .write("put row", move |connection| write(connection, &stored, condition))
            .await?;
        Ok(match outcome {
            Ok(revision) => Written::Done(revision),
            Err(found) => Written::Refused(found.map(Stored::into_row).transpose()?),
        })
    }
}

/// A row as its columns hold it.
struct Stored {
    partition: String,
    sort: String,
    revision: i64,
    attributes: String,
    blob: Option<Vec<u8>>,
}

impl Stored {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            partition: row.get(0)?,
            sort: row.get(1)?,
            revision: row.get(2)?,
            attributes: row.get(3)?,
            blob: row.get(4)?,
        })
    }

    fn from_row(row: &Row) -> Self {
        let attributes: serde_json::Map<String, serde_json::Value> = row
            .attributes
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Text(text) => text.as_str().into(),
                    Value::Integer(number) => (*number).into(),
                };
                (name.clone(), value)
            })
            .collect();
        Self {
            partition: row.partition.clone(),
            sort: row.sort.clone(),
            revision: 0,
            attributes: serde_json::Value::Object(attributes).to_string(),
            blob: row.blob.as_deref().map(<[u8]>::to_vec),
        }
    }

    fn into_row(self) -> Result<Row, PortError> {
        let unreadable = |cause: &str| {
            let message = format!("read row {} {}: {cause}", self.partition, self.sort);
            PortError::new(ErrorKind::Storage, message).concluding(Conclusion::Refused)
        };
        let attributes: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.attributes)
                .map_err(|error| unreadable(&error.to_string()))?;
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => Ok((name, Value::Text(text))),
                serde_json::Value::Number(number) => match number.as_i64() {
                    Some(number) => Ok((name, Value::Integer(number))),
                    None => Err(unreadable("a number is not whole")),
                },
                _ => Err(unreadable("an attribute is neither text nor number")),
            })
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let revision = u64::try_from(self.revision).map_err(|_| unreadable("its revision"))?;
        Ok(Row {
            partition: self.partition,
            sort: self.sort,
            revision,
            attributes,
            blob: self.blob.map(Bytes::from),
        })
    }
}

fn find(connection: &Connection, partition: &str, sort: &str) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached(
            "SELECT partition, sort, revision, attributes, blob FROM ledger_row
             WHERE partition = ? AND sort = ?",
        )?
        .query_row([partition, sort], Stored::read)
        .optional()
}

/// The new revision, or the row that refused.
fn write(
    connection: &Connection,
    row: &Stored,
    condition: Condition,
) -> rusqlite::Result<Result<u64, Option<Stored>>> {
    let (changed, revision) = match condition {
        Condition::Absent => {
            let changed = connection
                .prepare_cached(
                    "INSERT INTO ledger_row (partition, sort, revision, attributes, blob)
                     VALUES (?, ?, 1, ?, ?) ON CONFLICT DO NOTHING",
                )?
                .execute(params![row.partition, row.sort, row.attributes, row.blob])?;
            (changed, 1)
        }
        Condition::Revision(revision) => {
            // No row was ever written so often that its revision exceeds the column.
            let expected = i64::try_from(revision).unwrap_or(0);
            let changed = connection
                .prepare_cached(
                    "UPDATE ledger_row SET revision = revision + 1, attributes = ?, blob = ?
                     WHERE partition = ? AND sort = ? AND revision = ?",
                )?
                .execute(params![row.attributes, row.blob, row.partition, row.sort, expected])?;
            (changed, revision.saturating_add(1))
        }
    };
    Ok(if changed == 1 { Ok(revision) } else { Err(find(connection, &row.partition, &row.sort)?) })
}

fn check_size(row: &Row) -> Result<(), PortError> {
    let refused = |cause: String| {
        let message = format!("put row {} {}: {cause}", row.partition, row.sort);
        Err(PortError::new(ErrorKind::Unsupported, message))
    };
    if row.partition.len() > KEY_BYTES_MAX || row.sort.len() > KEY_BYTES_MAX {
        return refused(format!("a key column is longer than {KEY_BYTES_MAX} bytes"));
    }
    let bytes = row.bytes();
    if bytes > ROW_BYTES_MAX {
        return refused(format!("{bytes} bytes are more than the {ROW_BYTES_MAX} of a row"));
    }
    Ok(())
}
