//! Which source dates a pass may trust.

use std::time::Duration;

use crate::time::Timestamp;

/// How an earlier pass walked the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// Everything was compared, no date trusted.
    Full,
    /// Everything was compared, dates before its `since` trusted.
    Incremental,
    /// Not everything was copied: audits and retries.
    Partial,
}

/// An earlier pass of the job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EarlierPass {
    /// How it walked.
    pub walk: Walk,
    /// Of what.
    pub scope_hash: String,
    /// Whether every slice was listed and settled. A pass that was stopped, cancelled or is still open
    /// has not seen everything.
    pub is_finished: bool,
    /// T1: the source's clock before its first page.
    pub t1: Timestamp,
    /// The end of its window by the source's clock, where it had one: later dates were not its own.
    pub until: Option<Timestamp>,
}

/// No pass has seen the whole scope yet, so that no date can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no full pass of this scope has finished: run one first")]
pub struct NoFullPass;

/// Source dates before the returned time belong to objects that an earlier pass saw. `earlier`
/// ascends by start.
///
/// The least of T1 and `until` of the last finished full or incremental pass of this scope, less
/// `margin` for what a store lists later than it dates (S3 dates a multipart object by when its
/// upload began). The result saves work; it never hides a difference, and keys that earlier passes
/// left outstanding are looked at whatever their date.
pub fn since(
    earlier: &[EarlierPass],
    scope_hash: &str,
    margin: Duration,
) -> Result<Timestamp, NoFullPass> {
    let mut ours = earlier.iter().filter(|pass| pass.is_finished && pass.scope_hash == scope_hash);
    if !ours.clone().any(|pass| pass.walk == Walk::Full) {
        return Err(NoFullPass);
    }
    let last = ours.rfind(|pass| pass.walk != Walk::Partial).ok_or(NoFullPass)?;
    Ok(last.until.map_or(last.t1, |until| until.min(last.t1)).minus(margin))
}

#[cfg(test)]
mod tests {
    use super::Walk::{Full, Incremental, Partial};
    use super::*;

    fn pass(walk: Walk, scope_hash: &str, is_finished: bool, t1: i64, until: i64) -> EarlierPass {
        EarlierPass {
            walk,
            scope_hash: scope_hash.to_owned(),
            is_finished,
            t1: Timestamp(t1),
            until: (until > 0).then_some(Timestamp(until)),
        }
    }

    #[test]
    fn the_last_whole_walk_of_the_same_scope_decides() {
        let full = pass(Full, "a", true, 10_000, 0);
        let table = [
            (vec![], None),
            (vec![full.clone()], Some(9_000)),
            (vec![pass(Full, "a", false, 10_000, 0)], None),
            (vec![pass(Full, "b", true, 10_000, 0)], None),
            (vec![pass(Incremental, "a", true, 10_000, 0)], None),
            (vec![full.clone(), pass(Incremental, "a", true, 20_000, 0)], Some(19_000)),
            (vec![full.clone(), pass(Incremental, "a", false, 20_000, 0)], Some(9_000)),
            (vec![full.clone(), pass(Incremental, "b", true, 20_000, 0)], Some(9_000)),
            (vec![full.clone(), pass(Partial, "a", true, 20_000, 0)], Some(9_000)),
            (vec![full.clone(), pass(Full, "a", true, 30_000, 0)], Some(29_000)),
            (vec![full.clone(), pass(Incremental, "a", true, 20_000, 15_000)], Some(14_000)),
            (vec![pass(Full, "a", true, 10_000, 50_000)], Some(9_000)),
        ];
        for (earlier, want) in table {
            let found = since(&earlier, "a", Duration::from_secs(1));
            assert_eq!(found, want.map(Timestamp).ok_or(NoFullPass), "{earlier:?}");
        }
    }
}
