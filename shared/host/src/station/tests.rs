//! A station over a real queue, with handlers that do as they are told.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;

use async_trait::async_trait;
use ossferry_ledger::ids::{PassRef, SliceId};
use ossferry_local::Database;
use tokio::time::timeout;

use super::*;

type Answer = Result<Handled, HandlerError>;

/// Gives the next of its answers, and notes what it was asked.
#[derive(Default)]
struct ScriptedHandler {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<(Message, Invocation)>>,
    takes: Duration,
}

#[async_trait]
impl Handler for ScriptedHandler {
    async fn work(&self, message: &Message, invocation: &Invocation) -> Answer {
        self.asked.lock().unwrap().push((message.clone(), invocation.clone()));
        sleep(self.takes).await;
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(Handled::Done))
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    millis: Arc<AtomicI64>,
    handler: Arc<ScriptedHandler>,
    station: Station,
    stop: watch::Sender<bool>,
}

impl Bench {
    fn new(handler: ScriptedHandler) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let millis = Arc::new(AtomicI64::new(1_000));
        let now = Arc::clone(&millis);
        let clock: Clock = Arc::new(move || Timestamp(now.load(Ordering::Relaxed)));
        let database = Database::open(folder.path().join("s"), Arc::clone(&clock)).unwrap();
        let handler = Arc::new(handler);
        let station = Station {
            name: "copier",
            queue: Arc::new(database.queue("q")),
            handler: Arc::clone(&handler) as Arc<dyn Handler>,
            slots: 2,
            busy: Arc::default(),
            gate: Arc::new(AtomicBool::new(true)),
            invocation: Duration::from_secs(30),
            terms: Terms::patient(Duration::from_secs(30)),
            worker_id: "worker".to_owned(),
            clock,
            activity: Activity::new(),
        };
        Self { _folder: folder, millis, handler, station, stop: watch::channel(false).0 }
    }

    async fn send(&self, bodies: &[String]) {
        let batch: Vec<_> = bodies.iter().map(|body| Outgoing::now(body.clone())).collect();
        assert!(self.station.queue.send(&batch).await.unwrap().refused.is_empty());
    }

    /// Works until nothing was done for a moment, then stops.
    async fn work(&self) -> Result<(), HandlerError> {
        self.stop.send_replace(false);
        let work = tokio::spawn(self.station.clone().run(self.stop.subscribe()));
        sleep(Duration::from_millis(300)).await;
        while self.station.activity.idle() < Duration::from_millis(300) && !work.is_finished() {
            sleep(Duration::from_millis(20)).await;
        }
        self.stop.send_replace(true);
        timeout(Duration::from_secs(10), work).await.unwrap().unwrap()
    }

    fn asked(&self) -> usize {
        self.handler.asked.lock().unwrap().len()
    }

    /// Messages that can be received now.
    async fn visible(&self) -> usize {
        let queue = &self.station.queue;
        queue.receive(10, Duration::ZERO, Duration::ZERO).await.unwrap().len()
    }
}

fn task(seq: u64) -> String {
    let pass = PassRef { job: "j".into(), pass: "p".into() };
    Message::Task(pass.slice(SliceId::root()).task(seq)).to_text()
}

fn answers(answers: impl IntoIterator<Item = Answer>) -> ScriptedHandler {
    ScriptedHandler {
        answers: Mutex::new(answers.into_iter().collect()),
        ..ScriptedHandler::default()
    }
}

#[tokio::test]
async fn what_is_done_is_acknowledged_and_every_call_has_an_owner_of_its_own() {
    let bench = Bench::new(answers([]));
    bench.send(&[task(1), task(2), task(3)]).await;
    bench.work().await.unwrap();
    bench.millis.store(i64::MAX / 2, Ordering::Relaxed);
    assert_eq!((bench.asked(), bench.visible().await), (3, 0));
    let asked = bench.handler.asked.lock().unwrap();
    let mut owners: Vec<_> = asked.iter().map(|(_, call)| call.owner.clone()).collect();
    owners.sort();
    owners.dedup();
    assert_eq!(owners.len(), 3);
    assert!(owners.iter().all(|owner| owner.starts_with("worker/")), "{owners:?}");
    assert!(asked.iter().all(|(_, call)| call.deadline == Timestamp(31_000)));
}

#[tokio::test]
async fn what_is_for_later_and_what_failed_for_now_comes_again_after_its_pause() {
    let error = HandlerError { is_transient: true, message: "busy".to_owned() };
    for (answer, pause_seconds) in
        [(Ok(Handled::Later(Duration::from_secs(7))), 7), (Err(error), 2)]
    {
        let bench = Bench::new(answers([answer]));
        bench.send(&[task(1)]).await;
        bench.work().await.unwrap();
        bench.millis.fetch_add(pause_seconds * 1_000 - 1, Ordering::Relaxed);
        assert_eq!((bench.asked(), bench.visible().await), (1, 0));
        bench.millis.fetch_add(1, Ordering::Relaxed);
        bench.work().await.unwrap();
        assert_eq!(bench.asked(), 2);
    }
}

#[tokio::test]
async fn an_error_that_will_not_change_ends_the_station_after_the_others_and_keeps_the_message() {
    let error = HandlerError { is_transient: false, message: "unreadable row".to_owned() };
    let handler = ScriptedHandler { takes: Duration::from_millis(50), ..answers([Err(error)]) };
    let bench = Bench::new(handler);
    bench.send(&[task(1), task(2), task(3)]).await;
    assert_eq!(bench.work().await.unwrap_err().message, "unreadable row");
    assert_eq!(bench.asked(), 2, "nothing new was begun");
    bench.millis.store(i64::MAX / 2, Ordering::Relaxed);
    assert_eq!(bench.visible().await, 2, "the failed one and the one not begun");
}

#[tokio::test]
async fn a_newer_message_waits_for_a_newer_worker_and_nonsense_is_thrown_away() {
    let bench = Bench::new(answers([]));
    bench.send(&[r#"{"version":9}"#.to_owned(), "nonsense".to_owned()]).await;
    bench.work().await.unwrap();
    assert_eq!((bench.asked(), bench.visible().await), (0, 0));
    bench.millis.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(bench.visible().await, 1);
}

#[tokio::test]
async fn a_closed_gate_lets_nothing_in() {
    let bench = Bench::new(answers([]));
    bench.station.gate.store(false, Ordering::Relaxed);
    bench.send(&[task(1)]).await;
    bench.work().await.unwrap();
    assert_eq!((bench.asked(), bench.visible().await), (0, 1));
}

#[test]
fn pauses_double_up_to_a_minute() {
    let seconds = [1, 2, 5, 6, 7, 1_000].map(|count| backoff(count).as_secs());
    assert_eq!(seconds, [2, 4, 32, 60, 60, 60]);
}

#[tokio::test]
async fn a_queue_that_gives_up_gets_what_is_put_off_anew_and_keeps_what_failed_for_good() {
    let error = HandlerError { is_transient: false, message: "unreadable row".to_owned() };
    let mut bench = Bench::new(answers([Ok(Handled::Later(Duration::from_secs(7))), Err(error)]));
    bench.station.slots = 1;
    bench.station.terms.gives_up = true;
    bench.station.terms.until = Timestamp(11_000);
    bench.send(&[task(1), task(2)]).await;
    bench.work().await.unwrap();
    bench.send(&["nonsense".to_owned()]).await;
    bench.work().await.unwrap();
    assert_eq!((bench.asked(), bench.visible().await), (2, 0));
    assert_eq!(bench.handler.asked.lock().unwrap()[0].1.deadline, Timestamp(11_000));
    bench.millis.fetch_add(7_000, Ordering::Relaxed);
    let again = bench.station.queue.receive(10, Duration::ZERO, Duration::ZERO).await.unwrap();
    let [again] = again.as_slice() else { panic!("{again:?}") };
    assert_eq!((again.body.as_str(), again.receive_count), (task(1).as_str(), 1), "sent anew");
    bench.millis.fetch_add(3_000, Ordering::Relaxed);
    assert_eq!(bench.visible().await, 3, "the failed one and the nonsense are there still");
}

#[test]
fn pauses_of_a_queue_that_gives_up_outlast_what_ails_a_service() {
    let seconds = [1, 2, 3, 4, 5, 1_000].map(|count| backoff_of_few(count).as_secs());
    assert_eq!(seconds, [10, 40, 160, 640, 900, 900]);
}
