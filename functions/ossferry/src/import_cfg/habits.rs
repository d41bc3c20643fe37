//! Name, kind of job, time and policy: what ossimport is told of a job beside its two ends.

use ossferry_core::time::Timestamp;

use super::cfg::{Became, Cfg};
use super::draft::Draft;

/// The longest name of a job.
const NAME_LENGTH_MAX: usize = 64;

/// Seconds of the year 5138. The tutorial of ossimport says milliseconds where seconds are meant, and so
/// do many files: what lies above can only be these.
const SECONDS_MAX: u64 = 100_000_000_000;

/// The last second of the year 9999, the last that RFC 3339 can write.
const SECONDS_WRITABLE_MAX: u64 = 253_402_300_799;

/// Writes the name, `[filter]` and `[policy]`.
pub(super) fn read(cfg: &mut Cfg, draft: &mut Draft) {
    name(cfg, draft);
    match cfg.text("jobType").as_deref() {
        None => {}
        Some("import") => cfg.became("jobType", Became::Kept, "what a job does"),
        Some("audit") => cfg.became(
            "jobType",
            Became::Mapped,
            "run it with --pass audit: it compares both ends and writes at neither",
        ),
        Some(_) => cfg.refuse("jobType", "is neither import nor audit"),
    }
    import_since(cfg, draft);
    match cfg.flag("isSkipExistFile") {
        Some(true) => {
            draft.policy.text("overwrite", "size-and-time");
            let note = "policy.overwrite = \"size-and-time\", which does not see a change that keeps the \
                        size; \"source-wins\" does";
            cfg.became("isSkipExistFile", Became::Mapped, note);
        }
        Some(false) => {
            draft.policy.text("overwrite", "source-wins");
            let note = "policy.overwrite = \"source-wins\": the target comes to hold the same, but what is \
                        equal is not sent again; \"always\" sends it";
            cfg.became("isSkipExistFile", Became::Mapped, note);
        }
        None => {}
    }
    if cfg.flag("isUseExpressTunnel") == Some(true) {
        let why = "there is no such proxy here: connect the networks, and take internal endpoints";
        cfg.refuse("isUseExpressTunnel", why);
    }
}

fn name(cfg: &mut Cfg, draft: &mut Draft) {
    let Some(name) = cfg.text("jobName") else {
        draft.name.push_str("ossimport");
        return;
    };
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    draft.name = name.chars().map(allowed).take(NAME_LENGTH_MAX).collect();
    let (became, note) = if draft.name == name {
        (Became::Kept, "name")
    } else {
        (Became::Mapped, "name: letters, digits, - and _, at most 64")
    };
    cfg.became("jobName", became, note);
}

fn import_since(cfg: &mut Cfg, draft: &mut Draft) {
    let Some(since) = cfg.whole("importSince") else { return };
    if since == 0 {
        cfg.became("importSince", Became::NotNeeded, "0 is everything");
        return;
    }
    let is_millis = since > SECONDS_MAX;
    let seconds = if is_millis { since / 1_000 } else { since };
    if seconds > SECONDS_WRITABLE_MAX {
        cfg.refuse("importSince", "is no time: seconds since 1970 are wanted");
        return;
    }
    let time = Timestamp(seconds.cast_signed() * 1_000);
    draft.filter.text("modified_since", &time.to_string());
    let warning = if is_millis {
        "warning: these are milliseconds, taken for that; ossimport itself counts seconds, and would \
         have copied nothing. "
    } else {
        ""
    };
    let note = format!(
        "{warning}filter.modified_since = {time}, that second included. To take what changed since an \
         earlier pass no such time is needed: incremental passes know theirs"
    );
    cfg.became("importSince", Became::Mapped, note);
}
