//! Which step of a cutover comes next: a pure decision over what ledger and bucket say.

use std::time::Duration;

use ossferry_core::job::SourceSpec;
use ossferry_core::report::{Report, ReportState};
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::PassId;
use ossferry_ledger::rows::{CutoverRow, MirrorWish};

/// A pass that caught up longer ago says little of how much the source has changed since.
const CAUGHT_UP_LASTS: Duration = Duration::from_hours(1);

/// Passes that are run to catch up, or to find nothing, before somebody is asked to look.
pub(crate) const ROUNDS_MAX: u32 = 12;

/// What is known before a step.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The pass that runs, if one does.
    pub(crate) running: Option<PassId>,
    /// Whether a full pass of the scope has finished.
    pub(crate) has_full: bool,
    /// T2.
    pub(crate) t2: Option<Timestamp>,
    /// Whether the bucket holds the rule.
    pub(crate) mirror_is_on: bool,
    /// When the pass that caught up ended; the ledger's clock.
    pub(crate) caught_up_at: Option<Timestamp>,
    /// The ledger's clock.
    pub(crate) now: Timestamp,
}

/// A step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Stay with the pass that runs to its end.
    GoOn(PassId),
    /// Copy everything.
    FullPass,
    /// Copy what has changed.
    CatchUp,
    /// Add the mirror rule.
    MirrorOn,
    /// Record T2.
    Switch,
    /// Hear that every writer is switched.
    ConfirmSwitch,
    /// Copy what was written at the source before the last writer left it.
    Drain,
    /// Compare both ends.
    Audit,
    /// Take the mirror rule away.
    MirrorOff,
    /// Certify.
    Certify,
    /// All is done.
    Done,
}

impl Step {
    /// What it is called where it is announced.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::GoOn(_) => "the pass that runs",
            Self::FullPass => "full pass",
            Self::CatchUp => "catching up",
            Self::MirrorOn => "mirror rule on",
            Self::Switch => "T2",
            Self::ConfirmSwitch => "the switch",
            Self::Drain => "what the source still got",
            Self::Audit => "audit",
            Self::MirrorOff => "mirror rule off",
            Self::Certify | Self::Done => "certificate",
        }
    }
}

/// The step that comes next.
pub(crate) fn next_step(row: &CutoverRow, facts: &Facts) -> Step {
    let wants_mirror = row.mirror == MirrorWish::Wanted;
    if row.ended.is_some() {
        return Step::Done;
    }
    if let Some(running) = &facts.running {
        return Step::GoOn(running.clone());
    }
    if facts.t2.is_none() {
        let lasts = |at: Timestamp| facts.now.since(at) < CAUGHT_UP_LASTS;
        return match () {
            () if !facts.has_full => Step::FullPass,
            () if !facts.caught_up_at.is_some_and(lasts) => Step::CatchUp,
            () if wants_mirror && !facts.mirror_is_on => Step::MirrorOn,
            () => Step::Switch,
        };
    }
    match row {
        // Whoever took it away meanwhile: what is not copied yet is not served.
        _ if wants_mirror && !facts.mirror_is_on && row.audited.is_none() => Step::MirrorOn,
        CutoverRow { switched_until: None, .. } => Step::ConfirmSwitch,
        CutoverRow { drained: None, .. } => Step::Drain,
        CutoverRow { audited: None, .. } => Step::Audit,
        _ if wants_mirror && facts.mirror_is_on => Step::MirrorOff,
        _ => Step::Certify,
    }
}

/// Why a cutover cannot go on. Nothing is lost: the same command goes on once it is mended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum CutoverRefusal {
    /// A pass ended early.
    #[error("pass {pass} is {state}{reason}: mend that, then go on with: ossferry cutover")]
    PassEnded {
        /// Which.
        pass: String,
        /// As its row says.
        state: ReportState,
        /// With a colon in front, or empty.
        reason: String,
    },
    /// Objects failed.
    #[error(
        "{failed} objects failed in pass {pass}: the application is not switched, and no certificate is \
         written, while failures are outstanding. See: ossferry inspect failures; the next pass takes \
         them again"
    )]
    FailuresOutstanding {
        /// Which.
        pass: String,
        /// How many.
        failed: u64,
    },
    /// The source changes faster than it is copied.
    #[error(
        "after {ROUNDS_MAX} passes the last one still copied {delta} objects, more than --delta-max \
         {delta_max}: the source changes faster than that. Begin the cutover with a larger number, or \
         move at a quieter hour"
    )]
    NotCatchingUp {
        /// Of the last pass.
        delta: u64,
        /// As asked for.
        delta_max: u64,
    },
    /// Somebody still writes at the source.
    #[error(
        "after {ROUNDS_MAX} passes since the switch the source still had {delta} new objects: is every \
         writer switched? Find the one that is not, then go on with: ossferry cutover"
    )]
    SourceStillWritten {
        /// Of the last pass.
        delta: u64,
    },
    /// An audit found what no pass mended.
    #[error(
        "audit {pass} found {count} objects missing or different that no pass has mended, for example \
         {example}: the mirror rule stays on. See: ossferry inspect objects --pass {pass} --outcome missing \
         --outcome different"
    )]
    AuditDiffers {
        /// Which.
        pass: PassId,
        /// How many.
        count: u64,
        /// One of them.
        example: String,
    },
    /// Switched before T2 stood.
    #[error(
        "T2 is not recorded yet, and what the application wrote at the target before it would be taken \
         for ours: run ossferry cutover without --switched first, and switch when it says so"
    )]
    SwitchedTooEarly,
    /// The job file names what stands in for the source's listing.
    #[error(
        "the source is listed by {0}, which stands still: what is written there from now on would be \
         found by no pass, and a certificate would not know of it. Name a source that lists itself"
    )]
    StandsStill(&'static str),
    /// The job file changed.
    #[error(
        "the cutover of job {0} began with another source, target, prefix or filter: put the job file \
         back, or use another job name"
    )]
    ScopeDiffers(String),
    /// A pass began between two looks.
    #[error(
        "pass {0} has just begun: T2 is recorded only while no pass runs. Go on with: ossferry cutover"
    )]
    PassBegan(PassId),
}

/// Refuses a source whose listing does not show what is written there.
pub(crate) fn check_listing(source: &SourceSpec) -> Result<(), CutoverRefusal> {
    source.fixed_list().map_or(Ok(()), |list| Err(CutoverRefusal::StandsStill(list)))
}

/// What a pass before the switch says.
pub(crate) fn judge_catch_up(report: &Report, delta_max: u64) -> Result<bool, CutoverRefusal> {
    check_end(report)?;
    Ok(delta_of(report) <= delta_max)
}

/// What a pass after the switch says: whether it found nothing.
pub(crate) fn judge_drain(report: &Report) -> Result<bool, CutoverRefusal> {
    check_end(report)?;
    Ok(delta_of(report) == 0)
}

/// Objects that a pass found to be copied.
pub(crate) fn delta_of(report: &Report) -> u64 {
    report.copied + report.deferred + report.not_attempted
}

/// Refuses what does not count: a pass that ended early, and failures.
pub(crate) fn check_end(report: &Report) -> Result<(), CutoverRefusal> {
    let pass = report.pass.clone();
    if report.state != ReportState::Finished {
        let reason = report.reason.as_ref().map(|reason| format!(": {reason}"));
        let (state, reason) = (report.state, reason.unwrap_or_default());
        return Err(CutoverRefusal::PassEnded { pass, state, reason });
    }
    if report.failed > 0 {
        return Err(CutoverRefusal::FailuresOutstanding { pass, failed: report.failed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ossferry_core::report::PassFacts;
    use ossferry_core::sums::{Sum, Walked};
    use ossferry_ledger::rows::CutoverStep;

    use super::*;

    fn facts() -> Facts {
        Facts {
            running: None,
            has_full: false,
            t2: None,
            mirror_is_on: false,
            caught_up_at: None,
            now: Timestamp(10_000_000),
        }
    }

    fn noted(row: &CutoverRow, step: &CutoverStep) -> CutoverRow {
        match row.note(step) {
            ossferry_ledger::lease::Change::Write(row, ()) => row,
            ossferry_ledger::lease::Change::Keep(()) => row.clone(),
        }
    }

    #[test]
    fn a_source_that_shows_nothing_new_is_not_cut_over() {
        let job = |source: &str| {
            let keys = "credentials = { from = \"env\", access_key = \"A\", secret_key = \"S\" }";
            let text = format!(
                "name = \"a\"\n[source]\n{source}\n\
                 [target]\nbucket = \"photos\"\nregion = \"cn-hangzhou\"\n{keys}\n"
            );
            ossferry_core::job::Job::parse(&text).unwrap()
        };
        let bucket = "kind = \"s3\"\nregion = \"eu-west-1\"\nbucket = \"photos\"\n\
            credentials = { from = \"env\", access_key = \"A\", secret_key = \"S\" }\n";
        for (line, list) in [
            ("inventory = \"i/manifest.json\"", Some("an inventory")),
            ("keys = \"failed.csv\"", Some("a list of keys")),
            ("", None),
        ] {
            let checked = check_listing(&job(&format!("{bucket}{line}")).source);
            let refused = checked.err().map(|refusal| refusal.to_string());
            let said =
                list.map(|list| format!("the source is listed by {list}, which stands still"));
            assert_eq!(refused.is_some(), said.is_some(), "{line}: {refused:?}");
            assert!(refused.unwrap_or_default().starts_with(&said.unwrap_or_default()), "{line}");
        }
        let urls = job("kind = \"http\"\nlist = \"urls.txt\"\nformat = \"urls\"");
        assert!(matches!(
            check_listing(&urls.source),
            Err(CutoverRefusal::StandsStill("a list of URLs"))
        ));
    }

    #[test]
    fn each_step_is_offered_only_after_the_one_before_it_is_seen_done() {
        let mut row = CutoverRow::new("s".to_owned(), 5, MirrorWish::Wanted, Timestamp(1));
        let mut facts = facts();
        let running = Facts { running: Some("p".into()), ..facts.clone() };
        assert_eq!(next_step(&row, &running), Step::GoOn("p".into()));
        assert_eq!(next_step(&row, &facts), Step::FullPass);
        facts.has_full = true;
        assert_eq!(next_step(&row, &facts), Step::CatchUp);
        row = noted(&row, &CutoverStep::CaughtUp("p1".into()));
        facts.caught_up_at = Some(Timestamp(1_000));
        assert_eq!(next_step(&row, &facts), Step::CatchUp, "that was hours ago");
        facts.caught_up_at = Some(Timestamp(9_000_000));
        assert_eq!(next_step(&row, &facts), Step::MirrorOn);
        let without = CutoverRow { mirror: MirrorWish::Without, ..row.clone() };
        assert_eq!(next_step(&without, &facts), Step::Switch);
        facts.mirror_is_on = true;
        assert_eq!(next_step(&row, &facts), Step::Switch);
        facts.t2 = Some(Timestamp(5));
        assert_eq!(next_step(&row, &facts), Step::ConfirmSwitch);
        row = noted(&row, &CutoverStep::Switched(Timestamp(6)));
        assert_eq!(next_step(&row, &facts), Step::Drain);
        let gone = Facts { mirror_is_on: false, ..facts.clone() };
        assert_eq!(next_step(&row, &gone), Step::MirrorOn, "somebody took it away");
        row = noted(&row, &CutoverStep::Drained("p2".into()));
        assert_eq!(next_step(&row, &facts), Step::Audit);
        row = noted(&row, &CutoverStep::Audited("p3".into()));
        assert_eq!(next_step(&row, &facts), Step::MirrorOff);
        assert_eq!(next_step(&row, &gone), Step::Certify);
        let ended = CutoverStep::Ended { at: Timestamp(9), ledger_digest: "d".to_owned() };
        assert_eq!(next_step(&noted(&row, &ended), &gone), Step::Done);
    }

    fn report(edit: impl FnOnce(&mut Report)) -> Report {
        let facts = PassFacts {
            pass: "p".to_owned(),
            kind: "incremental".to_owned(),
            state: ReportState::Finished,
            reason: None,
            serial: false,
            source_is_s3: false,
            restoring: 0,
            slices: 1,
            tasks: 1,
            seconds: 1.0,
        };
        let mut report = Report::new(facts, &Walked::default(), &Sum::default());
        edit(&mut report);
        report
    }

    #[test]
    fn a_pass_counts_only_where_it_finished_without_a_failure() {
        let failed = report(|report| report.failed = 2);
        let stopped = report(|report| {
            report.state = ReportState::Stopped;
            report.reason = Some("key revoked".to_owned());
        });
        for (report, hint) in [(&failed, "2 objects failed"), (&stopped, "stopped: key revoked")] {
            for judged in [judge_catch_up(report, 9), judge_drain(report)] {
                let text = judged.unwrap_err().to_string();
                assert!(text.contains(hint), "{text}");
            }
        }
        for (copied, deferred, is_small) in [(5, 0, true), (5, 1, false), (6, 0, false)] {
            let report = report(|report| (report.copied, report.deferred) = (copied, deferred));
            assert_eq!(judge_catch_up(&report, 5), Ok(is_small));
            assert_eq!(judge_drain(&report), Ok(false));
        }
        let quiet = report(|report| (report.kept, report.gone, report.archived) = (3, 1, 1));
        assert_eq!(judge_drain(&quiet), Ok(true));
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for (refusal, hint) in [
            (CutoverRefusal::NotCatchingUp { delta: 9, delta_max: 5 }, "--delta-max 5"),
            (CutoverRefusal::SourceStillWritten { delta: 9 }, "every writer"),
            (
                CutoverRefusal::AuditDiffers { pass: "p".into(), count: 2, example: "a/b".into() },
                "example a/b: the mirror rule stays on",
            ),
            (CutoverRefusal::SwitchedTooEarly, "without --switched"),
            (CutoverRefusal::ScopeDiffers("j".to_owned()), "another job name"),
            (CutoverRefusal::PassBegan("p".into()), "ossferry cutover"),
        ] {
            assert!(refusal.to_string().contains(hint), "{refusal}");
        }
    }
}
