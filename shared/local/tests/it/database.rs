//! One file under several handles, and after a process was killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use ossferry_core::ports::{Condition, Outgoing, Queue, Row, Table, Value, Written};
use ossferry_local::Database;

use crate::clock;

/// One of the ignored tests below as a process of its own, killed at the latest when dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(role: &str, folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        // A panic then goes to the error output, which is shown with the test's own.
        let arguments = ["--ignored", "--exact", "--nocapture", role];
        command.args(arguments).current_dir(folder).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn counter(number: i64) -> Row {
    Row {
        partition: "counter".into(),
        sort: "row".into(),
        attributes: BTreeMap::from([("number".into(), Value::Integer(number))]),
        ..Row::default()
    }
}

fn number_of(row: &Row) -> i64 {
    match row.attributes["number"] {
        Value::Integer(number) => number,
        Value::Text(_) => panic!("the number is a text"),
    }
}

/// Raises the counter `times` times, reading again whenever another was faster.
async fn raise(table: &dyn Table, times: usize) {
    let mut done = 0;
    while done < times {
        let (next, condition) = match table.get("counter", "row").await.unwrap() {
            Some(row) => (counter(number_of(&row) + 1), Condition::Revision(row.revision)),
            None => (counter(1), Condition::Absent),
        };
        if let Written::Done(_) = table.put(&next, condition).await.unwrap() {
            done += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_of_one_file_see_each_others_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let [a, b] = [(); 2].map(|()| Database::open(&path, clock()).unwrap());
    for number in 1..100_i64 {
        let condition = if number == 1 {
            Condition::Absent
        } else {
            Condition::Revision(number.unsigned_abs() - 1)
        };
        let (writer, reader) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let written = writer.table().put(&counter(number), condition).await.unwrap();
        assert_eq!(written, Written::Done(number.unsigned_abs()));
        let found = reader.table().get("counter", "row").await.unwrap().unwrap();
        assert_eq!(number_of(&found), number);
    }
    let _ = a.queue("tasks").send(&[Outgoing::now("message".into())]).await.unwrap();
    let hour = Duration::from_hours(1);
    let received = b.queue("tasks").receive(10, hour, Duration::ZERO).await.unwrap();
    assert_eq!(received.len(), 1);
    assert!(a.queue("tasks").receive(10, hour, Duration::ZERO).await.unwrap().is_empty());
    a.queue("tasks").ack(&received[0].receipt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_of_one_file_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path().join("state.sqlite"), clock()).unwrap();
    let [slices, tasks] = ["slices", "tasks"].map(|name| database.queue(name));
    let _ = slices.send(&[Outgoing::now("slice".into())]).await.unwrap();
    let hour = Duration::from_hours(1);
    assert!(tasks.receive(10, hour, Duration::ZERO).await.unwrap().is_empty());
    let received = slices.receive(10, hour, Duration::ZERO).await.unwrap();
    assert_eq!(received[0].body, "slice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_receivers_never_hold_the_same_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let databases = [(); 4].map(|()| Database::open(&path, clock()).unwrap());
    let batch: Vec<_> = (0..100).map(|number| Outgoing::now(number.to_string())).collect();
    let _ = databases[0].queue("tasks").send(&batch).await.unwrap();
    let receivers = databases.iter().map(|database| async move {
        let (queue, mut bodies) = (database.queue("tasks"), Vec::new());
        loop {
            let hour = Duration::from_hours(1);
            let received = queue.receive(3, hour, Duration::ZERO).await.unwrap();
            if received.is_empty() {
                return bodies;
            }
            bodies.extend(received.into_iter().map(|delivery| delivery.body));
        }
    });
    let mut bodies = futures::future::join_all(receivers).await.concat();
    bodies.sort_unstable_by_key(|body| body.parse::<u32>().unwrap());
    assert!(bodies.iter().eq(batch.iter().map(|message| &message.body)));
}

#[test]
fn a_new_file_that_many_open_at_once_is_ours_to_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..60 {
        let path = folder.path().join(format!("{round}.sqlite"));
        let gate = Barrier::new(6);
        std::thread::scope(|scope| {
            let opening = [(); 6].map(|()| {
                scope.spawn(|| {
                    gate.wait();
                    Database::open(&path, clock()).map(drop)
                })
            });
            for opened in opening {
                opened.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test]
#[ignore = "a process that another test starts"]
async fn process_that_raises_the_counter() {
    let database = Database::open("state.sqlite", clock()).unwrap();
    raise(&database.table(), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_lose_no_update() {
    let folder = tempfile::tempdir().unwrap();
    let role = "database::process_that_raises_the_counter";
    let processes = [(); 3].map(|()| Process::start(role, folder.path()));
    let database = Database::open(folder.path().join("state.sqlite"), clock()).unwrap();
    raise(&database.table(), 200).await;
    for mut process in processes {
        assert!(tokio::task::block_in_place(|| process.wait()).success());
    }
    let last = database.table().get("counter", "row").await.unwrap().unwrap();
    assert_eq!((number_of(&last), last.revision), (800, 800));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process that another test starts and kills"]
async fn process_that_writes_until_it_is_killed() {
    let database = Database::open("state.sqlite", clock()).unwrap();
    let (table, queue) = (database.table(), database.queue("tasks"));
    // More than any test waits for.
    for number in 1..20_000 {
        let row = Row {
            partition: "p".into(),
            sort: format!("{number:08}"),
            blob: Some(vec![7; 5_000].into()),
            ..Row::default()
        };
        let written = table.put(&row, Condition::Absent).await.unwrap();
        assert_eq!(written, Written::Done(1));
        let _ = queue.send(&[Outgoing::now(number.to_string())]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_left_by_a_killed_process_holds_every_row_before_its_message() {
    let folder = tempfile::tempdir().unwrap();
    let role = "database::process_that_writes_until_it_is_killed";
    for round in 1..=3_u64 {
        let path = folder.path().join(format!("{round}"));
        std::fs::create_dir(&path).unwrap();
        let mut process = Process::start(role, &path);
        let database = loop {
            // The other process may not have made the file yet.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let database = Database::open(path.join("state.sqlite"), clock()).unwrap();
            if database.table().get("p", &format!("{:08}", 20 * round)).await.unwrap().is_some() {
                break database;
            }
        };
        process.kill();
        drop(database);
        let database = Database::open(path.join("state.sqlite"), clock()).unwrap();
        let (table, queue) = (database.table(), database.queue("tasks"));
        let mut messages: u64 = 0;
        loop {
            let hour = Duration::from_hours(1);
            let received = queue.receive(100, hour, Duration::ZERO).await.unwrap();
            if received.is_empty() {
                break;
            }
            for delivery in received {
                messages += 1;
                let number: u64 = delivery.body.parse().unwrap();
                let row = table.get("p", &format!("{number:08}")).await.unwrap().unwrap();
                assert_eq!(row.blob.unwrap(), vec![7; 5_000]);
            }
        }
        let last = table.get("p", &format!("{:08}", messages + 2)).await.unwrap();
        assert!(messages >= 20 * round - 1 && last.is_none(), "{messages} messages");
    }
}
