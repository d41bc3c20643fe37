"""Writes the inventories of this folder with pyarrow 26.0.1, whose ORC is Apache's writer in C++."""

import datetime

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as parquet

MADE = datetime.datetime(2026, 11, 20, 3, 14, 15, 926000)
SCHEMA = pa.schema(
    [
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("version_id", pa.string()),
        ("is_latest", pa.bool_()),
        ("is_delete_marker", pa.bool_()),
        ("size", pa.int64()),
        ("last_modified_date", pa.timestamp("ms")),
        ("e_tag", pa.string()),
        ("storage_class", pa.string()),
        ("is_multipart_uploaded", pa.bool_()),
    ]
)
KEYS = ["a", 'b, "c"\n%2F+ü', " z ", "ключ/名/🗝", "e" * 300]


def row(number):
    """One in five is a delete marker or an older version; some dates are past what 64 bits of nanoseconds hold."""
    is_marker = number % 10 == 7
    years = 400 * 365 * (number % 11 == 10)
    return {
        "bucket": "photos",
        "key": KEYS[number] if number < len(KEYS) else f"2026/{number // 100:03}/{number:05}.jpg",
        "version_id": None if number % 3 else f"v{number % 6}",
        "is_latest": number % 10 != 3,
        "is_delete_marker": is_marker,
        "size": None if is_marker else (2**63 - 1 if number == 2 else number * number % 7919),
        "last_modified_date": MADE + datetime.timedelta(days=years, milliseconds=1001 * (number % 50)),
        "e_tag": None if is_marker else f"{number % 17:032x}",
        "storage_class": None if is_marker else ["STANDARD", "GLACIER"][number % 2],
        "is_multipart_uploaded": number % 4 == 0,
    }


def table(count, schema=SCHEMA):
    return pa.Table.from_pylist([row(number) for number in range(count)], schema)


def instants():
    at = SCHEMA.get_field_index("last_modified_date")
    return SCHEMA.set(at, pa.field("last_modified_date", pa.timestamp("ms", "UTC")))


# Of several stripes, the keys of a part of them in a dictionary.
orc.write_table(table(1500), "zlib.orc", compression="zlib", stripe_size=4096, batch_size=500,
                dictionary_key_size_threshold=0.8)
parquet.write_table(table(1500), "rows.parquet", compression="gzip")
orc.write_table(table(60, instants()), "instants.zstd.orc", compression="zstd")
orc.write_table(table(60), "snappy.orc", compression="snappy")
orc.write_table(table(12), "unpacked.orc", compression="uncompressed", dictionary_key_size_threshold=0.8)
orc.write_table(table(0), "empty.orc", compression="zlib")
orc.write_table(table(12).drop_columns(["size"]), "no-size.orc", compression="zlib")
