//! A sample of every version of every message, row and list, as it stands in somebody's queue or table.
//!
//! The stored text is the contract: it must be read for ever, and what this version writes must be what
//! is stored for it. A change of either is a new version with samples of its own.

mod definitions;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ossferry_core::along::CannedAcl;
use ossferry_core::audit::Share;
use ossferry_core::fidelity::{Departures, Properties, Property};
use ossferry_core::key::Key;
use ossferry_core::meter::Requests;
use ossferry_core::object::{ETag, ObjectHeaders};
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Row, Value};
use ossferry_core::proof::Grade;
use ossferry_core::rates::shares::Portion;
use ossferry_core::sums::{Sum, Walked};
use ossferry_core::time::Timestamp;
use ossferry_ledger::codec::{TypedRow, decode, encode};
use ossferry_ledger::ids::{PassRef, RowId, SliceId};
use ossferry_ledger::lease::Lease;
use ossferry_ledger::lists::{
    Action, Audited, Expected, ObjectResult, PlannedObject, decode_keys, decode_objects,
    decode_results,
};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::{
    Child, ClosedWindows, CutoverRow, DeployedRow, DirectoryRow, JobRow, ListRow, MirrorRow,
    MirrorState, MirrorWish, OutstandingRow, PartResult, PassIndexRow, PassKind, PassRow,
    PassState, PassTotals, PlaceRow, RangeRow, RangeState, RateRow, RatesRow, SliceRow, SliceState,
    TaskKind, TaskRow, TaskState, UploadRow, UploadState,
};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn stored(folder_name: &str, file: &str, written_now: &str) -> String {
    let path = folder(folder_name).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|_| {
        panic!("{} is missing; this version writes:\n{written_now}", path.display())
    })
}

fn assert_all_tested(folder_name: &str, tested: &BTreeSet<String>) {
    let files = std::fs::read_dir(folder(folder_name)).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(&files, tested, "every stored sample has a test, and every test its sample");
}

#[test]
fn every_message_of_every_version_is_read() {
    let pass = PassRef { job: "nightly".into(), pass: "20261122T100000Z-k3".into() };
    let slice = pass.slice(SliceId::root().child(2));
    let task = slice.task(41);
    let mut tested = BTreeSet::new();
    for (name, message) in [
        ("slice", Message::Slice(slice)),
        ("task", Message::Task(task.clone())),
        ("upload", Message::Upload(task.clone())),
        ("range", Message::Range { task, generation: 1, range: 7 }),
    ] {
        let file = format!("{name}.v1.json");
        let text = stored("messages", &file, &message.to_text());
        assert_eq!(Message::from_text(text.trim_end()).as_ref(), Ok(&message), "{file}");
        assert_eq!(text.trim_end(), message.to_text(), "{file}");
        tested.insert(file);
    }
    assert_all_tested("messages", &tested);
}

fn attributes(row: &Row) -> String {
    let fields = row.attributes.iter().map(|(name, value)| {
        let value = match value {
            Value::Text(text) => serde_json::Value::from(text.clone()),
            Value::Integer(number) => serde_json::Value::from(*number),
        };
        (name.clone(), value)
    });
    serde_json::to_string_pretty(&serde_json::Value::Object(fields.collect())).unwrap()
}

fn row_of(text: &str) -> Row {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let attributes = fields.into_iter().map(|(name, value)| match value {
        serde_json::Value::String(text) => (name, Value::Text(text)),
        value => (name, Value::Integer(value.as_i64().unwrap())),
    });
    Row { attributes: attributes.collect(), ..Row::default() }
}

fn check_row<T: TypedRow + PartialEq + std::fmt::Debug>(
    tested: &mut BTreeSet<String>,
    name: &str,
    row: &T,
) {
    let id = RowId { partition: String::new(), sort: String::new() };
    let now = attributes(&encode(&id, row));
    let file = format!("{name}.v{}.json", T::VERSION);
    let text = stored("rows", &file, &now);
    assert_eq!(&decode::<T>(&row_of(&text)).unwrap(), row, "{file}");
    assert_eq!(text.trim_end(), now, "{file}");
    tested.insert(file);
}

fn requests() -> Requests {
    Requests {
        source: [("GetObject".to_owned(), 3)].into(),
        target: [("PutObject".to_owned(), 3)].into(),
        ..Requests::default()
    }
}

/// The same where a host bills.
fn billed() -> Requests {
    let host = [("PutItem".to_owned(), 4), ("write-units".to_owned(), 60)].into();
    Requests { host, ..requests() }
}

fn sum() -> Sum {
    let mut sum = Sum::default();
    sum.count(Outcome::Copied, 5, Some(Grade::A));
    sum.count(Outcome::Failed, 9, None);
    sum.requests = requests();
    sum
}

fn walked() -> Walked {
    Walked {
        listed: 9,
        listed_bytes: 90,
        filtered: 1,
        skipped_equal: 2,
        skipped_exists: 1,
        skipped_deleted: 1,
        planned: 4,
        planned_bytes: 40,
        target_heads: 1,
        requests: requests(),
    }
}

fn lease() -> Lease {
    Lease { fence: 4, owner: Some("w1/17".to_owned()), until: Timestamp(1_763_800_060_000) }
}

fn child() -> Child {
    Child { slice: "0.1".into(), after: Key::from("m%"), until: None }
}

fn pass_row() -> PassRow {
    PassRow {
        job: "nightly".into(),
        pass: "20261122T100000Z-k3".into(),
        kind: PassKind::Incremental,
        state: PassState::Finished,
        reason: Some("because".to_owned()),
        definition: "{}".to_owned(),
        definition_hash: "d1".to_owned(),
        scope_hash: "s1".to_owned(),
        t1: Timestamp(1_763_800_000_000),
        since: Some(Timestamp(1_763_700_000_000)),
        t2: Some(Timestamp(1_763_750_000_000)),
        began: Timestamp(1_763_800_000_500),
        ended: Some(Timestamp(1_763_800_900_000)),
        outstanding_chunks: 2,
        reread_millionths: None,
        rates_set_at: None,
        totals: Some(PassTotals { walked: walked(), sum: sum(), slices: 3, tasks: 8 }),
    }
}

fn slice_row() -> SliceRow {
    SliceRow {
        state: SliceState::Walking,
        token: Some("token".to_owned()),
        upper_hint: Some(Key::from("l")),
        cursor: Some(Key::new(vec![b'c', 0xff])),
        next_seq: 9,
        sent_seq: 8,
        settled_seq: 3,
        settled_sum: sum(),
        children: vec![child()],
        lease: lease(),
        walked: walked(),
        hops: 2,
        idle_hops: 1,
        failed_hops: 0,
        reason: Some("because".to_owned()),
        reminder: None,
        ..SliceRow::new(SliceId::root(), Some(Key::from("a")), Some(Key::from("m%")))
    }
}

fn task_row() -> TaskRow {
    TaskRow {
        seq: 8,
        kind: TaskKind::Batch,
        state: TaskState::Copying,
        first_key: Key::from("a b"),
        last_key: Key::from("a\u{1}"),
        objects: 2,
        bytes: 14,
        sum: sum(),
        attempts: 3,
        unnoted_deaths: 0,
        fruitless: 1,
        restoring: 0,
        lease: lease(),
        result_fences: vec![2, 3],
        in_work: Some(1),
        deaths: vec![1],
        list_digest: "00ff00ff00ff00ff".to_owned(),
        planned_at: Timestamp(1_763_800_000_600),
        started_at: Some(Timestamp(1_763_800_001_000)),
        ended_at: Some(Timestamp(1_763_800_002_000)),
        reminder: None,
    }
}

/// An audit has read a large object part of the way.
fn read_so_far() -> ObjectResult {
    ObjectResult {
        index: 3,
        crc64_ecma: Some(u64::MAX),
        bytes: 5 << 30,
        source_etag: Some(ETag::new("source")),
        ..ObjectResult::default()
    }
}

fn upload_row() -> UploadRow {
    UploadRow {
        generation: 2,
        state: UploadState::Complete,
        abort_reason: Some(ossferry_ledger::rows::AbortReason::Changed),
        lease: lease(),
        opening_at: Timestamp(1_763_800_000_700),
        upload_id: Some("upload".to_owned()),
        pinned_etag: Some(ETag::new("source")),
        size: 1 << 40,
        part_bytes: 128 << 20,
        range_parts: 16,
        ranges: 512,
        ranges_sent: 512,
        done_below: 512,
        headers: ObjectHeaders {
            content_type: Some("text/plain".to_owned()),
            cache_control: Some("no-cache".to_owned()),
            content_disposition: Some("inline".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            content_language: Some("de".to_owned()),
            expires: Some("Thu, 01 Dec 2026 16:00:00 GMT".to_owned()),
            user_metadata: vec![("owner".to_owned(), "a b".to_owned())],
        },
        left_behind: Some("metadata left behind: ü".to_owned()),
        departures: Departures::default(),
        acl: None,
        source_crc64_ecma: Some(u64::MAX.to_string()),
        source_crc64_nvme: Some("2".to_owned()),
        completing_at: Some(Timestamp(1_763_800_001_700)),
        crc64_ecma: Some(u64::MAX.to_string()),
        target_etag: Some(ETag::new("target-8192")),
        proof: Some(Grade::A),
        requests: requests(),
        attempts: 0,
        fruitless: 0,
    }
}

/// What limits a fleet.
fn check_rates(tested: &mut BTreeSet<String>) {
    let target_bytes = Portion { share: 25_000_000, demand: None };
    let target_requests = Portion { share: 1_500, demand: Some(2_000) };
    let rate = RateRow {
        owner: "00ff00ff00ff00ff".to_owned(),
        until: Timestamp(1_795_000_035_000),
        portions: [None, None, Some(target_bytes), Some(target_requests)],
    };
    check_row(tested, "rate", &rate);
    let rates = RatesRow {
        source_bytes_per_second: Some(0),
        source_requests_per_second: Some(500),
        target_bytes_per_second: Some(50_000_000),
        target_requests_per_second: Some(900),
        closed_windows: ClosedWindows::Ignored,
        at: Timestamp(1_795_000_000_000),
    };
    check_row(tested, "rates", &rates);
    let with_limits = PassRow { rates_set_at: Some(Timestamp(1_763_800_000_600)), ..pass_row() };
    check_row(tested, "pass-rated", &with_limits);
}

fn check_cutover(tested: &mut BTreeSet<String>) {
    let cutover = CutoverRow {
        scope_hash: "s1".to_owned(),
        began: Timestamp(2),
        delta_max: 100,
        mirror: MirrorWish::Wanted,
        caught_up: Some("p1".into()),
        switched_until: Some(Timestamp(5)),
        drained: Some("p2".into()),
        audited: Some("p3".into()),
        ended: Some(Timestamp(9)),
        ledger_digest: Some("00ff".to_owned()),
    };
    check_row(tested, "cutover", &cutover);
    let mirror = MirrorRow {
        state: MirrorState::On,
        bucket: "moved".to_owned(),
        rule_number: 8,
        url: "https://origin/".to_owned(),
        before: Some("<WebsiteConfiguration/>".to_owned()),
        written: Some("00ff".to_owned()),
        at: Timestamp(4),
    };
    check_row(tested, "mirror", &mirror);
}

#[test]
fn every_row_of_every_version_is_read() {
    let mut tested = BTreeSet::new();
    let tested = &mut tested;
    let job = JobRow {
        name: "nightly".into(),
        definition: "{}".to_owned(),
        definition_hash: "d1".to_owned(),
        scope_hash: "s1".to_owned(),
        active_pass: Some("p".into()),
        t2: Some(Timestamp(5)),
        deployed_at: None,
    };
    check_row(tested, "job", &job);
    let deployed = JobRow { deployed_at: Some(Timestamp(3)), ..job };
    check_row(tested, "job-deployed", &deployed);
    check_row(tested, "deployed", &DeployedRow { name: "nightly".into() });
    let place = PlaceRow { owner: "1-a.0f".to_owned(), until: Timestamp(1_795_000_090_000) };
    check_row(tested, "place", &place);
    check_rates(tested);
    let index = PassIndexRow {
        pass: "p".into(),
        kind: PassKind::Full,
        state: PassState::Skipped,
        scope_hash: "s1".to_owned(),
        began: Timestamp(5),
        ended: Some(Timestamp(6)),
        t1: Some(Timestamp(4)),
        cleared: Some(Timestamp(7)),
        note: Some("skipped: q is running".to_owned()),
    };
    check_row(tested, "pass-index", &index);
    check_cutover(tested);
    check_row(tested, "pass", &pass_row());
    let mut audited = sum();
    audited.count(Outcome::Equal, 9, Some(Grade::C));
    audited.count(Outcome::Missing, 0, None);
    let audit = PassRow {
        kind: PassKind::Audit,
        since: None,
        reread_millionths: Share::from_text("2.5%"),
        totals: Some(PassTotals { walked: walked(), sum: audited.clone(), slices: 3, tasks: 8 }),
        ..pass_row()
    };
    check_row(tested, "pass-audit", &audit);
    check_row(tested, "task-audit", &TaskRow { sum: audited, ..task_row() });
    let keys = OutstandingRow { first_key: Key::from("a"), last_key: Key::from("b"), keys: 2 };
    check_row(tested, "outstanding", &keys);
    check_row(tested, "slice", &slice_row());
    check_row(tested, "slice-failed", &SliceRow { failed_hops: 3, ..slice_row() });
    let settled = SliceRow { state: SliceState::Settled, ..slice_row() };
    check_row(tested, "directory", &DirectoryRow::of(&settled).unwrap());
    check_row(tested, "task", &task_row());
    let sum = Sum { requests: billed(), ..sum() };
    check_row(tested, "task-billed", &TaskRow { sum: sum.clone(), ..task_row() });
    let walked = Walked { requests: billed(), ..walked() };
    let billed_slice = SliceRow { walked, settled_sum: sum, ..slice_row() };
    check_row(tested, "slice-billed", &billed_slice);
    let mut departing = self::sum();
    departing.departures.count(departures());
    check_row(tested, "task-departures", &TaskRow { sum: departing, ..task_row() });
    check_row(tested, "list", &ListRow { fence: 4, entries: 2 });
    check_row(tested, "upload", &upload_row());
    let along =
        UploadRow { departures: departures(), acl: Some(CannedAcl::PublicRead), ..upload_row() };
    check_row(tested, "upload-along", &along);
    let part = PartResult {
        part_number: 17,
        etag: ETag::new("part"),
        crc64_ecma: u64::MAX,
        crc64_nvme: Some(3),
    };
    let range = RangeRow {
        state: RangeState::Done,
        lease: lease(),
        attempts: 1,
        results: vec![part],
        requests: requests(),
        ..RangeRow::new(1, 17, 16)
    };
    check_row(tested, "range", &range);
    assert_all_tested("rows", tested);
}

fn objects() -> Vec<PlannedObject> {
    let object = |key: &[u8], expected, action| PlannedObject {
        key: Key::new(key.to_vec()),
        size: 7,
        etag: Some(ETag::new("e")),
        last_modified: Some(Timestamp(1_763_800_000_000)),
        storage_class: Some("STANDARD_IA".to_owned()),
        expected,
        action,
    };
    let reason = "the key begins with /".to_owned();
    vec![
        object(b"a", Expected::Absent, Action::Copy { forbid_overwrite: false }),
        object(
            "é\u{1}".as_bytes(),
            Expected::Present(ETag::new("t")),
            Action::Copy { forbid_overwrite: true },
        ),
        object(
            b"/\xff",
            Expected::Unknown,
            Action::Record { outcome: Outcome::Unsupported, reason },
        ),
    ]
}

fn results() -> Vec<ObjectResult> {
    vec![
        ObjectResult {
            index: 0,
            outcome: Some(Outcome::Copied),
            proof: Some(Grade::B),
            crc64_ecma: Some(u64::MAX),
            bytes: 7,
            source_etag: Some(ETag::new("e")),
            target_etag: Some(ETag::new("E")),
            reason: None,
            departures: Departures::default(),
        },
        ObjectResult::plain(2, Outcome::Unsupported, "the key begins with /"),
    ]
}

/// What an audit compares, and what it finds.
fn audited() -> (Vec<PlannedObject>, Vec<ObjectResult>) {
    let kinds = [Audited::Answers, Audited::Bytes, Audited::Extra];
    let object = |audited| PlannedObject { action: Action::Audit(audited), ..objects()[0].clone() };
    let finding =
        |(index, outcome): (u32, &Outcome)| ObjectResult::plain(index, *outcome, outcome.as_str());
    (kinds.map(object).into(), (0..).zip(&Outcome::FINDINGS).map(finding).collect())
}

/// The first of the results, with departures.
fn departing() -> Vec<ObjectResult> {
    let [copied, unsupported] = <[ObjectResult; 2]>::try_from(results()).unwrap();
    vec![ObjectResult { departures: departures(), ..copied }, unsupported]
}

fn departures() -> Departures {
    Departures {
        mapped: Properties::default().with(Property::StorageClass, true),
        dropped: Properties::default().with(Property::Tags, true).with(Property::ObjectLock, true),
    }
}

/// Lists are compressed: another zstd may spell the same list in other bytes, so only reading is held.
#[test]
fn every_list_of_every_version_is_read() {
    let mut tested = BTreeSet::new();
    let mut read = |name: &str| {
        let file = format!("{name}.zst");
        let blob = std::fs::read(folder("lists").join(&file)).expect("the sample is stored");
        tested.insert(file);
        blob
    };
    assert_eq!(decode_objects(&read("objects.v1")).unwrap(), objects());
    assert_eq!(decode_results(&read("results.v1")).unwrap(), results());
    let keys = vec![Key::from("a"), Key::new(vec![b'b', 0xff])];
    assert_eq!(decode_keys(&read("keys.v1")).unwrap(), keys);
    let (objects, results) = audited();
    assert_eq!(decode_objects(&read("objects.v2")).unwrap(), objects);
    assert_eq!(decode_results(&read("results.v2")).unwrap(), results);
    assert_eq!(decode_results(&read("results.v3")).unwrap(), [read_so_far()]);
    assert_eq!(decode_results(&read("results.v4")).unwrap(), departing());
    assert_all_tested("lists", &tested);
}
