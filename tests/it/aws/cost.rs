//! What a pass costs on AWS, and what looking at one costs.

use std::sync::Arc;

use ossferry_conformance::memory::{MemoryBucket, MemoryTable};
use ossferry_core::job::Limits;
use ossferry_core::key::Key;
use ossferry_core::meter::{Meter, Requests};
use ossferry_core::object::ObjectHeaders;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Condition, Queue, Table, Written};
use ossferry_core::prices::Prices;
use ossferry_core::proof::Grade;
use ossferry_core::sums::{Sum, Walked};
use ossferry_core::time::Timestamp;
use ossferry_core::usage;
use ossferry_ledger::Ledger;
use ossferry_ledger::codec::{TypedRow, encode};
use ossferry_ledger::ids::{PassRef, RowId, SliceId, directory_row, pass_row, slice_row, task_row};
use ossferry_ledger::lease::Lease;
use ossferry_ledger::rows::{
    Child, DirectoryRow, PassRow, SliceRow, SliceState, TaskKind, TaskRow, TaskState,
};
use ossferry_tests::billed::BilledTable;
use ossferry_tests::drive::{Drive, Store, Weather};
use ossferry_tests::faulty::Fates;
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::post::Post;
use ossferry_tests::world::World;

/// As `DynamoDB` ends a page.
const PAGE_BYTES: usize = 1 << 20;

/// A copier of 512 MiB with 64 objects in flight, each two requests of 80 ms, and 75 MB a second.
fn function_millis(objects: u64, bytes: u64) -> u64 {
    objects * 160 / 64 + bytes / 75_000
}

/// A table in memory that pages and counts as `DynamoDB` does.
fn billed_store() -> Store {
    let meter = Arc::<Meter>::default();
    let table = MemoryTable::default().with_pages_of_bytes(PAGE_BYTES);
    let table = Arc::new(BilledTable::new(Arc::new(table), Arc::clone(&meter)));
    Store { table, meter }
}

#[tokio::test]
async fn a_million_small_objects_cost_the_host_less_than_a_tenth_of_a_dollar() {
    const OBJECTS: u64 = 20_000;
    let world = World::empty().await;
    let mut job = world.job.clone();
    job.limits = Limits::default();
    let bucket = || MemoryBucket::new(world.clock.clock());
    let (source, target) = (bucket(), bucket());
    for number in 0..OBJECTS {
        let key = Key::from(format!(
            "photos/2026/{:02}/{}/IMG_{number:07}.jpg",
            number % 12 + 1,
            number / 90
        ));
        source.write(&key, bytes_of(&key, 1, 60), &ObjectHeaders::default());
    }
    let store = billed_store();
    let meter = Arc::clone(&store.meter);
    let (clock, fates) = (&world.clock, Fates::kind());
    let (source, target) = (Arc::new(source), Arc::new(target));
    let mut drive = Drive::over(store, job, source, target, clock, &fates, Weather::default());
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass).await;
    let last = meter.take();
    let status = drive.ledger().status(&pass).await.unwrap();
    assert_eq!(status.totals.sum.of(Outcome::Copied), OBJECTS);

    let mut used = status.totals.walked.requests.clone();
    used.add(&status.totals.sum.requests);
    assert!(used.host[usage::WRITE_UNITS] > 5 * last[usage::WRITE_UNITS], "{used:?} {last:?}");
    used.add(&Requests { host: last, ..Requests::default() });
    // Each message is sent, received and deleted, though ten may share a call.
    let deliveries = drive.deliveries();
    used.host.insert(usage::QUEUE_REQUESTS.to_owned(), 3 * deliveries);
    used.host.insert(usage::INVOCATIONS.to_owned(), deliveries);
    let millis = function_millis(OBJECTS, OBJECTS * 10_000);
    used.host.insert(usage::GB_MILLISECONDS.to_owned(), usage::gb_milliseconds(512, millis));

    let prices = Prices::aws_us_east_1();
    let cost = prices.cost(&used, true).unwrap();
    let million = |dollars: f64| dollars * 1e6 / 20_000.0;
    println!("{OBJECTS} objects in {} tasks: {:?}", status.totals.tasks, used.host);
    println!(
        "a million: table ${:.4}, queues ${:.4}, functions ${:.4}, in all ${:.4}; estimate ${:.4}",
        million(cost.table),
        million(cost.queues),
        million(cost.functions),
        million(cost.host),
        prices.estimate(),
    );
    assert!(million(cost.host) <= 0.10, "${:.4} a million", million(cost.host));
    assert!(million(cost.host) <= prices.estimate(), "the estimate says less than is used");
    assert!(
        million(cost.host) * 1.3 >= prices.estimate(),
        "the estimate says far more than is used"
    );
}

/// Slices that have settled, and slices at work with the tasks of each.
const SETTLED: u64 = 960;
const LIVE: u64 = 16;
const TASKS_OF_SETTLED: u64 = 1_000;
const TASKS_OF_LIVE: u64 = 2_500;
const CHILDREN_OF_ROOT: u64 = 450;

async fn put<T: TypedRow>(table: &dyn Table, id: RowId, row: &T) {
    let written = table.put(&encode(&id, row), Condition::Absent).await.unwrap();
    assert_eq!(written, Written::Done(1));
}

fn key(number: u64) -> Key {
    Key::from(format!("photos/2026/07/{number:020}/a name of ordinary length.jpg"))
}

fn requests() -> Requests {
    let counts = |name: &str| [(name.to_owned(), 1_000_000)].into();
    let host = [usage::WRITE_UNITS, usage::READ_UNITS, "GetItem", "PutItem", "Query"];
    let host = host.map(|name| (name.to_owned(), 1_000_000)).into();
    let (source, target) = (counts("GetObject"), counts("PutObject"));
    Requests { source, target, host, ..Requests::default() }
}

fn sum(objects: u64) -> Sum {
    let mut sum = Sum::default();
    for _ in 0..objects {
        sum.count(Outcome::Copied, 10_000, Some(Grade::A));
    }
    sum.requests = requests();
    sum
}

/// The root has split off most slices, and its first child the others.
fn slice_id(number: u64) -> SliceId {
    let child = |parent: SliceId, number: u64| parent.child(usize::try_from(number).unwrap());
    match number {
        0 => SliceId::root(),
        1..CHILDREN_OF_ROOT => child(SliceId::root(), number),
        _ => child(child(SliceId::root(), 1), number - CHILDREN_OF_ROOT + 1),
    }
}

/// A pass in its middle.
async fn put_pass(table: &dyn Table, pass: &PassRef, definition: String) {
    let row = PassRow {
        definition,
        t1: Timestamp(1),
        began: Timestamp(1),
        ..PassRow::open(pass.job.clone(), pass.pass.clone())
    };
    put(table, pass_row(pass), &row).await;
    let walked =
        Walked { listed: 1_000, planned: 1_000, requests: requests(), ..Walked::default() };
    let total = SETTLED + LIVE;
    for number in 0..total {
        let children = match number {
            0 => 1..CHILDREN_OF_ROOT,
            1 => CHILDREN_OF_ROOT..total,
            _ => 0..0,
        };
        let child = |child: u64| Child {
            slice: slice_id(child),
            after: key(child),
            until: Some(key(child + 1)),
        };
        let children = children.map(child).collect();
        let slice = pass.slice(slice_id(number));
        if number < SETTLED {
            let entry = DirectoryRow {
                slice: slice.slice.clone(),
                after: Some(key(number)),
                until: Some(key(number + 1)),
                children,
                walked: walked.clone(),
                sum: sum(1_000),
                tasks: TASKS_OF_SETTLED,
            };
            put(table, directory_row(&slice), &entry).await;
            continue;
        }
        let row = SliceRow {
            state: SliceState::Walking,
            next_seq: TASKS_OF_LIVE + 1,
            settled_seq: 100,
            sent_seq: 164,
            settled_sum: sum(1_000),
            children,
            walked: walked.clone(),
            ..SliceRow::new(slice.slice.clone(), Some(key(number)), Some(key(number + 1)))
        };
        put(table, slice_row(&slice), &row).await;
        for seq in 101..=TASKS_OF_LIVE {
            put(table, task_row(&slice.task(seq)), &task(seq)).await;
        }
    }
}

fn task(seq: u64) -> TaskRow {
    let is_done = seq < 150;
    TaskRow {
        seq,
        kind: TaskKind::Batch,
        state: if is_done { TaskState::Done } else { TaskState::Planned },
        first_key: key(seq),
        last_key: key(seq + 1),
        objects: 1_000,
        bytes: 10_000_000,
        sum: if is_done { sum(1_000) } else { Sum::default() },
        attempts: 0,
        unnoted_deaths: 0,
        fruitless: 0,
        restoring: 0,
        lease: Lease { fence: 4, owner: None, until: Timestamp(0) },
        result_fences: Vec::new(),
        in_work: None,
        deaths: Vec::new(),
        list_digest: "00ff00ff00ff00ff".to_owned(),
        planned_at: Timestamp(1),
        started_at: None,
        ended_at: None,
        reminder: None,
    }
}

#[tokio::test]
async fn looking_at_a_pass_of_a_million_tasks_takes_at_most_a_hundred_reads() {
    let world = World::empty().await;
    let Store { table, meter } = billed_store();
    let pass = PassRef { job: "nightly".into(), pass: "p1".into() };
    let definition = world.job.to_json();
    put_pass(table.as_ref(), &pass, definition).await;
    meter.take();
    let post = || Arc::new(Post::new(world.clock.clock())) as Arc<dyn Queue>;
    let ledger = Ledger::new(table, post(), post(), world.clock.clock(), Arc::new(|_: &str| false));
    let status = ledger.status(&pass).await.unwrap();
    assert_eq!(status.totals.tasks, 1_000_000);
    assert_eq!(status.totals.slices, SETTLED + LIVE);
    assert_eq!(status.totals.sum.of(Outcome::Copied), (SETTLED + 50 * LIVE) * 1_000);
    let counts = meter.take();
    let reads = counts["GetItem"] + counts["Query"];
    println!("{reads} reads, {} units: {counts:?}", counts[usage::READ_UNITS]);
    assert!(reads <= 100, "{counts:?}");
}
