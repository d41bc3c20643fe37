//! Whether a row may be written.

use bytes::Bytes;
use ossferry_aliyun::tablestore::messages::{
    Condition, EQUAL, Filter, RowExistence, SINGLE_COLUMN_VALUE, SingleColumnValueFilter,
};
use ossferry_aliyun::tablestore::plain_buffer::{Cell, CellValue};
use prost::Message;

use crate::tablestore::errors::{
    CONDITION_CHECK_FAIL, INVALID_MESSAGE, Refusal, UNSUPPORTED_CONDITION,
};

/// Refuses a write whose condition does not hold of the row that stands, if one does.
pub(crate) fn check(condition: &Condition, standing: Option<&[Cell]>) -> Result<(), Refusal> {
    let existence = condition.row_existence;
    let exists = standing.is_some();
    let is_as_expected = if existence == RowExistence::ExpectExist as i32 {
        exists
    } else if existence == RowExistence::ExpectNotExist as i32 {
        !exists
    } else if existence == RowExistence::Ignore as i32 {
        true
    } else {
        return Err(Refusal::parameter(format!("Invalid row-existence expectation: {existence}.")));
    };
    let holds = match &condition.column_condition {
        Some(filter) => passes(filter.clone(), standing.unwrap_or_default())?,
        None => true,
    };
    if is_as_expected && holds { Ok(()) } else { Err(CONDITION_CHECK_FAIL) }
}

fn passes(filter: Bytes, cells: &[Cell]) -> Result<bool, Refusal> {
    let filter = Filter::decode(filter).map_err(|_| INVALID_MESSAGE)?;
    if filter.kind != SINGLE_COLUMN_VALUE {
        return Err(UNSUPPORTED_CONDITION);
    }
    let mut filter = SingleColumnValueFilter::decode(filter.filter).map_err(|_| INVALID_MESSAGE)?;
    if filter.comparator != EQUAL {
        return Err(UNSUPPORTED_CONDITION);
    }
    let wanted = CellValue::read(&mut filter.column_value).ok_or(INVALID_MESSAGE)?;
    let held = cells.iter().find(|cell| cell.name == filter.column_name);
    Ok(match held.and_then(|cell| cell.value.as_ref()) {
        Some(held) => *held == wanted,
        None => !filter.filter_if_missing,
    })
}
