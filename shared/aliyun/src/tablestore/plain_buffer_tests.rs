use proptest::prelude::*;

use super::*;

/// What the official SDK writes for key `job="j1", task=7` and the columns of a PutRow.
const PUT: &str = "750000000103\
    04030000006a6f62050700000003020000006a310a02\
    0304040000007461736b05090000000007000000000000000aca\
    02030405000000737461746505090000000304000000444f4e450a0d\
    030405000000627974657305090000000000040000000000000aed\
    0304020000006f6b050200000002010a83\
    03040100000066050900000001000000000000f83f0a6a0991";

/// The same for an UpdateRow that writes one column and adds to another.
const UPDATE: &str = "750000000103\
    04030000006a6f62050700000003020000006a310a02\
    0304040000007461736b05090000000007000000000000000aca\
    020304050000007374617465050800000003030000005255\
    4e0a3203\
    0408000000617474656d707473050900000000010000000000000006040a30093c";

fn key() -> Vec<(String, CellValue)> {
    vec![
        ("job".to_owned(), CellValue::Text("j1".to_owned())),
        ("task".to_owned(), CellValue::Integer(7)),
    ]
}

fn put() -> PlainRow {
    let cells = vec![
        Cell::new("state", CellValue::Text("DONE".to_owned())),
        Cell::new("bytes", CellValue::Integer(1024)),
        Cell::new("ok", CellValue::Boolean(true)),
        Cell::new("f", CellValue::Double(1.5)),
    ];
    PlainRow { key: key(), cells, is_deletion: false }
}

fn update() -> PlainRow {
    let mut attempts = Cell::new("attempts", CellValue::Integer(1));
    attempts.change = Some(CellChange::Increment);
    let cells = vec![Cell::new("state", CellValue::Text("RUN".to_owned())), attempts];
    PlainRow { key: key(), cells, is_deletion: false }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn rows_are_written_and_read_as_the_official_sdk_writes_them() {
    for (row, expected) in [(put(), PUT), (update(), UPDATE)] {
        let bytes = row.encoded();
        assert_eq!(hex(&bytes), expected);
        assert_eq!(decoded(bytes.into()), Some(vec![row]));
    }
}

#[test]
fn the_value_of_a_condition_is_a_type_and_a_payload() {
    assert_eq!(hex(&CellValue::Text("NEW".to_owned()).encoded()), "03030000004e4557");
    assert_eq!(hex(&CellValue::Integer(5).encoded()), "000500000000000000");
}

#[test]
fn the_checksum_is_the_common_one() {
    assert_eq!(crc8(0, b"123456789"), 0xF4);
}

#[test]
fn no_byte_may_be_another_and_none_may_be_missing() {
    let bytes = encoded(&[put(), update()]);
    assert_eq!(decoded(bytes.clone().into()), Some(vec![put(), update()]));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let read = decoded(changed.into());
        assert_ne!(read, Some(vec![put(), update()]), "byte {at}");
        let ended = decoded(Bytes::copy_from_slice(&bytes[..at]));
        assert!(at == 0 || ended.is_none_or(|rows| rows.len() < 2), "ended at {at}");
    }
}

fn values() -> impl Strategy<Value = CellValue> {
    prop_oneof![
        any::<i64>().prop_map(CellValue::Integer),
        any::<bool>().prop_map(CellValue::Boolean),
        any::<String>().prop_map(CellValue::Text),
        any::<Vec<u8>>().prop_map(|bytes| CellValue::Blob(bytes.into())),
        Just(CellValue::Least),
        Just(CellValue::Greatest),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        key in proptest::collection::vec((any::<String>(), values()), 0..4),
        cells in proptest::collection::vec((any::<String>(), values(), any::<Option<i64>>()), 0..6),
        is_deletion: bool,
    ) {
        let cells = cells.into_iter().map(|(name, value, timestamp)| {
            Cell { timestamp, ..Cell::new(&name, value) }
        });
        let row = PlainRow { key, cells: cells.collect(), is_deletion };
        prop_assert_eq!(decoded(row.encoded().into()), Some(vec![row]));
    }

    #[test]
    fn whatever_comes_is_read_or_refused(bytes: Vec<u8>) {
        let mut tagged = HEADER.to_le_bytes().to_vec();
        tagged.extend_from_slice(&bytes);
        let _ = decoded(tagged.into());
        let _ = decoded(bytes.into());
    }
}
