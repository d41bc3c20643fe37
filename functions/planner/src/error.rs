//! Why nothing was planned.

use std::fmt;

use ossferry_core::error::PortError;
use ossferry_core::job::{BadDefinition, BadGlob};
use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::PassId;
use ossferry_ledger::rows::PassKind;
use ossferry_ledger::{HandlerError, LedgerError};

/// Why a trigger made no pass, or a message was not worked on.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The trigger asks for what must not be done. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The source failed.
    #[error("source: {0}")]
    Source(PortError),
    /// The target failed.
    #[error("target: {0}")]
    Target(PortError),
    /// The definition that the pass began with cannot be read here.
    #[error(transparent)]
    Definition(#[from] BadDefinition),
    /// A glob of the job cannot be read.
    #[error("filter: a glob {0}")]
    Glob(#[from] BadGlob),
    /// The message is for a copier.
    #[error("message is not for planners: {0}")]
    NotForPlanners(String),
}

impl PlanError {
    /// Whether another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_transient(),
            Self::Source(error) | Self::Target(error) => error.is_transient(),
            Self::Refused(_) | Self::Definition(_) | Self::Glob(_) | Self::NotForPlanners(_) => {
                false
            }
        }
    }
}

impl From<PlanError> for HandlerError {
    fn from(error: PlanError) -> Self {
        Self { is_transient: error.is_transient(), message: error.to_string() }
    }
}

/// Why a trigger was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// An incremental pass trusts dates because an earlier pass saw everything; none has.
    #[error("no full pass of this scope has finished: run one first (--pass full)")]
    NoFullPass,
    /// A retry walks what earlier passes left undone; they left nothing.
    #[error("nothing is outstanding: every object of earlier passes has its outcome")]
    NothingOutstanding,
    /// Workers of a pass that ended early hold work: they may still write older bytes.
    #[error(
        "workers of pass {pass}, which ended early, may be at work until {until}: try again then"
    )]
    StillAtWork {
        /// The pass that ended.
        pass: PassId,
        /// By the ledger's clock.
        until: Timestamp,
    },
    /// The file names other objects than the pass that runs.
    #[error(
        "pass {running} is running with another source, target, prefix or filter: let it end, or \
         cancel it, before the job file changes them"
    )]
    ScopeDiffers {
        /// The pass that runs.
        running: PassId,
    },
    /// T2 is a time of the target's clock, and tells which of its objects the application wrote.
    #[error(
        "the application was switched to the target of this job: its file must not name another \
         source, target, prefix or filter any more. Use another job name for another migration"
    )]
    SwitchedScope,
    /// The target holds keys that the ledger does not know, and the file names no policy.
    #[error(
        "the target already holds {count} where this job would write, and no earlier pass put them \
         there (for example {}): say in the job file who wins, [policy] overwrite = \
         \"source-wins\", \"never\", \"size-and-time\" or \"always\"",
        examples.iter().map(Key::to_string).collect::<Vec<_>>().join(", ")
    )]
    TargetFilled {
        /// How many.
        count: KeyCount,
        /// The first of them, at most five.
        examples: Vec<Key>,
    },
    /// Only an audit reads bytes again that need no copying.
    #[error("--reread is for audits, and this is a pass of the kind {0}")]
    RereadWithout(PassKind),
}

/// A number of keys, of which only a page was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyCount {
    /// Keys seen.
    pub at_least: u64,
    /// Whether there are more.
    pub more: bool,
}

impl fmt::Display for KeyCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.at_least;
        let thousands = if count >= 1_000 {
            format!("{},{:03}", count / 1_000, count % 1_000)
        } else {
            count.to_string()
        };
        match (self.more, count) {
            (true, _) => write!(f, "{thousands} keys or more"),
            (false, 1) => f.write_str("1 key"),
            (false, _) => write!(f, "{thousands} keys"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_target_is_named_with_count_and_examples() {
        let refusal = Refusal::TargetFilled {
            count: KeyCount { at_least: 1_000, more: true },
            examples: vec![Key::from("a/1"), Key::new(vec![0xff])],
        };
        let text = refusal.to_string();
        assert!(text.contains("holds 1,000 keys or more"), "{text}");
        assert!(text.contains("(for example a/1, %FF)"), "{text}");
        assert_eq!(KeyCount { at_least: 1, more: false }.to_string(), "1 key");
        assert_eq!(KeyCount { at_least: 12_034, more: false }.to_string(), "12,034 keys");
    }
}
