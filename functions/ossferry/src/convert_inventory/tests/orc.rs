//! Inventories in ORC, as another writer makes them, and damaged.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use orc_rust::ArrowWriterBuilder;
use proptest::prelude::*;

use super::*;

/// A file of `tests/testdata/inventories`.
fn sample(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/testdata/inventories");
    std::fs::read(Path::new(folder).join(name)).unwrap()
}

fn rows(format: Format, file: Vec<u8>) -> Result<Vec<InventoryRow>, String> {
    let mut rows = Vec::new();
    format.read_rows(file.into(), &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

fn refusal(file: Vec<u8>) -> String {
    rows(Format::Orc, file).unwrap_err()
}

/// With the only place where these bytes stand replaced.
fn edited(mut file: Vec<u8>, bytes: &[u8], by: &[u8]) -> Vec<u8> {
    assert_eq!(bytes.len(), by.len());
    let mut places = (0..file.len()).filter(|&at| file[at..].starts_with(bytes));
    let (place, others) = (places.next().unwrap(), places.count());
    assert_eq!(others, 0);
    file[place..place + by.len()].copy_from_slice(by);
    file
}

fn written(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriterBuilder::new(&mut file, batch.schema()).try_build().unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn every_row_of_orc_is_the_row_that_parquet_has() {
    let parquet = rows(Format::Parquet, sample("rows.parquet")).unwrap();
    assert_eq!(parquet.len(), 1_200);
    for (name, objects) in [
        ("zlib.orc", 1_200),
        ("instants.zstd.orc", 48),
        ("snappy.orc", 48),
        ("unpacked.orc", 10),
        ("empty.orc", 0),
    ] {
        let orc = rows(Format::Orc, sample(name)).unwrap();
        assert_eq!(orc.len(), objects, "{name}");
        for (orc, parquet) in orc.iter().zip(&parquet) {
            assert_eq!(orc, parquet, "{name}");
        }
    }
    let [first, second, ..] = &*parquet else { panic!("no rows") };
    assert_eq!(second.key, "b, \"c\"\n%2F+ü".as_bytes());
    let at = Timestamp::from_rfc3339("2026-11-20T03:14:15.926Z");
    assert_eq!((first.last_modified, &*first.storage_class), (at, "STANDARD"));
}

#[tokio::test]
async fn an_inventory_in_orc_is_listed_by_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = sample("instants.zstd.orc");
    let arguments = inventory(folder.path(), "ORC", &[file.clone(), sample("empty.orc")]);
    let Converted { files, objects, manifest } = convert_files(&arguments).unwrap();
    assert_eq!((files, objects), (2, 48));
    let (entries, _) = listed(&manifest).await;
    for (entry, row) in entries.iter().zip(rows(Format::Orc, file).unwrap()) {
        assert_eq!((entry.key.as_bytes(), entry.size), (&*row.key, row.size));
        let etag = entry.etag.as_ref().map(ETag::as_str);
        assert_eq!((entry.last_modified, etag), (row.last_modified, Some(&*row.etag)));
        assert_eq!(entry.archived, row.storage_class == "GLACIER");
    }
    assert_eq!(entries.len(), 48);
}

#[test]
fn a_row_of_orc_without_key_or_size_is_named() {
    let keys = |second| Arc::new(StringArray::from(vec![Some("a"), second])) as ArrayRef;
    let sizes = |second| Arc::new(Int64Array::from(vec![Some(5), second])) as ArrayRef;
    for second in [None, Some("")] {
        let error = refusal(written(vec![("key", keys(second)), ("size", sizes(Some(1)))]));
        assert_eq!(error, "row 2: want a key, as text");
    }
    for second in [None, Some(-1)] {
        let error = refusal(written(vec![("key", keys(Some("b"))), ("size", sizes(second))]));
        assert_eq!(error, "row 2: want a size, as a whole number of 64 bits");
    }
    assert_eq!(refusal(written(vec![("size", sizes(Some(1)))])), "it has no column key");
    assert_eq!(refusal(sample("no-size.orc")), "it has no column size");
}

#[test]
fn names_of_columns_and_kinds_of_values_are_taken_as_they_come() {
    let key = Arc::new(BinaryArray::from(vec![&b"\xff/"[..]]));
    let number = |number| Arc::new(Int64Array::from(vec![number]));
    let date = Arc::new(StringArray::from(vec!["2026-11-20T03:14:15.926Z"]));
    let tags = Arc::new(StringArray::from(vec!["{}"]));
    let written = written(vec![
        ("Tags", tags),
        ("LastModifiedDate", date),
        ("Size", number(7)),
        ("ETag", number(1)),
        ("Key", key),
    ]);
    let last_modified = Timestamp::from_rfc3339("2026-11-20T03:14:15.926Z");
    let row = InventoryRow { key: b"\xff/".into(), size: 7, last_modified, ..<_>::default() };
    assert_eq!(rows(Format::Orc, written), Ok(vec![row]));
}

#[test]
fn what_an_orc_file_says_of_itself_is_not_believed() {
    let file = || sample("unpacked.orc");
    // Its types: the first is the one that they are all a part of, then twice the same.
    let parts: &[u8] = &[0x12, 10, 1, 2, 3, 4];
    for (by, said) in [
        (&[0x12, 10, 0, 2, 3, 4], "its 11 types are no tree"),
        (&[0x12, 10, 1, 1, 3, 4], "its 11 types are no tree"),
    ] {
        assert_eq!(refusal(edited(file(), parts, by)), said);
    }
    // The encoding of the classes with the number of texts in their dictionary, and what comes after it.
    let encoding: &[u8] = &[0x08, 3, 0x10, 2, 0x12, 4, 8, 0, 0x10, 0, 0x1a, 3];
    let larger = edited(file(), encoding, &[0x08, 3, 0x10, 13, 0x12, 4, 8, 0, 0x10, 0, 0x1a, 3]);
    assert_eq!(refusal(larger), "a dictionary is larger than its stripe");
    // The stripe: its beginning, and the lengths of index, data and footer. Then its rows.
    let stripe: &[u8] = &[0x1a, 13, 0x08, 3, 0x10, 0xe3, 0x02];
    let longer = edited(file(), stripe, &[0x1a, 13, 0x08, 3, 0x10, 0xe3, 0x7f]);
    assert_eq!(refusal(longer), "its stripe 1 is longer than the file");
    let fewer = edited(file(), &[0x28, 12, 0x22], &[0x28, 11, 0x22]);
    assert_eq!(refusal(fewer), "its stripes hold other rows than it counts");
    // The end of it: how it is packed, into blocks of how many bytes; then the version, here no known field.
    let end: &[u8] = &[0x10, 0, 0x18, 0x80, 0x80, 4, 0x22, 2, 0, 12];
    let blocks = edited(file(), end, &[0x10, 0, 0x18, 0x80, 0x80, 0x80, 8, 0x38, 0x80, 0]);
    assert_eq!(refusal(blocks), "its blocks are of 16777216 bytes, want 8 MiB at most");
    let lz4 = edited(file(), end, &[0x10, 4, 0x18, 0x80, 0x80, 4, 0x22, 2, 0, 12]);
    assert_eq!(refusal(lz4), "it is packed with LZ4: want ZLIB, SNAPPY, ZSTD or NONE");
}

#[test]
fn an_orc_file_that_is_cut_is_refused_wherever_it_is_cut() {
    for name in ["unpacked.orc", "instants.zstd.orc"] {
        let file = sample(name);
        for length in 0..file.len() {
            assert!(rows(Format::Orc, file[..length].to_vec()).is_err(), "{name} at {length}");
        }
    }
}

#[test]
fn a_panic_of_the_reader_is_an_error_of_its_file() {
    let error = reader_panics::contained(|| -> Result<(), String> { panic!("at byte {}", 7) });
    assert_eq!(error, Err("it is damaged".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_orc_file_ends_in_rows_or_in_an_error_that_names_it(
        name in prop::sample::select(&["zlib.orc", "instants.zstd.orc", "snappy.orc", "unpacked.orc"]),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..3),
    ) {
        let mut file = sample(name);
        for (place, damage) in damages {
            let place = place.index(file.len());
            file[place] ^= damage;
        }
        let folder = tempfile::tempdir().unwrap();
        let listed = ListFile::of("data/damaged.orc".to_owned(), &file);
        let written = folder.path().join("rows.csv.gz");
        if let Err(error) = write_rows(&listed, Format::Orc, file.into(), &written) {
            let error = error.to_string();
            prop_assert!(error.contains("data/damaged.orc: "), "{}", error);
        }
    }
}
