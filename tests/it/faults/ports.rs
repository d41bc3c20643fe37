//! Faults at the ports, and of messages and handlers, in one task under one seed.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, stream};
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::report::Report;
use ossferry_tests::drive::{Mishaps, Weather};
use ossferry_tests::faulty::{Fate, Fates};
use ossferry_tests::wire::{Fault, Hook, Rule};
use ossferry_tests::world::World;

/// Worlds at once.
const WORLDS: usize = 6;

/// Seeds of foul weather: `OSSFERRY_SEEDS=from..until` in the environment, for a longer watch.
fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("OSSFERRY_SEEDS").ok();
    let range = wanted.as_deref().and_then(|text| text.split_once(".."));
    range.map_or(0..30, |(from, until)| from.parse().unwrap()..until.parse().unwrap())
}

async fn moved(fates: &Fates, weather: Weather) -> (Report, Mishaps) {
    let world = World::small().await;
    let mut drive = world.drive(fates, weather);
    let pass = drive.begin("p1", None).await;
    drive.until_end(&pass, &world.oss).await;
    (drive.check(&pass, &world.oss, &world.expected).await, drive.mishaps())
}

/// A read that lost its answer is a read that failed.
fn is_effect(call: &str) -> bool {
    !["get", "range", "list", "head", "now", "list_parts", "list_uploads"]
        .contains(&call.split_once('.').map_or(call, |(_, method)| method))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_one_call_that_fails_or_loses_its_answer_changes_nothing_of_the_end() {
    let kind = Fates::kind();
    let (report, mishaps) = moved(&kind, Weather::default()).await;
    assert_eq!(mishaps, Mishaps::default());
    assert_eq!((report.listed, report.copied), (8, 8));
    let calls = kind.calls();
    let faults = (1..).zip(&calls).flat_map(|(number, call)| {
        let fates = if is_effect(call) { &[Fate::Fails, Fate::Lost][..] } else { &[Fate::Fails] };
        fates.iter().map(move |fate| (number, *call, *fate))
    });
    let runs = stream::iter(faults).map(|(number, call, fate)| async move {
        let (report, _) = moved(&Fates::one(number, fate), Weather::default()).await;
        assert_eq!(report.copied, 8, "call {number} ({call}) {fate:?}: {report:?}");
    });
    runs.buffer_unordered(WORLDS).collect::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_foul_weather_every_object_is_counted_once_and_stands_at_the_target() {
    let runs = stream::iter(seeds()).map(|seed| async move {
        let (report, mishaps) = moved(&Fates::kind(), Weather::foul(seed)).await;
        assert_eq!(report.copied + report.unchanged, 8, "seed {seed}: {report:?}");
        mishaps
    });
    let mishaps: Vec<Mishaps> = runs.buffer_unordered(WORLDS).collect().await;
    for of in [
        |mishaps: &Mishaps| mishaps.lost,
        |mishaps: &Mishaps| mishaps.doubled,
        |mishaps: &Mishaps| mishaps.unacknowledged,
        |mishaps: &Mishaps| mishaps.deaths,
    ] {
        assert!(
            mishaps.iter().map(of).sum::<u64>() > mishaps.len() as u64 / 2,
            "fair weather: {mishaps:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_foul_weather_with_failing_calls_every_object_is_counted_once() {
    let runs = stream::iter(seeds()).map(|seed| async move {
        let mut rng = fastrand::Rng::with_seed(seed);
        let fates = Fates::new(move |_, _| match rng.u32(0..100) {
            0..3 => Fate::Fails,
            3..6 => Fate::Lost,
            _ => Fate::Works,
        });
        let (report, _) = moved(&fates, Weather::foul(seed)).await;
        assert_eq!(report.copied + report.unchanged, 8, "seed {seed}: {report:?}");
    });
    runs.buffer_unordered(WORLDS).collect::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_foul_weather_a_split_walk_sees_every_key_once() {
    let runs = stream::iter(seeds().step_by(3)).map(|seed| async move {
        let world = World::wide().await;
        let mut rng = fastrand::Rng::with_seed(seed);
        let fates = Fates::new(move |_, _| match rng.u32(0..200) {
            0 => Fate::Fails,
            1 => Fate::Lost,
            _ => Fate::Works,
        });
        let mut drive = world.drive(&fates, Weather::foul(seed));
        let first = drive.begin("p1", None).await;
        drive.until_end(&first, &world.oss).await;
        let report = drive.check(&first, &world.oss, &world.expected).await;
        assert_eq!(report.listed, 100, "seed {seed}: {report:?}");
        assert_eq!(report.copied + report.unchanged, 100, "seed {seed}: {report:?}");
        // Once more: the join finds every one of them equal.
        let second = drive.begin("p2", None).await;
        drive.until_end(&second, &world.oss).await;
        let again = drive.check(&second, &world.oss, &world.expected).await;
        assert_eq!((again.listed, again.skipped), (100, 100), "seed {seed}: {again:?}");
        report.slices.max(again.slices)
    });
    let slices: Vec<u64> = runs.buffer_unordered(WORLDS).collect().await;
    assert!(slices.iter().filter(|slices| **slices > 2).count() > 3, "{slices:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_between_two_of_its_parts_is_taken_again_whole() {
    for from in [1, 2, 4, 6] {
        let mut world = World::empty().await;
        world.put_changing_from(&"large".into(), 6 * 102_400, from, 1).await;
        let mut drive = world.drive(&Fates::kind(), Weather::default());
        let pass = drive.begin("p1", None).await;
        drive.until_end(&pass, &world.oss).await;
        let report = drive.check(&pass, &world.oss, &world.expected).await;
        assert_eq!((report.copied, report.proof.a), (1, 1), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_three_times_is_deferred_and_the_next_pass_takes_it() {
    for size in [700, 6 * 102_400] {
        let mut world = World::empty().await;
        let key = "changing".into();
        // A large object is read by several at once: each reading overwrites it.
        world.put_changing(&key, size, if size > 200_000 { 40 } else { 3 }).await;
        world.put(&"calm".into(), 10).await;
        let mut drive = world.drive(&Fates::kind(), Weather::default());
        let first = drive.begin("p1", None).await;
        drive.until_end(&first, &world.oss).await;
        let records = drive.ledger().find_key(&first, &key).await.unwrap();
        let outcome = records[0].result.as_ref().and_then(|result| result.outcome);
        assert_eq!(outcome, Some(Outcome::Deferred), "{records:?}");
        let calm = [("calm".into(), world.expected[&"calm".into()].clone())].into();
        let report = drive.check(&first, &world.oss, &calm).await;
        assert_eq!((report.copied, report.deferred), (1, 1));
        // It has come to rest: what stands at the source now is what is to arrive.
        world.oss.wire().clear_rules();
        world.expected = world.oss.origin().objects().await;
        let second = drive.begin("p2", None).await;
        drive.until_end(&second, &world.oss).await;
        let report = drive.check(&second, &world.oss, &world.expected).await;
        assert_eq!((report.copied, report.skipped), (1, 1), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_at_which_workers_die_is_failed_by_name_and_the_rest_goes_on() {
    for name in ["z/1", "large"] {
        let mut world = World::small().await;
        let poison = Key::from(name);
        let mut drive = world.drive(&Fates::kind(), Weather::default());
        let knell = drive.knell();
        let hook: Hook = Arc::new(move || {
            knell.notify_waiters();
            async {}.boxed()
        });
        let rule = Rule::first("GetObject", Fault::After(hook)).of_key(&poison);
        world.oss.wire().rule(rule.at(1, u64::MAX));
        let pass = drive.begin("p1", None).await;
        drive.until_end(&pass, &world.oss).await;
        world.expected.remove(&poison);
        let report = drive.check(&pass, &world.oss, &world.expected).await;
        assert_eq!((report.copied, report.failed), (7, 1), "{name}: {report:?}");
        let records = drive.ledger().find_key(&pass, &poison).await.unwrap();
        let reason = records[0].result.as_ref().and_then(|result| result.reason.as_deref());
        assert!(reason.is_some_and(|reason| reason.contains("died")), "{name}: {reason:?}");
    }
}
