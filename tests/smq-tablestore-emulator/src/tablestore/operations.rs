//! What each operation does.

use bytes::Bytes;
use ossferry_aliyun::tablestore::messages::{
    CapacityUnit, ConsumedCapacity, FORWARD, GetRangeRequest, GetRangeResponse, GetRowRequest,
    GetRowResponse, PutRowRequest, PutRowResponse,
};
use ossferry_aliyun::tablestore::plain_buffer::{Cell, PlainRow, decoded, encoded};
use ossferry_core::time::Timestamp;
use prost::Message;

use crate::tablestore::TablestoreEmulator;
use crate::tablestore::errors::{
    BODY_TOO_LARGE, INVALID_MESSAGE, INVALID_ROW, Refusal, TABLE_NOT_EXIST,
};
use crate::tablestore::filter;
use crate::tablestore::rows::check_cells;

/// Bytes of a request's body, and of the rows of one answer.
const BYTES_MAX: usize = 4 << 20;

/// Rows of one answer.
const PAGE_ROWS_MAX: usize = 5_000;

/// Bytes of a capacity unit.
const UNIT_BYTES: usize = 4 << 10;

impl TablestoreEmulator {
    /// Answers a request that was found to be signed.
    pub(crate) fn execute(
        &self,
        operation: &str,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Vec<u8>, Refusal> {
        if body.len() > BYTES_MAX {
            return Err(BODY_TOO_LARGE);
        }
        match operation {
            "PutRow" => self.put_row(read(body)?, now).map(|answer| answer.encode_to_vec()),
            "GetRow" => self.get_row(read(body)?).map(|answer| answer.encode_to_vec()),
            "GetRange" => self.get_range(read(body)?).map(|answer| answer.encode_to_vec()),
            _ => Err(Refusal::parameter(format!("Unsupported operation: '{operation}'."))),
        }
    }

    fn put_row(&self, request: PutRowRequest, now: Timestamp) -> Result<PutRowResponse, Refusal> {
        let bytes = request.row.len();
        let row = one_row(request.row)?;
        check_cells(&row)?;
        let mut tables = self.tables();
        let table = tables.get_mut(&request.table_name).ok_or(TABLE_NOT_EXIST)?;
        let key = table.key(&row.key, false)?;
        filter::check(&request.condition, table.get(&key))?;
        // The service dates every cell, and keeps them by name.
        let mut cells: Vec<Cell> = row.cells;
        for cell in &mut cells {
            cell.timestamp.get_or_insert(now.0);
        }
        cells.sort_by(|one, other| one.name.cmp(&other.name));
        table.put(key, cells);
        Ok(PutRowResponse { consumed: consumed(0, bytes) })
    }

    fn get_row(&self, request: GetRowRequest) -> Result<GetRowResponse, Refusal> {
        require_versions(request.max_versions)?;
        let wanted = one_row(request.primary_key)?;
        let tables = self.tables();
        let table = tables.get(&request.table_name).ok_or(TABLE_NOT_EXIST)?;
        let key = table.key(&wanted.key, false)?;
        let row = match table.get(&key) {
            Some(cells) => {
                table.plain(&key, &chosen(cells, &request.columns_to_get)).encoded().into()
            }
            None => Bytes::new(),
        };
        Ok(GetRowResponse { consumed: consumed(row.len(), 0), row })
    }

    fn get_range(&self, request: GetRangeRequest) -> Result<GetRangeResponse, Refusal> {
        require_versions(request.max_versions)?;
        if request.direction != FORWARD {
            return Err(Refusal::parameter("Only FORWARD is emulated.".to_owned()));
        }
        let tables = self.tables();
        let table = tables.get(&request.table_name).ok_or(TABLE_NOT_EXIST)?;
        let start = table.key(&one_row(request.inclusive_start_primary_key)?.key, true)?;
        let end = table.key(&one_row(request.exclusive_end_primary_key)?.key, true)?;
        if start >= end {
            let text = "Begin key must less than end key in FORWARD";
            return Err(Refusal::parameter(text.to_owned()));
        }
        let limit = match request.limit {
            None => PAGE_ROWS_MAX,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| *limit > 0)
                .ok_or_else(|| Refusal::parameter("The limit must be greater than 0.".to_owned()))?
                .min(PAGE_ROWS_MAX),
        };
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, None);
        for (key, cells) in table.range(&start, &end) {
            if rows.len() == limit || bytes >= BYTES_MAX {
                next = Some(table.plain(key, &[]).encoded().into());
                break;
            }
            let row = table.plain(key, &chosen(cells, &request.columns_to_get));
            bytes += row.encoded().len();
            rows.push(row);
        }
        let rows = if rows.is_empty() { Bytes::new() } else { encoded(&rows).into() };
        Ok(GetRangeResponse {
            consumed: consumed(rows.len(), 0),
            rows,
            next_start_primary_key: next,
        })
    }
}

fn read<M: Message + Default>(body: Bytes) -> Result<M, Refusal> {
    M::decode(body).map_err(|_| INVALID_MESSAGE)
}

fn one_row(bytes: Bytes) -> Result<PlainRow, Refusal> {
    let mut rows = decoded(bytes).ok_or(INVALID_ROW)?;
    if rows.len() == 1 { rows.pop().ok_or(INVALID_ROW) } else { Err(INVALID_ROW) }
}

/// The service refuses reads that say nothing of versions.
fn require_versions(max_versions: Option<i32>) -> Result<(), Refusal> {
    let is_said = max_versions.is_some_and(|versions| versions > 0);
    is_said.then_some(()).ok_or_else(|| {
        Refusal::parameter("No version condition is specified while querying row.".to_owned())
    })
}

fn chosen(cells: &[Cell], columns: &[String]) -> Vec<Cell> {
    let is_wanted = |cell: &&Cell| columns.is_empty() || columns.contains(&cell.name);
    cells.iter().filter(is_wanted).cloned().collect()
}

fn consumed(read_bytes: usize, written_bytes: usize) -> ConsumedCapacity {
    let units = |bytes: usize| i32::try_from(bytes.div_ceil(UNIT_BYTES)).ok();
    let capacity_unit = CapacityUnit { read: units(read_bytes), write: units(written_bytes) };
    ConsumedCapacity { capacity_unit }
}
