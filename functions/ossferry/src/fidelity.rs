//! `fidelity`: what becomes of each property, and how many copies depart in it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use ossferry_core::fidelity::{Answer, DepartureCounts, answers};
use ossferry_core::job::Job;
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;

/// What a pass has copied so far, and how those copies depart.
struct Copied {
    pass: String,
    objects: u64,
    departures: DepartureCounts,
}

/// Prints the answers of a job, with the counts of a pass where there is one.
pub(crate) async fn print(
    job_file: &Path,
    pass: Option<&str>,
    json: bool,
    machine: &Machine,
) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let copied = match (copied(&job, job_file, pass, machine).await, pass) {
        (Ok(copied), _) => Some(copied),
        // Before a first pass there is nothing to count.
        (Err(CommandError::NoLedger { .. } | CommandError::NoPass(_)), None) => None,
        (Err(error), _) => return Err(error),
    };
    let text = if json {
        format!("{}\n", as_json(&job, copied.as_ref()))
    } else {
        as_text(&job, copied.as_ref())
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// What is asked of the source for each object beside its bytes, where the job file wants that.
pub(crate) fn extra_requests(job: &Job) -> Vec<&'static str> {
    let mut told = Vec::new();
    if job.policy.tags {
        told.push(if job.source.counts_tags() {
            "tags = \"copy\": one request more at the source for each object that has tags"
        } else {
            "tags = \"copy\": one request more at the source for each object: its answers may count no tags"
        });
    }
    if job.policy.acl {
        told.push("acl = \"copy\": one request more at the source for each object");
    }
    told
}

async fn copied(
    job: &Job,
    job_file: &Path,
    pass: Option<&str>,
    machine: &Machine,
) -> Result<Copied, CommandError> {
    let (kept, _) = JobLedger::look(job, job_file, machine).await?;
    let pass = kept.shown_pass(pass).await?;
    let status = kept.ledger.status(&pass).await?;
    let sum = status.totals.sum;
    let objects = sum.of(ossferry_core::outcome::Outcome::Copied);
    Ok(Copied { pass: pass.pass.0, objects, departures: sum.departures })
}

fn as_json(job: &Job, copied: Option<&Copied>) -> Value {
    let property = |answer: &Answer| {
        let mut object = json!({
            "property": answer.property.as_str(),
            "fate": answer.fate.as_str(),
            "note": answer.note,
            "counted": answer.is_counted,
        });
        if let Some(copied) = copied.filter(|_| answer.is_counted) {
            object["mapped"] = json!(copied.departures.mapped(answer.property));
            object["dropped"] = json!(copied.departures.dropped(answer.property));
        }
        object
    };
    json!({
        "source": job.source.kind(),
        "pass": copied.map(|copied| copied.pass.as_str()),
        "copied": copied.map(|copied| copied.objects),
        "properties": answers(job).iter().map(property).collect::<Vec<_>>(),
    })
}

fn as_text(job: &Job, copied: Option<&Copied>) -> String {
    let mut text = String::new();
    let kind = job.source.kind();
    let _ = match copied {
        Some(copied) => {
            let Copied { pass, objects, .. } = copied;
            writeln!(text, "from {kind}; of {objects} objects that pass {pass} copied")
        }
        None => writeln!(text, "from {kind}; no pass has begun, so nothing is counted"),
    };
    for answer in answers(job) {
        let (property, fate) = (answer.property.as_str(), answer.fate.as_str());
        let _ = writeln!(text, "{property:<17} {fate:<8} {}", answer.note);
        let Some(copied) = copied else { continue };
        for (how, count) in [
            ("mapped", copied.departures.mapped(answer.property)),
            ("dropped", copied.departures.dropped(answer.property)),
        ] {
            if count > 0 {
                let _ = writeln!(text, "{:<17} {how:<8} of {count}", "");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::fidelity::{Departures, Properties, Property};

    #[test]
    fn the_counts_of_a_pass_stand_beside_what_they_are_of() {
        let job = Job::parse(Job::template()).unwrap();
        let mut departures = DepartureCounts::default();
        let dropped = Properties::default().with(Property::Tags, true);
        departures.count(Departures { dropped, ..Departures::default() });
        let copied = Copied { pass: "p".to_owned(), objects: 9, departures };
        let text = as_text(&job, Some(&copied));
        let lines: Vec<&str> = text.lines().collect();
        let tags = lines.iter().position(|line| line.starts_with("tags ")).unwrap();
        assert!(lines[tags].contains("dropped"), "{text}");
        assert_eq!(lines[tags + 1].split_whitespace().collect::<Vec<_>>(), ["dropped", "of", "1"]);
        assert_eq!(lines.len(), 1 + Property::ALL.len() + 1);
        let json = as_json(&job, Some(&copied));
        assert_eq!((&json["copied"], &json["properties"][2]["dropped"]), (&json!(9), &json!(1)));
        assert_eq!(json["properties"][0].get("dropped"), None, "what is not counted has no count");
        let before = as_json(&job, None);
        assert_eq!(
            (&before["pass"], before["properties"].as_array().unwrap().len()),
            (&Value::Null, 10)
        );
    }
}
