//! A pass of many slices is found finished without its tree being read for each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};
use ossferry_core::sums::Walked;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{JobName, PassId, PassRef, SliceId, SliceRef, slice_row};
use ossferry_ledger::lease::{Claimant, Hold};
use ossferry_ledger::rows::{JobRow, PassKind, PassState, Progress, SliceClaim, SliceRow};
use ossferry_ledger::{BeginPass, Ledger};
use ossferry_local::Database;

/// Slices split off the root.
const CHILDREN: usize = 100;

/// A table that counts the rows it gives.
#[derive(Clone)]
struct CountingTable {
    inner: Arc<dyn Table>,
    rows_read: Arc<AtomicUsize>,
}

#[async_trait]
impl Table for CountingTable {
    fn row_bytes_max(&self) -> usize {
        self.inner.row_bytes_max()
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        self.rows_read.fetch_add(1, Ordering::Relaxed);
        self.inner.get(partition, sort).await
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        let page = self.inner.range(partition, from, until, rows_max).await?;
        self.rows_read.fetch_add(page.rows.len(), Ordering::Relaxed);
        Ok(page)
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        self.inner.put(row, condition).await
    }
}

/// A pass whose root is settled and whose other slices are not.
struct Split {
    ledger: Ledger,
    database: Database,
    rows_read: Arc<AtomicUsize>,
    pass: PassRef,
    _folder: tempfile::TempDir,
}

/// A ledger of a process that has seen nothing yet.
fn new_process(database: &Database, rows_read: &Arc<AtomicUsize>) -> Ledger {
    let (inner, rows_read) = (Arc::new(database.table()), Arc::clone(rows_read));
    Ledger::new(
        Arc::new(CountingTable { inner, rows_read }),
        Arc::new(database.queue("planner")),
        Arc::new(database.queue("copier")),
        Arc::new(|| Timestamp(1)),
        Arc::new(|_: &str| false),
    )
}

impl Split {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let database = Database::open(path, Arc::new(|| Timestamp(1))).unwrap();
        let rows_read = Arc::<AtomicUsize>::default();
        let ledger = new_process(&database, &rows_read);
        let name = JobName("job".to_owned());
        let pass = PassRef { job: name.clone(), pass: PassId("pass".to_owned()) };
        let job = JobRow {
            name,
            definition: "{}".to_owned(),
            definition_hash: "definition".to_owned(),
            scope_hash: "scope".to_owned(),
            active_pass: None,
            t2: None,
            deployed_at: None,
        };
        let begin = BeginPass {
            job,
            pass: pass.pass.clone(),
            kind: PassKind::Full,
            t1: Timestamp(1),
            since: None,
            outstanding: Vec::new(),
            reread: None,
        };
        ledger.begin_pass(&begin).await.unwrap();
        let split = Self { ledger, database, rows_read, pass, _folder: folder };
        let root = split.pass.slice(SliceId::root());
        let hold = split.take(&root).await;
        for number in (1..=CHILDREN).rev() {
            split.ledger.split_slice(&root, &hold, &middle(number), None).await.unwrap();
        }
        split.ledger.commit_slice(&root, &hold, &listed(), 1).await.unwrap();
        split
    }

    async fn take(&self, slice: &SliceRef) -> Hold {
        let claimant = Claimant {
            owner: "planner".to_owned(),
            now: Timestamp(1),
            lease_until: Timestamp(2),
            known_dead: Arc::new(|_: &str| false),
        };
        let (row, claim) = self.ledger.take_slice(slice, &claimant).await.unwrap();
        assert_eq!(claim, SliceClaim::Mine);
        row.lease.hold().unwrap()
    }

    /// Lists a child to its end in that process: it is settled at once.
    async fn settle(&self, process: &Ledger, number: usize) {
        let slice = self.pass.slice(SliceId::root().child(number));
        let hold = self.take(&slice).await;
        process.commit_slice(&slice, &hold, &listed(), 1).await.unwrap();
    }

    async fn state(&self) -> PassState {
        self.ledger.pass(&self.pass).await.unwrap().state
    }
}

/// The end of a walk that met one key, which needs no work.
fn listed() -> Progress {
    let walked = Walked { listed: 1, filtered: 1, ..Walked::default() };
    Progress { cursor: Some(Key::from("key")), token: None, next_seq: 1, walked, listed: true }
}

/// The children are split off from the last key to the first.
fn middle(number: usize) -> Key {
    Key::from(format!("{number:05}").as_str())
}

/// Orders in which the slices settle: as a walk over the tree meets them, the other way round, and
/// without any order.
fn orders() -> [Vec<usize>; 3] {
    let up: Vec<usize> = (1..=CHILDREN).collect();
    let mut mixed = up.clone();
    fastrand::Rng::with_seed(7).shuffle(&mut mixed);
    [up.iter().rev().copied().collect(), up, mixed]
}

#[tokio::test]
async fn the_rows_read_until_a_pass_is_finished_grow_with_its_slices_and_not_with_their_square() {
    for order in orders() {
        let split = Split::new().await;
        split.rows_read.store(0, Ordering::Relaxed);
        for number in order {
            assert_eq!(split.state().await, PassState::Open);
            split.settle(&split.ledger, number).await;
        }
        assert_eq!(split.state().await, PassState::Finished);
        let rows_read = split.rows_read.load(Ordering::Relaxed);
        assert!(rows_read <= 12 * CHILDREN, "{rows_read} rows were read for {CHILDREN} slices");
    }
}

#[tokio::test]
async fn of_two_processes_that_settle_slices_in_any_order_one_finds_the_pass_finished() {
    for order in orders() {
        let split = Split::new().await;
        let processes = [0, 1].map(|_| new_process(&split.database, &split.rows_read));
        for (turn, number) in order.into_iter().enumerate() {
            assert_eq!(split.state().await, PassState::Open);
            split.settle(&processes[turn * 7 / 5 % 2], number).await;
        }
        assert_eq!(split.state().await, PassState::Finished);
    }
}

#[tokio::test]
async fn a_pass_is_finished_though_whoever_settled_its_last_slice_died_before_it_looked() {
    for seen in [0, CHILDREN / 2, CHILDREN] {
        let split = Split::new().await;
        let sweeper = new_process(&split.database, &split.rows_read);
        for number in 1..CHILDREN {
            let process = if number < seen { &sweeper } else { &split.ledger };
            split.settle(process, number).await;
        }
        let slice = split.pass.slice(SliceId::root().child(CHILDREN));
        let hold = split.take(&slice).await;
        let last = slice_row(&slice);
        split.ledger.change(&last, |row: &SliceRow| row.commit(&hold, &listed())).await.unwrap();
        assert_eq!(split.state().await, PassState::Open);
        sweeper.sweep(&split.pass, 1, Duration::ZERO).await.unwrap();
        assert_eq!(split.state().await, PassState::Finished, "the sweeper had seen {seen}");
    }
}
