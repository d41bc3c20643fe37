//! The certificate: what was moved and how it was proved, over a digest of the ledger.

use std::fmt;
use std::io::{self, Write};

use ossferry_core::job::SourceSpec;
use ossferry_core::report::{Proofs, Report};
use ossferry_ledger::rows::{CutoverRow, CutoverStep, MirrorWish, PassState};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::stale::{NAMED_MAX, Named, written_over};
use super::steps::check_end;
use super::{Cutover, Flow};
use crate::command_error::CommandError;
use crate::object_csv::write_objects;
use crate::summary::report_of;

/// The version of the JSON.
const VERSION: u32 = 1;

/// Proof of a cutover. Names are relied on by scripts.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Certificate {
    version: u32,
    job: String,
    scope_hash: String,
    source: String,
    target: String,
    began: String,
    ended: String,
    t2: String,
    switched_until: String,
    mirror: MirrorWish,
    /// Oldest first.
    passes: Vec<PassLine>,
    /// Copies made, over all passes.
    copied: u64,
    bytes_copied: u64,
    proof: Proofs,
    /// In the source, by the last pass.
    listed: u64,
    /// Found equal by the last pass.
    equal: u64,
    /// Left alone by the last pass, because the application wrote them.
    kept: u64,
    /// Copied, and since deleted at the target by the application.
    deleted_at_target: u64,
    archived: u64,
    unsupported: u64,
    outstanding_failures: u64,
    /// Written over after T2: the application read older bytes until then.
    stale_at_switch: u64,
    /// The first of them.
    stale_keys: Vec<String>,
    drained_by: String,
    audited_by: String,
    /// SHA-256 over the passes: of each a line of id, kind and state, and the rows of `report --format
    /// csv`.
    ledger_digest: String,
}

/// A pass, in short.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct PassLine {
    pass: String,
    kind: String,
    state: String,
    listed: u64,
    copied: u64,
    kept: u64,
    failed: u64,
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cutover of job {}: {} is at {}", self.job, self.source, self.target)?;
        writeln!(f, "T2 {}, switched until {}", self.t2, self.switched_until)?;
        writeln!(
            f,
            "{} passes copied {} objects, {} bytes; proofs A {} B {} C {} D {}",
            self.passes.len(),
            self.copied,
            self.bytes_copied,
            self.proof.a,
            self.proof.b,
            self.proof.c,
            self.proof.d
        )?;
        writeln!(
            f,
            "at the end: {} in the source, {} equal, {} kept, {} deleted at the target, {} archived, {} \
             unsupported; outstanding failures: none",
            self.listed,
            self.equal,
            self.kept,
            self.deleted_at_target,
            self.archived,
            self.unsupported
        )?;
        writeln!(f, "stale at the switch: {}", self.stale_at_switch)?;
        writeln!(f, "drained by {}, audited by {}", self.drained_by, self.audited_by)?;
        write!(f, "ledger sha-256 {}", self.ledger_digest)
    }
}

struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Cutover<'_> {
    /// Certifies, and ends the cutover.
    pub(super) async fn certify(&self, row: &CutoverRow) -> Result<Flow, CommandError> {
        let reports = self.reports(row).await?;
        // The last pass that copied has nothing outstanding.
        let last = reports.iter().rfind(|report| !report.is_audit());
        check_end(last.ok_or_else(|| CommandError::NoPass(self.job.name.clone()))?)?;
        let (at, ledger_digest) = (self.kept().ledger.now(), self.digest(&reports).await?);
        let ended = self.note(&CutoverStep::Ended { at, ledger_digest }).await?;
        self.show_certificate(&ended).await
    }

    /// Prints the certificate of a cutover that has ended.
    pub(super) async fn show_certificate(&self, row: &CutoverRow) -> Result<Flow, CommandError> {
        let certificate = self.certificate(row).await?;
        if let Some(path) = &self.arguments.certificate {
            let json = serde_json::to_vec_pretty(&certificate).expect("texts and numbers");
            std::fs::write(path, json).map_err(|error| {
                let path = path.clone();
                CommandError::File { what: "write", path, error }
            })?;
        }
        self.print_json(&certificate)?;
        if !self.arguments.json {
            writeln!(io::stdout(), "{certificate}")?;
        }
        Ok(Flow::End(0))
    }

    /// Of every pass of the scope up to the end of the cutover, oldest first.
    async fn reports(&self, row: &CutoverRow) -> Result<Vec<Report>, CommandError> {
        let (kept, now) = (self.kept(), self.machine.now());
        let mut reports = Vec::new();
        for index in kept.ledger.passes(&kept.job).await? {
            let is_later = row.ended.is_some_and(|ended| index.began > ended);
            let is_of_it = index.scope_hash == row.scope_hash && !is_later;
            if is_of_it && !matches!(index.state, PassState::Skipped | PassState::Open) {
                let status = kept.ledger.status(&kept.pass(index.pass)).await?;
                reports.push(report_of(&status, now));
            }
        }
        Ok(reports)
    }

    async fn digest(&self, reports: &[Report]) -> Result<String, CommandError> {
        let kept = self.kept();
        let mut hashing = Hashing(Sha256::new());
        for report in reports {
            writeln!(hashing, "{} {} {}", report.pass, report.kind, report.state)?;
            let pass = kept.pass(report.pass.as_str().into());
            write_objects(&kept.ledger, &pass, &mut hashing).await?;
        }
        let digest = hashing.0.finalize();
        Ok(digest.iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}")))
    }

    async fn certificate(&self, row: &CutoverRow) -> Result<Certificate, CommandError> {
        let (kept, reports) = (self.kept(), self.reports(row).await?);
        let drained = row.drained.clone().map(|pass| pass.0).unwrap_or_default();
        let last = reports.iter().find(|report| report.pass == drained);
        let last = last.ok_or_else(|| CommandError::UnknownPass(drained.clone()))?;
        // What an audit found equal was copied, and proved, by another pass.
        let sum = |of: fn(&Report) -> u64| {
            reports.iter().filter(|report| !report.is_audit()).map(of).sum()
        };
        let mut stale = Named::default();
        for report in &reports {
            let pass = kept.pass(report.pass.as_str().into());
            if kept.ledger.pass(&pass).await?.t2.is_some() {
                let found = written_over(&kept.ledger, &pass).await?;
                stale.count += found.count;
                stale.keys.extend(found.keys);
            }
        }
        stale.keys.truncate(NAMED_MAX);
        let t2 = kept.ledger.job(&kept.job).await?.and_then(|job| job.t2);
        let text = |time: Option<ossferry_core::time::Timestamp>| {
            time.map(|time| time.to_string()).unwrap_or_default()
        };
        Ok(Certificate {
            version: VERSION,
            job: self.job.name.clone(),
            scope_hash: row.scope_hash.clone(),
            source: named(&self.job.source),
            target: format!("oss://{}/{}", self.job.target.bucket, self.job.target.prefix),
            began: row.began.to_string(),
            ended: text(row.ended),
            t2: text(t2),
            switched_until: text(row.switched_until),
            mirror: row.mirror,
            copied: sum(|report| report.copied),
            bytes_copied: sum(|report| report.bytes_copied),
            proof: Proofs {
                a: sum(|report| report.proof.a),
                b: sum(|report| report.proof.b),
                c: sum(|report| report.proof.c),
                d: sum(|report| report.proof.d),
            },
            listed: last.listed,
            equal: last.skipped_equal + last.unchanged,
            kept: last.kept,
            deleted_at_target: last.skipped_deleted,
            archived: last.archived,
            unsupported: last.unsupported,
            outstanding_failures: last.failed,
            stale_at_switch: stale.count,
            stale_keys: stale.keys.iter().map(|key| key.to_text().into_owned()).collect(),
            drained_by: drained,
            audited_by: row.audited.clone().map(|pass| pass.0).unwrap_or_default(),
            ledger_digest: row.ledger_digest.clone().unwrap_or_default(),
            passes: reports.into_iter().map(line_of).collect(),
        })
    }
}

fn named(source: &SourceSpec) -> String {
    match source {
        SourceSpec::Bucket(bucket) => {
            format!("{}://{}/{}", source.kind(), bucket.bucket, bucket.prefix)
        }
        SourceSpec::Azure(container) => {
            format!("azure://{}/{}/{}", container.account, container.container, container.prefix)
        }
        SourceSpec::Gcs(bucket) => format!("gs://{}/{}", bucket.bucket, bucket.prefix),
        SourceSpec::UrlList(list) => list.list.clone(),
        SourceSpec::Folder(folder) => folder.path.clone(),
    }
}

fn line_of(report: Report) -> PassLine {
    PassLine {
        state: report.state.to_string(),
        pass: report.pass,
        kind: report.kind,
        listed: report.listed,
        copied: report.copied,
        kept: report.kept,
        failed: report.failed,
    }
}
