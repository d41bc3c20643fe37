//! From ossimport's sizes and rates to `[limits]`.

use ossferry_core::layout::{PART_BYTES_MAX, PART_BYTES_MIN, PUT_BYTES_MAX};

use super::cfg::{Became, Cfg};
use super::draft::Draft;

/// Spelled with its unit in every `sys.properties`.
const RATE: &str = "workerMaxThroughput(KB/s)";

/// What `sys.properties` is shipped with: 100 GB a second limits nothing.
const RATE_SHIPPED: u64 = 100_000_000;

/// Whether 1 KB is 1,000 or 1,024 bytes is not documented: the lower rate keeps to both.
const BYTES_PER_KB: u64 = 1_000;

/// The most that a job file takes.
const TASK_OBJECTS_MAX: u64 = 10_000;
const CONCURRENCY_MAX: u64 = 65_536;

/// Writes `[limits]`.
pub(super) fn read(cfg: &mut Cfg, draft: &mut Draft) {
    if let Some(rate) = cfg.whole(RATE) {
        if rate == 0 || rate >= RATE_SHIPPED {
            cfg.became(
                RATE,
                Became::NotNeeded,
                "limits nothing; a limit is limits.bytes_per_second",
            );
        } else {
            let bytes = rate.saturating_mul(BYTES_PER_KB);
            draft.limits.whole("bytes_per_second", bytes);
            let note = format!(
                "limits.bytes_per_second = {bytes}, of all workers together, where it was of each: \
                 multiply it by their number; 1 KB taken for 1,000 bytes, the lower of two readings"
            );
            cfg.became(RATE, Became::Mapped, note);
        }
    }
    let objects = cfg.whole("taskObjectCountLimit").filter(|count| *count > 0);
    number(cfg, draft, "taskObjectCountLimit", objects, "task_objects_max", 1, TASK_OBJECTS_MAX);
    let bytes = cfg.whole("taskObjectSizeLimit").filter(|count| *count > 0);
    number(cfg, draft, "taskObjectSizeLimit", bytes, "task_bytes_max", 1, i64::MAX.cast_unsigned());
    let threads = cfg.whole("workerTaskThreadNum").filter(|count| *count > 0);
    number(cfg, draft, "workerTaskThreadNum", threads, "concurrency_max", 1, CONCURRENCY_MAX);
    let split = size(cfg, "multipartUploadThreshold");
    number(cfg, draft, "multipartUploadThreshold", split, "split_bytes", 0, PUT_BYTES_MAX);
    let part = size(cfg, "multipartUploadPartSize");
    number(
        cfg,
        draft,
        "multipartUploadPartSize",
        part,
        "part_bytes",
        PART_BYTES_MIN,
        PART_BYTES_MAX,
    );
}

/// A number as it is, or the nearest that a job file takes.
fn number(
    cfg: &mut Cfg,
    draft: &mut Draft,
    key: &str,
    value: Option<u64>,
    limit: &str,
    least: u64,
    most: u64,
) {
    let Some(value) = value else { return };
    let taken = value.clamp(least, most);
    draft.limits.whole(limit, taken);
    if taken == value {
        cfg.became(key, Became::Kept, format!("limits.{limit} = {taken}"));
    } else {
        let note = format!("limits.{limit} = {taken}, the nearest that is taken");
        cfg.became(key, Became::Mapped, note);
    }
}

/// `50m`, `5g`, or bytes.
fn size(cfg: &mut Cfg, key: &str) -> Option<u64> {
    let text = cfg.text(key)?.to_ascii_lowercase();
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k')) => (&text[..at], 1 << 10),
        Some((at, 'm')) => (&text[..at], 1 << 20),
        Some((at, 'g')) => (&text[..at], 1 << 30),
        _ => (text.as_str(), 1),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    if bytes.is_none() {
        cfg.refuse(key, "is no size, as in 50m");
    }
    bytes
}
