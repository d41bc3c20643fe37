//! Faults at the ports, and of messages and handlers, each run decided by one seed.

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::report::Report;
use ossferry_ledger::ids::objects_row;
use ossferry_ledger::rows::TaskKind;
use ossferry_tests::faulty::{Fate, Fates};
use ossferry_tests::seeds;
use ossferry_tests::simulation::{Chance, Mishaps, Simulation, Stage, Weather};

/// So many seeds show something together, which a few that are run again need not.
const MANY: usize = 20;

/// Objects of the small stage.
const OBJECTS: u64 = 8;

/// A read that lost its answer is a read that failed.
fn is_effect(call: &str) -> bool {
    !["get", "range", "list", "head", "now", "list_parts", "list_uploads", "open"]
        .contains(&call.split_once('.').map_or(call, |(_, method)| method))
}

/// The small stage, on which objects are overwritten when they are read.
fn small(seed: u64, fates: &Fates, weather: Weather) -> Simulation {
    let simulation = Simulation::new(seed, Stage::small, fates.clone(), weather);
    let chance = Chance::of_seed(!seed);
    simulation.stage.overwrite_at(&"changing".into(), 1);
    simulation.stage.overwrite_at(&"large".into(), chance.within(1..12));
    // Only where its first reading came to nothing, but may have left a request on its way.
    simulation.stage.overwrite_at(&"z/1".into(), 2);
    simulation.stage.overwrite_at(&"z/2".into(), 2);
    simulation
}

async fn moved(simulation: &mut Simulation) -> Report {
    let pass = simulation.begin("p1").await;
    simulation.until_end(&pass).await;
    let stale = simulation.stage.stale();
    let report = simulation.check_all_but(&pass, &stale).await.report;
    assert_eq!(report.copied + report.unchanged, OBJECTS, "{report:?}");
    if !stale.is_empty() {
        let next = simulation.begin("p2").await;
        simulation.until_end(&next).await;
        simulation.check(&next).await;
    }
    report
}

/// Calls fail, or lose their answers, so many times in a hundred each.
fn fates_of(seed: u64, percent: u32) -> Fates {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5EED);
    Fates::new(move |_, _| match rng.u32(0..100) {
        drawn if drawn < percent => Fate::Fails,
        drawn if drawn < 2 * percent => Fate::Lost,
        _ => Fate::Works,
    })
}

fn calls_of_a_kind_run() -> Vec<&'static str> {
    seeds::under(0, async {
        let kind = Fates::kind();
        let mut simulation = small(0, &kind, Weather::default());
        moved(&mut simulation).await;
        assert_eq!(simulation.mishaps(), Mishaps::default());
        kind.calls()
    })
}

#[test]
fn one_seed_is_one_run_call_by_call() {
    let trace = |seed| {
        seeds::under(seed, async move {
            let mut simulation = small(seed, &fates_of(seed, 2), Weather::foul());
            moved(&mut simulation).await;
            simulation.trace()
        })
    };
    for seed in 0..4 {
        let (first, again) = (trace(seed), trace(seed));
        let parted = first.iter().zip(&again).position(|(first, again)| first != again);
        assert_eq!(parted.map(|at| (&first[at], &again[at])), None, "seed {seed}");
        assert_eq!(first.len(), again.len(), "seed {seed}");
    }
    assert_ne!(trace(0), trace(1));
}

#[test]
fn any_one_call_that_fails_or_loses_its_answer_changes_nothing_of_the_end() {
    let calls = calls_of_a_kind_run();
    let faults: Vec<(u64, &str, Fate)> = (1..)
        .zip(&calls)
        .flat_map(|(number, call)| {
            let fates =
                if is_effect(call) { &[Fate::Fails, Fate::Lost][..] } else { &[Fate::Fails] };
            fates.iter().map(move |fate| (number, *call, *fate))
        })
        .collect();
    let count = faults.len() as u64;
    assert!(count > 300, "{count} faults");
    // The faults by number, in place of seeds: one that fails is run again in the same way.
    let wanted = seeds::wanted(0..count);
    seeds::each(wanted.start..wanted.end.min(count), |index| {
        let (number, call, fate) = faults[usize::try_from(index).unwrap()];
        async move {
            println!("fault {index}: call {number} ({call}) {fate:?}");
            let mut simulation = small(0, &Fates::one(number, fate), Weather::default());
            moved(&mut simulation).await;
        }
    });
}

#[test]
fn any_two_calls_that_fail_or_lose_their_answers_change_nothing_of_the_end() {
    let calls = calls_of_a_kind_run().len() as u64;
    seeds::each(seeds::wanted(0..60), |seed| async move {
        let chance = Chance::of_seed(seed);
        let drawn = [chance.within(1..calls), chance.within(1..calls + 20)];
        let fate = if chance.in_a_thousand(300) { Fate::Fails } else { Fate::Lost };
        let fates =
            Fates::new(move |number, _| if drawn.contains(&number) { fate } else { Fate::Works });
        let weather = Weather { at_once: 3, doubled: 500, ..Weather::default() };
        moved(&mut small(seed, &fates, weather)).await;
    });
}

#[test]
fn in_foul_weather_every_object_is_counted_once_and_stands_at_the_target() {
    let mishaps = seeds::each(seeds::wanted(0..80), |seed| async move {
        let percent = u32::try_from(seed % 3).unwrap();
        let mut simulation = small(seed, &fates_of(seed, percent), Weather::foul());
        moved(&mut simulation).await;
        simulation.mishaps()
    });
    for of in [
        |mishaps: &Mishaps| mishaps.lost,
        |mishaps: &Mishaps| mishaps.doubled,
        |mishaps: &Mishaps| mishaps.unacknowledged,
        |mishaps: &Mishaps| mishaps.deaths,
        |mishaps: &Mishaps| mishaps.freezes,
    ] {
        let sum: u64 = mishaps.iter().map(of).sum();
        let is_foul = sum > mishaps.len() as u64 / 2;
        assert!(is_foul || mishaps.len() < MANY, "fair weather: {mishaps:?}");
    }
}

#[test]
fn a_worker_that_stands_still_past_its_lease_sends_and_writes_nothing_more() {
    seeds::each(seeds::wanted(0..40), |seed| async move {
        let weather = Weather { at_once: 3, freezes: 700, ..Weather::default() };
        let mut simulation = small(seed, &Fates::kind(), weather);
        moved(&mut simulation).await;
        assert!(simulation.mishaps().freezes > 0);
    });
}

#[test]
fn a_clock_that_is_set_on_frees_leases_and_their_holders_stop() {
    seeds::each(seeds::wanted(0..20), |seed| async move {
        let weather = Weather { at_once: 3, jumps: 200, ..Weather::default() };
        // Requests on their way cannot be called back: nothing is overwritten meanwhile.
        let mut simulation = Simulation::new(seed, Stage::small, Fates::kind(), weather);
        moved(&mut simulation).await;
    });
}

#[test]
fn bytes_that_may_still_arrive_are_waited_for_before_newer_ones_are_written() {
    seeds::each(seeds::wanted(0..50), |seed| async move {
        let weather = Weather { at_once: 3, hurried: 800, doubled: 300, ..Weather::default() };
        let mut simulation = Simulation::new(seed, Stage::small, fates_of(seed, 1), weather);
        for key in ["a/1", "a/2", "changing", "z/1", "z/2"] {
            simulation.stage.overwrite_at(&key.into(), 2);
        }
        moved(&mut simulation).await;
    });
}

#[test]
fn in_foul_weather_a_split_walk_sees_every_key_once() {
    let slices = seeds::each(seeds::wanted(0..25), |seed| async move {
        let mut simulation = Simulation::new(seed, Stage::wide, fates_of(seed, 1), Weather::foul());
        let first = simulation.begin("p1").await;
        simulation.until_end(&first).await;
        let report = simulation.check(&first).await.report;
        assert_eq!((report.listed, report.copied + report.unchanged), (40, 40), "{report:?}");
        // Once more: the join finds every one of them equal.
        let second = simulation.begin("p2").await;
        simulation.until_end(&second).await;
        let again = simulation.check(&second).await.report;
        assert_eq!((again.listed, again.skipped), (40, 40), "{again:?}");
        report.slices.max(again.slices)
    });
    let is_split = slices.iter().any(|slices| *slices > 1);
    assert!(is_split || slices.len() < MANY, "{slices:?}");
}

#[test]
fn what_the_application_wrote_at_the_target_after_t2_stays() {
    seeds::each(seeds::wanted(0..25), |seed| async move {
        let mut simulation = small(seed, &fates_of(seed, 1), Weather::foul());
        for key in ["z/1", "large", "a/2"] {
            // Later a request may be on its way already: that window is named in the documents.
            simulation.stage.occupy_at(&key.into(), 1);
        }
        let pass = simulation.begin_after_t2("p1").await;
        simulation.until_end(&pass).await;
        let stale = simulation.stage.stale();
        let outcomes = simulation.check_all_but(&pass, &stale).await.outcomes;
        for key in simulation.stage.occupied() {
            let outcome = outcomes[&key];
            assert!(matches!(outcome, Outcome::Kept | Outcome::Copied), "{key}: {outcome:?}");
        }
    });
}

#[test]
fn an_object_that_changes_between_two_of_its_parts_is_taken_again_whole() {
    for reading in [1, 2, 4, 6] {
        seeds::under(1, async move {
            let mut simulation =
                Simulation::new(1, Stage::small, Fates::kind(), Weather::default());
            simulation.stage.overwrite_at(&"large".into(), reading);
            let pass = simulation.begin("p1").await;
            simulation.until_end(&pass).await;
            let report = simulation.check(&pass).await.report;
            assert_eq!(report.copied, OBJECTS, "{report:?}");
        });
    }
}

#[test]
fn an_object_that_changes_three_times_is_deferred_and_the_next_pass_takes_it() {
    for name in ["changing", "large"] {
        seeds::under(1, async move {
            let key = Key::from(name);
            let mut simulation =
                Simulation::new(1, Stage::small, Fates::kind(), Weather::default());
            for reading in 1..if name == "large" { 40 } else { 4 } {
                simulation.stage.overwrite_at(&key, reading);
            }
            let first = simulation.begin("p1").await;
            simulation.until_end(&first).await;
            let missing = std::slice::from_ref(&key);
            let inspected = simulation.check_all_but(&first, missing).await;
            assert_eq!(inspected.outcomes[&key], Outcome::Deferred);
            assert_eq!(inspected.report.copied, OBJECTS - 1);
            let second = simulation.begin("p2").await;
            simulation.until_end(&second).await;
            // More changes than three were due for the large one: it may be deferred again.
            let inspected = simulation.check_all_but(&second, missing).await;
            assert_eq!(inspected.report.copied + inspected.report.deferred, 1, "{name}");
        });
    }
}

/// Runs the small stage where every worker dies that makes this call for this object.
fn poisoned(call: &'static str, name: &'static str) {
    seeds::each(seeds::wanted(0..5), |seed| async move {
        let poison = Key::from(name);
        let mut simulation = Simulation::new(seed, Stage::small, Fates::kind(), Weather::default());
        simulation.poison(move |made, subject| made == call && subject.starts_with(name));
        let pass = simulation.begin("p1").await;
        simulation.until_end(&pass).await;
        let missing = std::slice::from_ref(&poison);
        let report = simulation.check_all_but(&pass, missing).await.report;
        assert_eq!((report.copied, report.failed), (OBJECTS - 1, 1), "{report:?}");
        let records = simulation.ledger().find_key(&pass, &poison).await.unwrap();
        let reason = records[0].result.as_ref().and_then(|result| result.reason.as_deref());
        assert!(reason.is_some_and(|reason| reason.contains("died")), "{name}: {reason:?}");
    });
}

#[test]
fn an_object_at_which_workers_die_is_failed_by_name_and_the_rest_goes_on() {
    poisoned("open", "z/1");
    poisoned("open", "large");
}

#[test]
fn a_batch_whose_list_kills_its_readers_is_failed_by_name_and_the_rest_goes_on() {
    seeds::each(seeds::wanted(0..5), |seed| async move {
        let mut simulation = Simulation::new(seed, Stage::small, Fates::kind(), Weather::default());
        let pass = simulation.begin("p1").await;
        simulation.walk().await;
        let ledger = simulation.ledger().clone();
        let mut tasks = ledger.task_walk(&pass).await.unwrap();
        let (task, row) = loop {
            let (task, row) = tasks.next().await.unwrap().expect("a batch is planned");
            if row.kind == TaskKind::Batch {
                break (task, row);
            }
        };
        let failed_keys: Vec<Key> =
            ledger.objects(&task, &row).await.unwrap().into_iter().map(|it| it.key).collect();
        let list = objects_row(&task);
        let deadly = format!("{} {}", list.partition, list.sort);
        simulation.poison(move |made, subject| made == "get" && subject == deadly);
        simulation.until_end(&pass).await;
        let report = simulation.check_all_but(&pass, &failed_keys).await.report;
        let failed = failed_keys.len() as u64;
        assert_eq!((report.copied, report.failed), (OBJECTS - failed, failed), "{report:?}");
        for key in failed_keys {
            let records = ledger.find_key(&pass, &key).await.unwrap();
            let reason = records[0].result.as_ref().and_then(|result| result.reason.as_deref());
            assert!(reason.is_some_and(|reason| reason.contains("died before")), "{reason:?}");
        }
    });
}

#[test]
fn an_opening_at_which_workers_die_is_failed_by_name_and_the_rest_goes_on() {
    poisoned("head source", "large");
    poisoned("initiate", "large");
}

#[test]
fn a_completion_at_which_workers_die_is_failed_by_name_and_the_rest_goes_on() {
    poisoned("list parts", "large");
}

#[test]
fn a_message_that_waits_in_a_long_queue_is_sent_again_ever_less_often() {
    seeds::under(0, async {
        let mut simulation = small(0, &Fates::kind(), Weather::default());
        let pass = simulation.begin("p1").await;
        simulation.walk().await;
        let messages = simulation.idle_for_a_day(&pass).await;
        // Two tasks of a window, one of which is an upload of six ranges: once a sweep would be hundreds.
        assert!(messages < 100, "{messages} messages");
        simulation.until_end(&pass).await;
        simulation.check_all_but(&pass, &simulation.stage.stale()).await;
    });
}
