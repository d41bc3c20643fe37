//! The messages of the operations that a ledger needs, and no more of each than it needs: fields that
//! are not named here are passed over (`table_store.proto`, `table_store_filter.proto` of the official
//! SDKs, 2026).

use bytes::Bytes;
use prost::Message;

/// Whether a row must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum RowExistence {
    /// It may.
    Ignore = 0,
    /// It must.
    ExpectExist = 1,
    /// It must not.
    ExpectNotExist = 2,
}

/// When a row may be written.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Condition {
    /// A number of [`RowExistence`].
    #[prost(int32, required, tag = "1")]
    pub row_existence: i32,
    /// An encoded [`Filter`].
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub column_condition: Option<Bytes>,
}

/// [`Filter::kind`]: a [`SingleColumnValueFilter`].
pub const SINGLE_COLUMN_VALUE: i32 = 1;

/// A condition on columns.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Filter {
    /// [`SINGLE_COLUMN_VALUE`], or others that are not used here.
    #[prost(int32, required, tag = "1")]
    pub kind: i32,
    /// The condition itself, encoded.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub filter: Bytes,
}

/// [`SingleColumnValueFilter::comparator`]: the column's value is this one.
pub const EQUAL: i32 = 1;

/// A condition on one column.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SingleColumnValueFilter {
    /// [`EQUAL`], or others that are not used here.
    #[prost(int32, required, tag = "1")]
    pub comparator: i32,
    /// The column.
    #[prost(string, required, tag = "2")]
    pub column_name: String,
    /// Type and payload: [`crate::tablestore::plain_buffer::CellValue::encoded`].
    #[prost(bytes = "bytes", required, tag = "3")]
    pub column_value: Bytes,
    /// Whether a row without the column fails the condition.
    #[prost(bool, required, tag = "4")]
    pub filter_if_missing: bool,
    /// Whether only the newest version of the column counts.
    #[prost(bool, required, tag = "5")]
    pub latest_version_only: bool,
}

/// Writes a row whole.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PutRowRequest {
    /// The table.
    #[prost(string, required, tag = "1")]
    pub table_name: String,
    /// The row, in PlainBuffer.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub row: Bytes,
    /// When it may be written.
    #[prost(message, required, tag = "3")]
    pub condition: Condition,
}

/// Reads a row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetRowRequest {
    /// The table.
    #[prost(string, required, tag = "1")]
    pub table_name: String,
    /// The row's key, in PlainBuffer.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub primary_key: Bytes,
    /// Columns to read; all where none is named.
    #[prost(string, repeated, tag = "3")]
    pub columns_to_get: Vec<String>,
    /// Versions of each column.
    #[prost(int32, optional, tag = "5")]
    pub max_versions: Option<i32>,
}

/// [`GetRangeRequest::direction`]: ascending.
pub const FORWARD: i32 = 0;

/// Reads rows in the order of their keys.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetRangeRequest {
    /// The table.
    #[prost(string, required, tag = "1")]
    pub table_name: String,
    /// [`FORWARD`], or 1.
    #[prost(int32, required, tag = "2")]
    pub direction: i32,
    /// Columns to read; all where none is named.
    #[prost(string, repeated, tag = "3")]
    pub columns_to_get: Vec<String>,
    /// Versions of each column.
    #[prost(int32, optional, tag = "5")]
    pub max_versions: Option<i32>,
    /// Rows at most.
    #[prost(int32, optional, tag = "6")]
    pub limit: Option<i32>,
    /// The first key, in PlainBuffer.
    #[prost(bytes = "bytes", required, tag = "7")]
    pub inclusive_start_primary_key: Bytes,
    /// The key before which the range ends, in PlainBuffer.
    #[prost(bytes = "bytes", required, tag = "8")]
    pub exclusive_end_primary_key: Bytes,
}

/// What a request cost.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ConsumedCapacity {
    /// In units of 4 KB.
    #[prost(message, required, tag = "1")]
    pub capacity_unit: CapacityUnit,
}

/// Units of 4 KB.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct CapacityUnit {
    /// Read.
    #[prost(int32, optional, tag = "1")]
    pub read: Option<i32>,
    /// Written.
    #[prost(int32, optional, tag = "2")]
    pub write: Option<i32>,
}

/// A row was written.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PutRowResponse {
    /// What it cost.
    #[prost(message, required, tag = "1")]
    pub consumed: ConsumedCapacity,
}

/// A row was read, or is not there.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetRowResponse {
    /// What it cost.
    #[prost(message, required, tag = "1")]
    pub consumed: ConsumedCapacity,
    /// In PlainBuffer; empty where it is not there.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub row: Bytes,
}

/// Rows were read.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetRangeResponse {
    /// What it cost.
    #[prost(message, required, tag = "1")]
    pub consumed: ConsumedCapacity,
    /// In PlainBuffer.
    #[prost(bytes = "bytes", required, tag = "2")]
    pub rows: Bytes,
    /// Where the rest of the range begins, where there is one.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub next_start_primary_key: Option<Bytes>,
}

/// The body of an answer that is no success.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Error {
    /// `OTSConditionCheckFail` and the like.
    #[prost(string, required, tag = "1")]
    pub code: String,
    /// A sentence.
    #[prost(string, optional, tag = "2")]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tablestore::plain_buffer::{Cell, CellValue, PlainRow};
    use crate::tablestore::sign::content_md5;

    fn row(cells: Vec<Cell>) -> Bytes {
        let key = vec![
            ("job".to_owned(), CellValue::Text("j1".to_owned())),
            ("task".to_owned(), CellValue::Integer(7)),
        ];
        PlainRow { key, cells, is_deletion: false }.encoded().into()
    }

    #[test]
    fn a_put_is_written_byte_for_byte_as_the_official_sdk_writes_it() {
        let request = PutRowRequest {
            table_name: "tasks".to_owned(),
            row: row(vec![
                Cell::new("state", CellValue::Text("DONE".to_owned())),
                Cell::new("bytes", CellValue::Integer(1024)),
                Cell::new("ok", CellValue::Boolean(true)),
                Cell::new("f", CellValue::Double(1.5)),
            ]),
            condition: Condition {
                row_existence: RowExistence::ExpectNotExist as i32,
                column_condition: None,
            },
        };
        let bytes = request.encode_to_vec();
        assert_eq!(bytes[..13], *b"\x0a\x05tasks\x12\x97\x01\x75\0\0");
        assert_eq!(bytes[bytes.len() - 4..], *b"\x1a\x02\x08\x02");
        assert_eq!(content_md5(&bytes), "N/yeOPPEjpF9QDd8tLiZlA==", "the digest of the SDK's body");
    }

    #[test]
    fn a_condition_is_written_byte_for_byte_as_the_official_sdk_writes_it() {
        let filter = SingleColumnValueFilter {
            comparator: EQUAL,
            column_name: "state".to_owned(),
            column_value: CellValue::Text("NEW".to_owned()).encoded().into(),
            filter_if_missing: true,
            latest_version_only: true,
        };
        let filter = Filter { kind: SINGLE_COLUMN_VALUE, filter: filter.encode_to_vec().into() };
        let condition = Condition {
            row_existence: RowExistence::Ignore as i32,
            column_condition: Some(filter.encode_to_vec().into()),
        };
        assert_eq!(
            condition.encode_to_vec(),
            b"\x08\x00\x12\x1b\x08\x01\x12\x17\x08\x01\x12\x05state\x1a\x08\x03\x03\0\0\0NEW\x20\x01\x28\x01"
        );
    }
}
