use std::sync::Arc;

use super::*;
use crate::lease::Claimant;

fn claimant(owner: &str, now: i64) -> Claimant {
    Claimant {
        owner: owner.to_owned(),
        now: Timestamp(now),
        lease_until: Timestamp(now + 10),
        known_dead: Arc::new(|_| false),
    }
}

fn take(row: &SliceRow, owner: &str, now: i64) -> (SliceRow, Hold) {
    let Change::Write(row, SliceClaim::Mine) = row.claim(&claimant(owner, now)) else { panic!() };
    let hold = row.lease.hold().unwrap();
    (row, hold)
}

fn root() -> SliceRow {
    SliceRow::new(SliceId::root(), None, None)
}

fn progress(cursor: &str, next_seq: u64, listed: bool) -> Progress {
    let walked = Walked { listed: next_seq, planned: next_seq, ..Walked::default() };
    Progress { cursor: Some(Key::from(cursor)), token: None, next_seq, walked, listed }
}

fn committed(row: &SliceRow, hold: &Hold, progress: &Progress) -> SliceRow {
    match row.commit(hold, progress).unwrap() {
        Change::Write(row, ()) => row,
        Change::Keep(()) => panic!("nothing was written"),
    }
}

#[test]
fn committing_again_after_a_lost_answer_changes_nothing() {
    let (row, hold) = take(&root(), "a", 0);
    let row = committed(&row, &hold, &progress("k", 3, false));
    assert_eq!(row.commit(&hold, &progress("k", 3, false)), Ok(Change::Keep(())));
    let listed = committed(&row, &hold, &progress("z", 4, true));
    assert_eq!(listed.commit(&hold, &progress("z", 4, true)), Ok(Change::Keep(())));
    assert_eq!((listed.state, listed.lease.owner.clone()), (SliceState::Listed, None));
}

#[test]
fn a_planner_that_lost_the_slice_commits_nothing_even_at_its_end() {
    let (row, late) = take(&root(), "a", 0);
    let (row, hold) = take(&row, "b", 10);
    assert!(row.commit(&late, &progress("k", 3, false)).is_err());
    let listed = committed(&row, &hold, &progress("z", 3, true));
    assert!(listed.commit(&late, &progress("z", 3, true)).is_err());
    assert!(row.split(&late, &Key::from("m")).is_err());
    assert_eq!(row.hand_on(&late, Timestamp(0)), Change::Keep(()));
    assert_eq!(row.stop(&late, "no"), Change::Keep(false));
}

#[test]
fn a_split_keeps_the_child_in_the_parent_and_is_taken_once() {
    let (row, hold) = take(&root(), "a", 0);
    let row = committed(&row, &hold, &progress("c", 2, false));
    let Ok(Change::Write(row, first)) = row.split(&hold, &Key::from("m")) else { panic!() };
    assert_eq!(row.split(&hold, &Key::from("m")), Ok(Change::Keep(first.clone())));
    let Ok(Change::Write(row, second)) = row.split(&hold, &Key::from("f")) else { panic!() };
    assert_eq!(first, Child { slice: "0.1".into(), after: Key::from("m"), until: None });
    assert_eq!((&second.after, &second.until), (&Key::from("f"), &Some(Key::from("m"))));
    assert_eq!(
        (row.until.clone(), row.children.clone()),
        (Some(Key::from("f")), vec![first, second])
    );
    for outside in ["c", "b", "f", "g"] {
        let refused = row.split(&hold, &Key::from(outside));
        let repeated = outside == "f";
        assert_eq!(refused.is_ok(), repeated, "{outside}");
    }
}

#[test]
fn a_slice_stops_splitting_before_its_row_is_full_of_the_longest_keys() {
    let (mut row, hold) = take(&root(), "a", 0);
    for number in (0..CHILDREN_MAX).rev() {
        // Every byte of these is escaped.
        let mut middle = vec![0xff; 1_023];
        middle[..2].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
        if !row.may_split() {
            break;
        }
        let Ok(Change::Write(split, _)) = row.split(&hold, &Key::new(middle)) else { panic!() };
        row = split;
    }
    let children = serde_json::to_string(&row.children).unwrap();
    assert!(row.children.len() < CHILDREN_MAX && row.children.len() > 30);
    assert!(children.len() < CHILDREN_BYTES_MAX + (8 << 10), "{} bytes", children.len());
}

#[test]
fn planners_that_make_no_progress_are_counted_and_the_slice_is_given_up_by_name() {
    let mut row = root();
    for hop in 0..IDLE_HOPS_MAX {
        let (taken, hold) = take(&row, &format!("p{hop}"), 0);
        let Change::Write(open, ()) = taken.hand_on(&hold, Timestamp(0)) else { panic!() };
        row = open;
    }
    let Change::Write(stopped, SliceClaim::GivenUp) = row.claim(&claimant("q", 0)) else {
        panic!()
    };
    assert_eq!(stopped.state, SliceState::Stopped);
    assert!(stopped.reason.is_some());

    let (taken, hold) = take(&root(), "a", 0);
    assert_eq!(committed(&taken, &hold, &progress("k", 1, false)).idle_hops, 0);
}

#[test]
fn a_planner_that_meets_an_error_counts_as_no_death_and_deaths_are_counted_on() {
    let (mut row, mut failed) = (root(), 0);
    for hop in 0..IDLE_HOPS_MAX {
        for error in 0..3 {
            let (taken, hold) = take(&row, &format!("p{hop}-{error}"), 0);
            let Change::Write(open, ()) = taken.let_go(&hold, Timestamp(0)) else { panic!() };
            assert_eq!(open.let_go(&hold, Timestamp(0)), Change::Keep(()), "an answer was lost");
            failed += 1;
            assert_eq!((open.idle_hops, open.failed_hops), (hop, failed));
            assert_eq!(open.state, SliceState::Open);
            row = open;
        }
        // Whoever died let go of nothing: its lease is over.
        let dead = take(&row, &format!("d{hop}"), 0).0;
        row = SliceRow { lease: dead.lease.released(), ..dead };
    }
    let Change::Write(stopped, SliceClaim::GivenUp) = row.claim(&claimant("q", 0)) else {
        panic!("{IDLE_HOPS_MAX} have died")
    };
    assert_eq!(stopped.reason.as_deref(), Some("8 planners in a row made no progress"));
}

#[test]
fn errors_without_end_give_a_slice_up_and_progress_forgets_them() {
    let (taken, hold) = take(&SliceRow { failed_hops: FAILED_HOPS_MAX - 1, ..root() }, "a", 0);
    let moved = committed(&taken, &hold, &progress("k", 1, false));
    assert_eq!((moved.idle_hops, moved.failed_hops), (0, 0));
    let Change::Write(open, ()) = moved.let_go(&hold, Timestamp(7)) else { panic!() };
    assert_eq!((open.idle_hops, open.failed_hops), (0, 1), "after that progress");
    assert_eq!(open.claim(&claimant("b", 6)), Change::Keep(SliceClaim::Leased(Timestamp(7))));

    let Change::Write(open, ()) = taken.let_go(&hold, Timestamp(0)) else { panic!() };
    let Change::Write(stopped, SliceClaim::GivenUp) = open.claim(&claimant("b", 0)) else {
        panic!()
    };
    assert_eq!(stopped.reason.as_deref(), Some("300 planners in a row met an error"));
}

#[test]
fn a_slice_settles_when_it_is_listed_and_every_task_has_ended_in_either_order() {
    let (row, hold) = take(&root(), "a", 0);
    let row = committed(&row, &hold, &progress("k", 3, false));
    let Change::Write(ahead, false) = row.settle(2, &Sum::default()) else { panic!() };
    assert_eq!(ahead.settle(1, &Sum::default()), Change::Keep(false));
    assert_eq!(committed(&ahead, &hold, &progress("z", 3, true)).state, SliceState::Settled);

    let listed = committed(&row, &hold, &progress("z", 3, true));
    assert_eq!(listed.state, SliceState::Listed);
    let Change::Write(settled, true) = listed.settle(2, &Sum::default()) else { panic!() };
    assert_eq!(DirectoryRow::of(&settled).unwrap().tasks, 2);
    assert!(DirectoryRow::of(&listed).is_none());
    assert_eq!(
        settled.claim(&claimant("b", 99)),
        Change::Keep(SliceClaim::Walked(SliceState::Settled))
    );
}

#[test]
fn an_empty_slice_settles_at_its_listing() {
    let (row, hold) = take(&root(), "a", 0);
    let nothing = Progress { cursor: None, ..progress("", 1, true) };
    assert_eq!(committed(&row, &hold, &nothing).state, SliceState::Settled);
}

#[test]
fn the_sent_window_only_rises() {
    let Change::Write(row, ()) = root().sent(5) else { panic!() };
    assert_eq!(row.sent(4), Change::Keep(()));
}
