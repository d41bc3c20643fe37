use super::*;
use std::sync::Arc;

use ossferry_core::outcome::Outcome;

fn planned() -> TaskRow {
    TaskRow {
        seq: 1,
        kind: TaskKind::Batch,
        state: TaskState::Planned,
        first_key: Key::from("a"),
        last_key: Key::from("b"),
        objects: 2,
        bytes: 10,
        sum: Sum::default(),
        attempts: 0,
        unnoted_deaths: 0,
        fruitless: 0,
        restoring: 0,
        lease: Lease { fence: 3, ..Lease::default() },
        result_fences: Vec::new(),
        in_work: None,
        deaths: Vec::new(),
        list_digest: String::new(),
        planned_at: Timestamp(0),
        started_at: None,
        ended_at: None,
        reminder: None,
    }
}

fn claimant(owner: &str, now: i64) -> Claimant {
    Claimant {
        owner: owner.to_owned(),
        now: Timestamp(now),
        lease_until: Timestamp(now + 10),
        known_dead: Arc::new(|_| false),
    }
}

fn take(row: &TaskRow, owner: &str, now: i64) -> (TaskRow, Hold) {
    let Change::Write(row, Taken::Mine) = row.claim(&claimant(owner, now)) else { panic!() };
    let hold = row.lease.hold().unwrap();
    (row, hold)
}

fn one(outcome: Outcome) -> Sum {
    let mut sum = Sum::default();
    sum.count(outcome, 5, None);
    sum
}

#[test]
fn what_was_handed_back_and_what_was_finished_add_up_to_the_task() {
    let (first, hold) = take(&planned(), "a", 0);
    assert_eq!(hold.fence, 4);
    let Ok(Change::Write(back, ())) = first.hand_back(&hold, &one(Outcome::Copied), Timestamp(0))
    else {
        panic!()
    };
    assert_eq!((back.state, back.attempts), (TaskState::Planned, 0));
    assert_eq!(back.hand_back(&hold, &one(Outcome::Copied), Timestamp(0)), Ok(Change::Keep(())));
    let waiting = first.hand_back_under_way(&hold, &Sum::default(), Timestamp(0), 2);
    let Ok(Change::Write(waiting, ())) = waiting else { panic!("{waiting:?}") };
    assert_eq!((waiting.restoring, waiting.fruitless, waiting.state), (2, 0, TaskState::Planned));

    let (second, next) = take(&back, "b", 1);
    assert_eq!(second.hand_back(&hold, &one(Outcome::Copied), Timestamp(0)), Ok(Change::Keep(())));
    let finish = |row: &TaskRow, hold: &Hold| {
        row.finish(hold, &one(Outcome::Gone), TaskState::Done, Timestamp(2))
    };
    let Ok(Change::Write(done, ())) = finish(&second, &next) else { panic!() };
    assert_eq!((done.sum.objects(), done.result_fences.clone()), (2, vec![4, 5]));
    assert_eq!(finish(&done, &next), Ok(Change::Keep(())), "a lost answer counts once");
    assert_eq!(done.claim(&claimant("c", 3)), Change::Keep(Taken::Over));
}

#[test]
fn a_worker_that_lost_its_lease_finishes_nothing() {
    let (_, old) = take(&planned(), "a", 0);
    let (row, _) = take(&take(&planned(), "a", 0).0, "b", 10);
    let late = row.finish(&old, &one(Outcome::Copied), TaskState::Done, Timestamp(11));
    assert_eq!(late, Err(LeaseLost { fence: 5 }));
    assert_eq!(row.claim(&claimant("c", 11)), Change::Keep(Taken::Leased(Timestamp(20))));
}

#[test]
fn an_object_in_work_at_three_deaths_is_poison_and_the_rest_is_not() {
    let mut row = planned();
    for death in 0..6 {
        let (taken, hold) = take(&row, &format!("w{death}"), death * 100);
        assert_eq!(taken.is_careful(), death >= 2);
        row = taken;
        if row.is_careful() {
            let Ok(Change::Write(noted, ())) = row.note_in_work(&hold, Some(1)) else { panic!() };
            row = noted;
        }
    }
    assert!(row.is_poison(1) && !row.is_poison(0));
}

/// The others were recorded meanwhile, and the suspect alone was handed back.
#[test]
fn a_suspect_that_was_handed_back_alone_is_not_taken_with_others_again() {
    let mut row = planned();
    for death in 0..3 {
        row = take(&row, &format!("w{death}"), death * 100).0;
    }
    let hold = row.lease.hold().unwrap();
    let Ok(Change::Write(noted, ())) = row.note_in_work(&hold, Some(1)) else { panic!() };
    let (next, hold) = take(&noted, "w3", 300);
    let back = next.hand_back(&hold, &one(Outcome::Copied), Timestamp(0));
    let Ok(Change::Write(back, ())) = back else { panic!() };
    let (alone, _) = take(&back, "w4", 400);
    assert_eq!((alone.attempts, alone.is_careful()), (1, true));
}

#[test]
fn a_batch_whose_workers_note_nothing_before_they_die_is_given_up_after_eight() {
    let mut row = planned();
    for claim in 0..=8 {
        assert!(!row.is_given_up(), "after {claim} claims");
        row = take(&row, &format!("w{claim}"), claim * 100).0;
    }
    assert!(row.is_given_up());
    let named = TaskRow { unnoted_deaths: 7, in_work: Some(0), ..row.clone() };
    assert_eq!(take(&named, "x", 1_000).0.unnoted_deaths, 0, "an object was begun");
    let living = TaskRow { unnoted_deaths: 7, ..row };
    let hold = living.lease.hold().unwrap();
    let back = living.hand_back(&hold, &Sum::default(), Timestamp(0));
    let Ok(Change::Write(back, ())) = back else { panic!() };
    assert!(!take(&back, "y", 1_000).0.is_given_up(), "a worker that hands back lives");
}

#[test]
fn a_batch_that_was_let_go_of_is_as_it_was_before_and_is_taken_when_its_pause_is_over() {
    let mut row = planned();
    for death in 0..2 {
        row = take(&row, &format!("w{death}"), death * 100).0;
    }
    let (taken, hold) = take(&row, "w2", 200);
    let Ok(Change::Write(noted, ())) = taken.note_in_work(&hold, Some(1)) else { panic!() };
    let Ok(Change::Write(free, ())) = noted.let_go(&hold, Timestamp(207)) else { panic!() };
    assert_eq!((free.state, free.attempts, free.unnoted_deaths), (TaskState::Planned, 2, 2));
    assert_eq!((free.in_work, free.deaths.len()), (None, 0));
    assert_eq!(free.claim(&claimant("x", 206)), Change::Keep(Taken::Leased(Timestamp(207))));
    let (next, _) = take(&free, "x", 207);
    assert_eq!((next.attempts, next.unnoted_deaths, next.deaths.len()), (3, 2, 0));

    let lost = Err(LeaseLost { fence: 7 });
    assert_eq!(next.let_go(&hold, Timestamp(0)), lost, "another holds it");
    let own = Err(LeaseLost { fence: 6 });
    assert_eq!(free.let_go(&hold, Timestamp(0)), own, "the answer was lost: it stands already");
}

#[test]
fn the_task_of_a_large_object_ends_once_whoever_comes_first() {
    let upload = TaskRow { kind: TaskKind::Upload, objects: 1, ..planned() };
    let Change::Write(row, Taken::Mine) = upload.begin_upload(Timestamp(1)) else { panic!() };
    let copied = one(Outcome::Copied);
    let Change::Write(row, Taken::Mine) = row.begin_generation(2_000) else { panic!() };
    assert_eq!(row.begin_generation(2_000), Change::Keep(Taken::Mine));
    let late = row.finish_upload(1_001, &copied, Timestamp(2));
    assert_eq!(late, Change::Keep(false), "of an attempt that was given up");
    let Change::Write(done, true) = row.finish_upload(2_001, &copied, Timestamp(2)) else {
        panic!()
    };
    assert_eq!(done.finish_upload(2_001, &copied, Timestamp(3)), Change::Keep(true));
    assert_eq!(done.begin_generation(3_000), Change::Keep(Taken::Over));
    assert_eq!(done.begin_upload(Timestamp(3)), Change::Keep(Taken::Over));
}
