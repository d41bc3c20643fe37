mod orc;

use std::sync::Arc;

use ossferry_conformance::memory::MemoryBucket;
use ossferry_core::job::ListingPlace;
use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::{ListRequest, ListStart, Source as _};
use ossferry_core::time::Timestamp;
use ossferry_lists::ListedBucket;
use parquet::basic::Compression as Packing;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// As S3 words it in a manifest.
const SCHEMA: &str = "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); \
                      optional boolean is_latest; optional boolean is_delete_marker; optional int64 size; \
                      optional int64 last_modified_date (TIMESTAMP(MILLIS,true)); \
                      optional binary e_tag (UTF8); optional binary storage_class (UTF8); }";

const MADE: i64 = 1_795_000_000_000;

struct Object {
    key: &'static str,
    is_latest: bool,
    size: Option<i64>,
}

const fn object(key: &'static str, size: i64) -> Object {
    Object { key, is_latest: true, size: Some(size) }
}

/// A file of these rows, packed as S3 packs it. Without a size a row is a delete marker.
fn parquet(objects: &[Object]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder().set_compression(Packing::SNAPPY).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let texts = |of: &dyn Fn(&Object) -> String| -> Vec<ByteArray> {
        objects.iter().map(|object| ByteArray::from(of(object).into_bytes())).collect()
    };
    let all = vec![1_i16; objects.len()];
    let has_size: Vec<i16> =
        objects.iter().map(|object| i16::from(object.size.is_some())).collect();
    for number in 0..8 {
        let mut column = group.next_column().unwrap().unwrap();
        match number {
            0 | 1 => {
                let of = |object: &Object| {
                    if number == 0 { "photos".to_owned() } else { object.key.to_owned() }
                };
                column.typed::<ByteArrayType>().write_batch(&texts(&of), None, None)
            }
            2 | 3 => {
                let of = |object: &Object| {
                    if number == 2 { object.is_latest } else { object.size.is_none() }
                };
                let flags: Vec<bool> = objects.iter().map(of).collect();
                column.typed::<BoolType>().write_batch(&flags, Some(&all), None)
            }
            4 => {
                let sizes: Vec<i64> = objects.iter().filter_map(|object| object.size).collect();
                column.typed::<Int64Type>().write_batch(&sizes, Some(&has_size), None)
            }
            5 => {
                let dates = vec![MADE - 1_500; objects.len()];
                column.typed::<Int64Type>().write_batch(&dates, Some(&all), None)
            }
            6 => {
                let etags = texts(&|object| format!("e-{}", object.key.len()));
                column.typed::<ByteArrayType>().write_batch(&etags, Some(&all), None)
            }
            _ => {
                let classes = texts(&|_| "GLACIER".to_owned());
                column.typed::<ByteArrayType>().write_batch(&classes, Some(&all), None)
            }
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    file.into_inner().unwrap()
}

/// An inventory in `folder`, of one file for each of these.
fn inventory(folder: &Path, format: &str, files: &[Vec<u8>]) -> ConvertInventoryArguments {
    let listed = files.iter().enumerate().map(|(number, bytes)| {
        std::fs::write(folder.join(format!("{number}.parquet")), bytes).unwrap();
        ListFile::of(format!("inv/data/{number}.parquet"), bytes)
    });
    let text = json!({
        "sourceBucket": "photos",
        "destinationBucket": "arn:aws:s3:::lists",
        "version": "2016-11-30",
        "creationTimestamp": MADE.to_string(),
        "fileFormat": format,
        "fileSchema": SCHEMA,
        "files": listed.collect::<Vec<_>>(),
    });
    let manifest = folder.join(MANIFEST);
    std::fs::write(&manifest, text.to_string()).unwrap();
    let output = folder.join("csv");
    ConvertInventoryArguments { manifest, files: None, output, prefix: "lists/".to_owned() }
}

/// What a job lists by the inventory at this manifest.
async fn listed(manifest: &Path) -> (Vec<Entry>, Timestamp) {
    let bucket = Arc::new(MemoryBucket::new(Arc::new(|| Timestamp(MADE + 1))));
    let place = ListingPlace::File(manifest.to_string_lossy().into_owned());
    let is_archived = |class: &str| class == "GLACIER";
    let bucket = ListedBucket::by_inventory(bucket, "photos", place, is_archived).await.unwrap();
    let start = ListStart::Beginning;
    let request = ListRequest { prefix: Key::default(), start, keys_max: 1_000 };
    let page = bucket.list(&request).await.unwrap();
    assert_eq!(page.next, None);
    (page.entries, bucket.now().await.unwrap())
}

#[tokio::test]
async fn every_current_object_is_listed_by_what_was_written_as_the_inventory_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let older = Object { is_latest: false, ..object("a", 3) };
    let marker = Object { size: None, ..object("gone", 0) };
    let first = parquet(&[object("a", 5), older, marker, object("b, \"c\"\n%2F+ü", i64::MAX)]);
    let files = [first, parquet(&[]), parquet(&[object(" z ", 0)])];
    let arguments = inventory(folder.path(), "Parquet", &files);
    let Converted { files, objects, manifest } = convert_files(&arguments).unwrap();
    assert_eq!((files, objects), (3, 3));
    let (entries, made) = listed(&manifest).await;
    assert_eq!(made, Timestamp(MADE));
    let seen: Vec<(&Key, u64)> = entries.iter().map(|entry| (&entry.key, entry.size)).collect();
    let keys = ["a", "b, \"c\"\n%2F+ü", " z "].map(Key::from);
    let largest = u64::try_from(i64::MAX).unwrap();
    assert_eq!(seen, [(&keys[0], 5), (&keys[1], largest), (&keys[2], 0)]);
    for entry in &entries {
        assert_eq!(entry.last_modified, Some(Timestamp(MADE - 1_500)));
        let etag = entry.etag.as_ref().map(|etag| etag.as_str().to_owned());
        assert_eq!(etag, Some(format!("e-{}", entry.key.as_bytes().len())));
        assert!(entry.archived, "of its class");
    }
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.contains("\"lists/00000.csv.gz\"") && text.contains("MD5checksum"), "{text}");
    let again = convert_files(&arguments).unwrap_err();
    assert!(matches!(again, CommandError::FileExists(_)), "{again}");
}

#[test]
fn what_cannot_be_converted_is_refused_and_leaves_no_manifest() {
    let refused = |format: &str, edit: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let arguments = inventory(folder.path(), format, &[parquet(&[object("a", 5)])]);
        edit(folder.path());
        let error = convert_files(&arguments).err().unwrap().to_string();
        assert!(!folder.path().join("csv").join(MANIFEST).exists());
        error
    };
    let untouched = |_: &Path| {};
    assert!(refused("CSV", &untouched).contains("CSV already"));
    let avro = refused("Avro", &untouched);
    assert!(avro.contains("its files are Avro") && avro.contains("Parquet or ORC"), "{avro}");
    let cut = refused("ORC", &untouched);
    assert!(cut.contains("inv/data/0.parquet: want an ORC file"), "{cut}");
    let missing = refused("Parquet", &|folder| {
        std::fs::remove_file(folder.join("0.parquet")).unwrap();
    });
    assert!(missing.contains("0.parquet"), "{missing}");
    let other = refused("Parquet", &|folder| {
        std::fs::write(folder.join("0.parquet"), parquet(&[object("b", 5)])).unwrap();
    });
    assert!(other.contains("its md5 is"), "{other}");
    let cut = refused("Parquet", &|folder| {
        let manifest = std::fs::read_to_string(folder.join(MANIFEST)).unwrap();
        let silent = manifest.replace("MD5checksum", "other");
        std::fs::write(folder.join(MANIFEST), silent).unwrap();
        std::fs::write(folder.join("0.parquet"), b"PAR1 cut").unwrap();
    });
    assert!(cut.contains("inv/data/0.parquet"), "{cut}");
    let nameless = refused("Parquet", &|folder| {
        let manifest = std::fs::read_to_string(folder.join(MANIFEST)).unwrap();
        let silent = manifest.replace("MD5checksum", "other");
        std::fs::write(folder.join(MANIFEST), silent).unwrap();
        std::fs::write(folder.join("0.parquet"), parquet(&[object("", 5)])).unwrap();
    });
    assert!(nameless.contains("row 1: want a key"), "{nameless}");
}
