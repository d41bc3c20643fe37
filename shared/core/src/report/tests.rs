//! Reports from sums.

use super::*;
use crate::fidelity::{Departures, Properties, Property};
use crate::usage;

fn facts(state: ReportState) -> PassFacts {
    PassFacts {
        pass: "p1".to_owned(),
        kind: "full".to_owned(),
        state,
        reason: None,
        serial: false,
        source_is_s3: false,
        restoring: 1,
        slices: 2,
        tasks: 3,
        seconds: 1.5,
    }
}

fn sums() -> (Walked, Sum) {
    let mut walked = Walked {
        listed: 10,
        listed_bytes: 2_048,
        filtered: 1,
        skipped_equal: 2,
        skipped_exists: 1,
        planned: 6,
        planned_bytes: 1_024,
        ..Walked::default()
    };
    walked.requests.source.insert("ListObjectsV2".to_owned(), 1);
    let mut sum = Sum::default();
    sum.count(Outcome::Copied, 5, Some(Grade::A));
    sum.count(Outcome::Copied, 6, Some(Grade::C));
    sum.count(Outcome::Gone, 0, None);
    sum.count(Outcome::Failed, 0, None);
    sum.requests.source.insert("GetObject".to_owned(), 3);
    sum.requests.target.insert("PutObject".to_owned(), 2);
    (walked, sum)
}

#[test]
fn what_has_no_outcome_is_pending_or_not_attempted() {
    let (walked, sum) = sums();
    for (state, pending, not_attempted, lawful) in [
        (ReportState::Open, 2, 0, true),
        (ReportState::Stopped, 0, 2, true),
        (ReportState::Cancelled, 0, 2, true),
        // Two planned objects without an outcome: a finished pass has lost them.
        (ReportState::Finished, 2, 0, false),
    ] {
        let report = Report::new(facts(state), &walked, &sum);
        assert_eq!((report.pending, report.not_attempted), (pending, not_attempted), "{state}");
        assert_eq!(report.check_law().is_ok(), lawful, "{state}");
    }
}

#[test]
fn a_broken_law_is_named() {
    let (walked, sum) = sums();
    let report = Report::new(facts(ReportState::Stopped), &walked, &sum);
    let listed = Report { listed: 11, ..report.clone() };
    assert_eq!(listed.check_law(), Err(LawBroken::Listed { listed: 11, accounted: 10 }));
    let planned = Report { copied: 3, ..report.clone() };
    assert_eq!(planned.check_law(), Err(LawBroken::Planned { planned: 6, accounted: 7 }));
    let proved = Report { proof: Proofs::default(), ..report };
    assert_eq!(proved.check_law(), Err(LawBroken::Proved { copied: 2, proved: 0 }));
}

#[test]
fn what_waits_to_be_restored_is_told_while_the_pass_is_open() {
    let (walked, sum) = sums();
    let open = Report::new(facts(ReportState::Open), &walked, &sum);
    assert_eq!((open.pending, open.restoring), (2, 1));
    assert!(open.to_string().contains("      restoring                  1  "), "{open}");
    assert_eq!(Report::new(facts(ReportState::Stopped), &walked, &sum).restoring, 0);
}

#[test]
fn an_audit_answers_two_unless_everything_was_found_equal() {
    let (walked, _) = sums();
    let facts = PassFacts { kind: "audit".to_owned(), ..facts(ReportState::Finished) };
    let mut sum = Sum::default();
    for _ in 0..6 {
        sum.count(Outcome::Equal, 7, Some(Grade::C));
    }
    let equal = Report::new(facts.clone(), &walked, &sum);
    assert_eq!((equal.check_law(), equal.exit_status(), equal.unequal()), (Ok(()), 0, 0));
    let text = equal.to_string();
    for line in ["    equal                        6  ", "    different                    0  "] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("read again                     6  42 B") && !text.contains("copied"));
    for outcome in [Outcome::Missing, Outcome::ExtraAtTarget, Outcome::Changed, Outcome::Gone] {
        let mut sum = sum.clone();
        sum.count(outcome, 0, None);
        let walked = Walked { listed: 11, planned: 7, ..walked.clone() };
        let found = Report::new(facts.clone(), &walked, &sum);
        assert_eq!((found.check_law(), found.exit_status()), (Ok(()), 2), "{outcome}");
    }
    let unproved = Report { proof: Proofs::default(), ..equal };
    assert!(unproved.check_law().is_err(), "what is equal is known to be by something");
}

#[test]
fn scripts_find_every_field_by_its_name() {
    let (walked, sum) = sums();
    let report = Report::new(facts(ReportState::Stopped), &walked, &sum);
    let json = serde_json::to_value(&report).unwrap();
    for (field, want) in [
        ("pass", serde_json::json!("p1")),
        ("kind", serde_json::json!("full")),
        ("state", serde_json::json!("stopped")),
        ("listed", serde_json::json!(10)),
        ("filtered", serde_json::json!(1)),
        ("skipped", serde_json::json!(3)),
        ("planned", serde_json::json!(6)),
        ("bytes_copied", serde_json::json!(11)),
        ("proof", serde_json::json!({"A": 1, "B": 0, "C": 1, "D": 0})),
        (
            "requests",
            serde_json::json!({
                "source": {"GetObject": 3, "ListObjectsV2": 1},
                "target": {"PutObject": 2},
            }),
        ),
        ("seconds", serde_json::json!(1.5)),
        ("slices", serde_json::json!(2)),
        ("tasks", serde_json::json!(3)),
    ] {
        assert_eq!(json[field], want, "{field}");
    }
    for outcome in Outcome::ALL {
        assert_eq!(json[outcome.as_str()], serde_json::json!(report.of(outcome)), "{outcome}");
    }
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn the_exit_status_says_finished_failed_or_not_run() {
    let (walked, sum) = sums();
    let report = |state| Report::new(facts(state), &walked, &sum);
    let finished = report(ReportState::Finished);
    assert_eq!(finished.exit_status(), 2);
    assert_eq!(Report { failed: 0, ..finished.clone() }.exit_status(), 0);
    assert_eq!(Report { failed: 0, listed: 0, ..finished }.exit_status(), 1);
    for state in [ReportState::Open, ReportState::Stopped, ReportState::Cancelled] {
        assert_eq!(report(state).exit_status(), 1, "{state}");
    }
}

#[test]
fn people_read_it_aligned() {
    let (walked, sum) = sums();
    let report = Report::new(
        PassFacts { reason: Some("access key refused".to_owned()), ..facts(ReportState::Stopped) },
        &walked,
        &sum,
    );
    let want = "\
pass p1 (full): stopped: access key refused, 1.5 s
  listed                        10  2.0 KiB
  filtered                       1  not of the job
  skipped                        2  equal at the target
  skipped                        1  there already, and the policy is never
  planned                        6  1.0 KiB
    copied                       2  11 B
    gone                         1  deleted at the source since the listing
    failed                       1  every attempt failed: see inspect failures
    not-attempted                2  the pass ended before its turn
  proof A                        1  digests by both servers agree
  proof C                        1  the target's CRC-64 agrees with ours of the bytes streamed
  source requests                4  GetObject 3, ListObjectsV2 1
  target requests                2  PutObject 2
2 slices, 3 tasks";
    assert_eq!(report.to_string(), want);
}

#[test]
fn a_serial_walk_is_said_in_the_text_and_in_the_json() {
    let (walked, sum) = sums();
    let serial = PassFacts { serial: true, ..facts(ReportState::Finished) };
    let report = Report::new(serial, &walked, &sum);
    assert!(
        report.to_string().ends_with("walked serially: the source is not known to list by bytes")
    );
    assert_eq!(serde_json::to_value(&report).unwrap()["serial"], true);
    let (kind, state) = ("audit".to_owned(), ReportState::Finished);
    let audit = Report::new(PassFacts { kind, serial: true, ..facts(state) }, &walked, &sum);
    assert!(audit.to_string().ends_with("each key of the target was asked for at the source"));
}

#[test]
fn what_the_source_was_asked_to_restore_is_told_with_its_price_where_that_is_known() {
    let (walked, mut sum) = sums();
    let meter = crate::meter::Meter::default();
    let tier = crate::job::RestoreTier::Standard;
    for _ in 0..2 {
        crate::restored::count_restored(&meter, Some("GLACIER"), tier, 50 << 30);
    }
    sum.requests.restored = meter.take();
    for (source_is_s3, price) in [(true, ": $1.0001, and $0.0767 for each day"), (false, "\n")] {
        let facts = PassFacts { source_is_s3, ..facts(ReportState::Finished) };
        let text = Report::new(facts, &walked, &sum).to_string();
        let line = format!("100.0 GiB of class GLACIER, tier Standard{price}");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn what_the_host_bills_is_priced_and_stands_beside_a_peer() {
    let (walked, mut sum) = sums();
    let host = [("PutItem", 900), ("write-units", 100_000), ("gb-milliseconds", 600_000)];
    let host = host.into_iter().chain([("queue-requests", 3_000), ("invocations", 1_200)]);
    sum.requests.host = host.map(|(name, units)| (name.to_owned(), units)).collect();
    let facts = PassFacts { source_is_s3: true, ..facts(ReportState::Stopped) };
    let report = Report::new(facts, &walked, &sum);
    let want = "\
  host                              PutItem 900, gb-milliseconds 600000, invocations 1200, queue-requests 3000, write-units 100000
  cost                     $0.0739  table $0.0625, queues $0.0012, functions $0.0102, by prices of AWS us-east-1 of 2026-09-19
  source requests          $0.0000  requests to the target and traffic are apart
  estimate ";
    let text = report.to_string();
    assert!(text.contains(want), "{text}");
    let peer = "Data Transfer Hub publishes $1113.87 for 107,400,000 objects";
    assert!(text.contains(peer) && text.contains("$10.37 a million"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["cost"]["prices"], "AWS us-east-1 of 2026-09-19");
    assert_eq!(json["requests"]["host"]["PutItem"], 900);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn what_alibaba_cloud_bills_is_priced_as_far_as_prices_are_known() {
    let (walked, mut sum) = sums();
    let host = [
        (usage::FC_CALLS, 12),
        (usage::FC_MILLIVCPU_MILLISECONDS, 500 * 3_600_000),
        (usage::SMQ_REQUESTS, 3_000),
        (usage::TABLESTORE_WRITE_UNITS, 40),
    ];
    sum.requests.host = host.map(|(name, units)| (name.to_owned(), units)).into();
    let report = Report::new(facts(ReportState::Finished), &walked, &sum);
    let line = "
  Alibaba Cloud         CNY 0.1980  12 calls of functions, by prices of Alibaba Cloud, mainland China of \
                2025-12-13; no price is known here of 3,000 requests to queues, 40 units of writing to the table
";
    let text = report.to_string();
    assert!(text.contains(line), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["alibaba_cost"]["table_write_units"], 40);
    assert_eq!(json.get("cost"), None);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn calls_of_functions_that_are_not_told_their_size_are_told_apart() {
    let text_of = |host: &[(&str, u64)]| {
        let (walked, mut sum) = sums();
        sum.requests.host = host.iter().map(|(name, units)| ((*name).to_owned(), *units)).collect();
        Report::new(facts(ReportState::Finished), &walked, &sum).to_string()
    };
    let (calls, time) = ((usage::FC_CALLS, 12), (usage::FC_MILLIVCPU_MILLISECONDS, 1));
    let some = text_of(&[calls, time, (usage::FC_UNSIZED_CALLS, 5)]);
    assert!(some.contains("12 calls of functions, by prices of "), "{some}");
    assert!(some.contains("without the time of 5 that are not told their size"), "{some}");
    let all = text_of(&[calls, (usage::FC_UNSIZED_CALLS, 12)]);
    assert!(all.contains("  12 calls of functions that are not told their size"), "{all}");
}

#[test]
fn departures_are_told_by_property_and_only_where_there_are_some() {
    let (walked, mut sum) = sums();
    let plain = Report::new(facts(ReportState::Open), &walked, &sum);
    assert!(!serde_json::to_string(&plain).unwrap().contains("departures"));
    sum.departures.count(Departures {
        mapped: Properties::default().with(Property::UserMetadata, true),
        dropped: Properties::default()
            .with(Property::Tags, true)
            .with(Property::UserMetadata, true),
    });
    let report = Report::new(facts(ReportState::Open), &walked, &sum);
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    assert_eq!(
        json["departures"],
        serde_json::json!({
            "tags": {"mapped": 0, "dropped": 1},
            "user-metadata": {"mapped": 1, "dropped": 1},
        })
    );
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
    let text = report.to_string();
    assert!(text.contains("1  tags: see inspect objects --dropped tags"), "{text}");
    assert_eq!(text.matches("user-metadata").count(), 4, "{text}");
}
