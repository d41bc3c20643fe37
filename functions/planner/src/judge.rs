//! What is to be done about each key: from the listings where they tell, else by asking.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, stream};
use ossferry_core::compare::{Copies, Verdict, decide, decide_after_head};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::{Digests, ETag, Entry, ObjectInfo};
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Source, Target};
use ossferry_ledger::Ledger;
use ossferry_ledger::lists::{Action, Expected, PlannedObject};

use crate::drafts::{Drafts, Passed};
use crate::pass_plan::PassPlan;
use crate::walk::Halt;

/// HEAD requests of one slice in flight at once.
pub(crate) const HEADS: usize = 32;

/// What is to be done about a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ruling {
    Pass(Passed),
    Plan { expected: Expected, action: Action },
}

impl Ruling {
    /// The planner knows the outcome already; the copier records it.
    pub(crate) fn record(outcome: Outcome, reason: impl Into<String>) -> Self {
        let action = Action::Record { outcome, reason: reason.into() };
        Self::Plan { expected: Expected::Unknown, action }
    }
}

/// A key of the source, in its turn.
pub(crate) struct Sighting {
    pub(crate) entry: Entry,
    pub(crate) standing: Standing,
    /// Whether the target was asked for it alone, because no listing of it could be joined.
    pub(crate) is_headed: bool,
}

/// How far a key's ruling is.
pub(crate) enum Standing {
    Ruled(Ruling),
    /// The target must be asked.
    Unclear {
        target_key: Key,
    },
}

impl Sighting {
    /// Counts and plans. In the order of the walk.
    pub(crate) fn settle(self, drafts: &mut Drafts) {
        let Self { entry, standing, is_headed } = self;
        if is_headed {
            drafts.count_head();
        }
        let ruling = match standing {
            Standing::Ruled(ruling) => ruling,
            // Never so: everything unclear was asked before. A copier looks again.
            Standing::Unclear { .. } => Ruling::Plan {
                expected: Expected::Unknown,
                action: Action::Copy { forbid_overwrite: false },
            },
        };
        match ruling {
            Ruling::Pass(passed) => drafts.pass(entry.key, entry.size, passed),
            Ruling::Plan { expected, action } => drafts.plan(PlannedObject {
                key: entry.key,
                size: entry.size,
                etag: entry.etag,
                last_modified: entry.last_modified,
                storage_class: entry.storage_class,
                expected,
                action,
            }),
        }
    }
}

/// Rules on keys of one pass.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) plan: Arc<PassPlan>,
    pub(crate) ledger: Ledger,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) target: Arc<dyn Target>,
}

impl Judge {
    /// Rules by the listings, as far as they tell.
    pub(crate) fn sight(&self, entry: Entry, target_key: Key, target: Option<&Entry>) -> Sighting {
        let standing = if self.plan.filter.admits(&entry) {
            let past = self.plan.past(&entry.key);
            match ruling(decide(&self.plan.context, past, &entry, &target_key, target)) {
                Ok(ruling) => Standing::Ruled(ruling),
                Err(_) => Standing::Unclear { target_key },
            }
        } else {
            Standing::Ruled(Ruling::Pass(Passed::Filtered))
        };
        Sighting { entry, standing, is_headed: false }
    }

    /// A key that the target's listing did not reach.
    pub(crate) fn sight_unlisted(&self, entry: Entry, target_key: Key) -> Sighting {
        if self.plan.filter.admits(&entry) {
            Sighting { entry, standing: Standing::Unclear { target_key }, is_headed: true }
        } else {
            let standing = Standing::Ruled(Ruling::Pass(Passed::Filtered));
            Sighting { entry, standing, is_headed: false }
        }
    }

    /// Asks about everything unclear, several at once.
    pub(crate) async fn resolve(&self, sightings: &mut [Sighting]) -> Result<(), Halt> {
        let unclear = sightings.iter().enumerate().filter_map(|(at, sighting)| {
            let Standing::Unclear { target_key } = &sighting.standing else { return None };
            Some((at, &sighting.entry, target_key, sighting.is_headed))
        });
        let unclear: Vec<_> = unclear.collect();
        if unclear.is_empty() {
            return Ok(());
        }
        // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
        let questions: Vec<_> = unclear
            .into_iter()
            .map(|(at, entry, target_key, is_headed)| {
                async move { (at, self.ask(entry, target_key, is_headed).await) }.boxed()
            })
            .collect();
        let asked: Vec<(usize, Result<Ruling, Halt>)> =
            stream::iter(questions).buffer_unordered(HEADS).collect().await;
        for (at, ruling) in asked {
            sightings[at].standing = Standing::Ruled(ruling?);
        }
        Ok(())
    }

    /// Asks the target about one key, then the source where that does not tell either.
    async fn ask(
        &self,
        entry: &Entry,
        target_key: &Key,
        is_unlisted: bool,
    ) -> Result<Ruling, Halt> {
        if let Some(objection) = target_key.oss_objection() {
            return Ok(Ruling::record(Outcome::Unsupported, objection));
        }
        match self.target.head(target_key).await {
            Ok(info) => self.weigh(entry, target_key, info.as_ref(), is_unlisted).await,
            Err(error) => refused_head("target", &error),
        }
    }

    /// Rules by what a HEAD of the target said. `is_unlisted`: no listing was looked at before.
    pub(crate) async fn weigh(
        &self,
        entry: &Entry,
        target_key: &Key,
        info: Option<&ObjectInfo>,
        is_unlisted: bool,
    ) -> Result<Ruling, Halt> {
        let (context, mut past) = (&self.plan.context, self.plan.past(&entry.key));
        if is_unlisted {
            let listed = info.map(|info| Entry::of_head(target_key.clone(), info));
            let verdict = decide(context, past, entry, target_key, listed.as_ref());
            if let Ok(ruling) = ruling(verdict) {
                return Ok(ruling);
            }
        }
        // Each is asked once at most.
        let mut digests = None;
        loop {
            match decide_after_head(context, past, entry, info, digests.as_ref()) {
                Verdict::NeedSourceHead => {
                    digests = Some(match self.source.head(&entry.key).await {
                        Ok(info) => info.digests,
                        Err(error) if error.kind == ErrorKind::NoSuchKey => Digests::default(),
                        Err(error) => return refused_head("source", &error),
                    });
                }
                Verdict::NeedLedger => past.copies = self.copies(&entry.key, info).await?,
                verdict => {
                    return Ok(ruling(verdict).unwrap_or(Ruling::Plan {
                        expected: Expected::Unknown,
                        action: Action::Copy { forbid_overwrite: false },
                    }));
                }
            }
        }
    }

    /// What earlier passes of the scope copied under the key.
    async fn copies(&self, key: &Key, found: Option<&ObjectInfo>) -> Result<Copies, Halt> {
        let plan = &self.plan;
        let before = plan.copied.get_or_try_init(|| self.ledger.copied_before(&plan.pass)).await?;
        let copies = self.ledger.copies_of(before, key).await?;
        let found = found.and_then(|info| info.etag.as_ref());
        let stands = copies
            .iter()
            .any(|copy| copy.is_since_t2 && found.is_some() && copy.target_etag.as_ref() == found);
        Ok(match (copies.is_empty(), stands) {
            (true, _) => Copies::Never,
            (false, true) => Copies::SinceT2,
            (false, false) => Copies::Earlier,
        })
    }
}

/// The verdict is to ask further.
struct NeedsHead;

fn ruling(verdict: Verdict) -> Result<Ruling, NeedsHead> {
    Ok(match verdict {
        Verdict::SkipEqual => Ruling::Pass(Passed::Equal),
        Verdict::SkipExists => Ruling::Pass(Passed::Exists),
        Verdict::SkipDeleted => Ruling::Pass(Passed::Deleted),
        Verdict::Copy { expected_target, forbid_overwrite } => {
            let action = Action::Copy { forbid_overwrite };
            Ruling::Plan { expected: expected(expected_target), action }
        }
        Verdict::Record(outcome, reason) => Ruling::record(outcome, reason),
        Verdict::NeedHead | Verdict::NeedSourceHead | Verdict::NeedLedger => return Err(NeedsHead),
    })
}

/// An object without an `ETag` cannot be named in a row, where an empty text means that none is there.
pub(crate) fn expected(target: Option<ETag>) -> Expected {
    match target {
        None => Expected::Absent,
        Some(etag) if etag.as_str().is_empty() => Expected::Unknown,
        Some(etag) => Expected::Present(etag),
    }
}

/// One object's HEAD that was refused fails that object; what concerns all stops the walk.
pub(crate) fn refused_head(end: &'static str, error: &PortError) -> Result<Ruling, Halt> {
    if !error.concerns_one_object() {
        return Err(Halt::of_port(end, error));
    }
    Ok(Ruling::record(Outcome::Failed, format!("{end}: {error}")))
}
