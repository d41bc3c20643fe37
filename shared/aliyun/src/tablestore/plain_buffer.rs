//! PlainBuffer, the encoding of rows: tagged cells, each with a checksum, and one over all of them.
//!
//! Alibaba Cloud manual, "Tablestore: PlainBuffer", 2026; checked byte for byte against the official
//! Python SDK. A reader verifies every checksum.

use bytes::{Buf, Bytes};

const HEADER: u32 = 0x75;
const TAG_ROW_PK: u8 = 0x01;
const TAG_ROW_DATA: u8 = 0x02;
const TAG_CELL: u8 = 0x03;
const TAG_CELL_NAME: u8 = 0x04;
const TAG_CELL_VALUE: u8 = 0x05;
const TAG_CELL_TYPE: u8 = 0x06;
const TAG_CELL_TIMESTAMP: u8 = 0x07;
const TAG_DELETE_ROW_MARKER: u8 = 0x08;
const TAG_ROW_CHECKSUM: u8 = 0x09;
const TAG_CELL_CHECKSUM: u8 = 0x0A;

/// What a cell holds.
#[derive(Clone, PartialEq, Debug)]
pub enum CellValue {
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Double(f64),
    /// A truth value.
    Boolean(bool),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
    /// In a bound of a range: before every value.
    Least,
    /// In a bound of a range: after every value.
    Greatest,
}

impl CellValue {
    fn type_byte(&self) -> u8 {
        match self {
            Self::Integer(_) => 0x00,
            Self::Double(_) => 0x01,
            Self::Boolean(_) => 0x02,
            Self::Text(_) => 0x03,
            Self::Blob(_) => 0x07,
            Self::Least => 0x09,
            Self::Greatest => 0x0A,
        }
    }

    /// Type and payload, as a condition carries a value.
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.push(&mut out);
        out
    }

    fn push(&self, out: &mut Vec<u8>) {
        out.push(self.type_byte());
        match self {
            Self::Integer(number) => out.extend_from_slice(&number.to_le_bytes()),
            Self::Double(number) => out.extend_from_slice(&number.to_le_bytes()),
            Self::Boolean(truth) => out.push(u8::from(*truth)),
            Self::Text(text) => push_block(out, text.as_bytes()),
            Self::Blob(bytes) => push_block(out, bytes),
            Self::Least | Self::Greatest => {}
        }
    }

    /// Reads type and payload. `None` where they are none.
    pub fn read(bytes: &mut Bytes) -> Option<Self> {
        Some(match bytes.try_get_u8().ok()? {
            0x00 => Self::Integer(bytes.try_get_i64_le().ok()?),
            0x01 => Self::Double(bytes.try_get_f64_le().ok()?),
            0x02 => Self::Boolean(bytes.try_get_u8().ok()? != 0),
            0x03 => Self::Text(read_text(bytes)?),
            0x07 => Self::Blob(read_block(bytes)?),
            0x09 => Self::Least,
            0x0A => Self::Greatest,
            _ => return None,
        })
    }
}

/// What an update does to a cell instead of writing its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CellChange {
    /// Removes every version.
    DeleteAllVersions = 0x01,
    /// Removes the version of its timestamp.
    DeleteOneVersion = 0x03,
    /// Adds its value to the number that stands.
    Increment = 0x04,
}

/// An attribute column of a row.
#[derive(Clone, PartialEq, Debug)]
pub struct Cell {
    /// The column.
    pub name: String,
    /// `None` where it is removed.
    pub value: Option<CellValue>,
    /// Of an update.
    pub change: Option<CellChange>,
    /// The version, in milliseconds since 1970: the service gives one to every cell.
    pub timestamp: Option<i64>,
}

impl Cell {
    /// A value to write.
    pub fn new(name: &str, value: CellValue) -> Self {
        Self { name: name.to_owned(), value: Some(value), change: None, timestamp: None }
    }
}

/// A row, or only its key.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PlainRow {
    /// Columns of the primary key in the table's order.
    pub key: Vec<(String, CellValue)>,
    /// Attribute columns.
    pub cells: Vec<Cell>,
    /// Whether the row is to be deleted.
    pub is_deletion: bool,
}

impl PlainRow {
    /// One row with its header.
    pub fn encoded(&self) -> Vec<u8> {
        encoded(std::slice::from_ref(self))
    }

    fn push(&self, out: &mut Vec<u8>) {
        let mut checksum = 0;
        out.push(TAG_ROW_PK);
        for (name, value) in &self.key {
            push_cell(out, &mut checksum, name, Some(value), None, None);
        }
        if !self.cells.is_empty() {
            out.push(TAG_ROW_DATA);
        }
        for Cell { name, value, change, timestamp } in &self.cells {
            push_cell(out, &mut checksum, name, value.as_ref(), *change, *timestamp);
        }
        if self.is_deletion {
            out.push(TAG_DELETE_ROW_MARKER);
        }
        out.extend_from_slice(&[TAG_ROW_CHECKSUM, crc8(checksum, &[u8::from(self.is_deletion)])]);
    }
}

/// Rows behind one header, as an answer carries them.
pub fn encoded(rows: &[PlainRow]) -> Vec<u8> {
    let mut out = HEADER.to_le_bytes().to_vec();
    for row in rows {
        row.push(&mut out);
    }
    out
}

/// Every row of an answer; none where it is empty. `None` where it is not whole or a checksum does
/// not hold.
pub fn decoded(mut bytes: Bytes) -> Option<Vec<PlainRow>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    (bytes.try_get_u32_le().ok()? == HEADER).then_some(())?;
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        rows.push(read_row(&mut bytes)?);
    }
    Some(rows)
}

fn push_block(out: &mut Vec<u8>, bytes: &[u8]) {
    // Longer ones are refused long before.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn push_cell(
    out: &mut Vec<u8>,
    row_checksum: &mut u8,
    name: &str,
    value: Option<&CellValue>,
    change: Option<CellChange>,
    timestamp: Option<i64>,
) {
    out.extend_from_slice(&[TAG_CELL, TAG_CELL_NAME]);
    push_block(out, name.as_bytes());
    let mut checksum = crc8(0, name.as_bytes());
    if let Some(value) = value {
        let payload = value.encoded();
        out.push(TAG_CELL_VALUE);
        push_block(out, &payload);
        checksum = crc8(checksum, &payload);
    }
    if let Some(change) = change {
        out.extend_from_slice(&[TAG_CELL_TYPE, change as u8]);
    }
    if let Some(timestamp) = timestamp {
        out.push(TAG_CELL_TIMESTAMP);
        out.extend_from_slice(&timestamp.to_le_bytes());
        checksum = crc8(checksum, &timestamp.to_le_bytes());
    }
    // Written before the timestamp, counted after it.
    if let Some(change) = change {
        checksum = crc8(checksum, &[change as u8]);
    }
    out.extend_from_slice(&[TAG_CELL_CHECKSUM, checksum]);
    *row_checksum = crc8(*row_checksum, &[checksum]);
}

fn read_block(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

fn read_text(bytes: &mut Bytes) -> Option<String> {
    String::from_utf8(read_block(bytes)?.into()).ok()
}

/// Whether this tag comes next; if so, it is behind.
fn passes(bytes: &mut Bytes, tag: u8) -> bool {
    let comes = bytes.first() == Some(&tag);
    if comes {
        bytes.advance(1);
    }
    comes
}

fn read_row(bytes: &mut Bytes) -> Option<PlainRow> {
    let (mut row, mut checksum) = (PlainRow::default(), 0);
    passes(bytes, TAG_ROW_PK).then_some(())?;
    while passes(bytes, TAG_CELL) {
        let cell = read_cell(bytes, &mut checksum)?;
        row.key.push((cell.name, cell.value?));
    }
    if passes(bytes, TAG_ROW_DATA) {
        while passes(bytes, TAG_CELL) {
            row.cells.push(read_cell(bytes, &mut checksum)?);
        }
    }
    row.is_deletion = passes(bytes, TAG_DELETE_ROW_MARKER);
    checksum = crc8(checksum, &[u8::from(row.is_deletion)]);
    passes(bytes, TAG_ROW_CHECKSUM).then_some(())?;
    (bytes.try_get_u8().ok()? == checksum).then_some(row)
}

fn read_cell(bytes: &mut Bytes, row_checksum: &mut u8) -> Option<Cell> {
    passes(bytes, TAG_CELL_NAME).then_some(())?;
    let name = read_text(bytes)?;
    let mut checksum = crc8(0, name.as_bytes());
    let mut cell = Cell { name, value: None, change: None, timestamp: None };
    if passes(bytes, TAG_CELL_VALUE) {
        let mut payload = read_block(bytes)?;
        checksum = crc8(checksum, &payload);
        cell.value = Some(CellValue::read(&mut payload)?);
        payload.is_empty().then_some(())?;
    }
    if passes(bytes, TAG_CELL_TYPE) {
        cell.change = Some(match bytes.try_get_u8().ok()? {
            0x01 => CellChange::DeleteAllVersions,
            0x03 => CellChange::DeleteOneVersion,
            0x04 => CellChange::Increment,
            _ => return None,
        });
    }
    if passes(bytes, TAG_CELL_TIMESTAMP) {
        let timestamp = bytes.try_get_i64_le().ok()?;
        checksum = crc8(checksum, &timestamp.to_le_bytes());
        cell.timestamp = Some(timestamp);
    }
    if let Some(change) = cell.change {
        checksum = crc8(checksum, &[change as u8]);
    }
    passes(bytes, TAG_CELL_CHECKSUM).then_some(())?;
    (bytes.try_get_u8().ok()? == checksum).then_some(())?;
    *row_checksum = crc8(*row_checksum, &[checksum]);
    Some(cell)
}

/// CRC-8 with polynomial 0x07 (CRC-8/SMBUS).
const CRC8: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut crc = 0x80_u8;
    // Each power of two from the one before it, and every other entry from those (the table is linear).
    let mut power = 1;
    while power < 256 {
        crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 };
        while index < power {
            table[power + index] = table[index] ^ crc;
            index += 1;
        }
        index = 0;
        power *= 2;
    }
    table
};

fn crc8(crc: u8, bytes: &[u8]) -> u8 {
    bytes.iter().fold(crc, |crc, byte| CRC8[usize::from(crc ^ byte)])
}

#[cfg(test)]
#[path = "plain_buffer_tests.rs"]
mod tests;
