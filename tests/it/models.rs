//! The ledger's protocols, walked through exhaustively in small worlds.
//!
//! A model is one protocol: its rows are the product's own, and every write is one of the product's pure
//! transitions. What a model adds is the world around them: workers that crash, freeze and wake after
//! their lease, answers that are lost, messages that are doubled, lost and reordered, a source that
//! changes. So many faults, at any place and in any order, are tried as the model's `faults` says;
//! `OSSFERRY_MODEL_SCALE=2` tries one more.
//!
//! One conditional write is one step: the driver of the ledger takes a refused step again on the row
//! that stands, so that what is written is the step taken at that moment. A lost answer is the step
//! taken, and then taken again.
//!
//! A weakening takes one guard away, in the model alone, and must be found out.

mod claim;
mod completion;
mod deaths;
mod idle;
mod opening;
mod since;
mod split;
mod window;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;
use ossferry_ledger::LEASE_MARGIN;
use ossferry_ledger::lease::{Claimant, KnownDead};
use ossferry_ledger::lists::{Action, Expected, PlannedObject};
use stateright::{Checker, HasDiscoveries, Model};

static NOBODY: LazyLock<KnownDead> = LazyLock::new(|| Arc::new(|_: &str| false));

/// How many faults a world bears: `faults`, and more in the second tier.
fn faults(faults: u8) -> u8 {
    let scale = std::env::var("OSSFERRY_MODEL_SCALE").ok().and_then(|text| text.parse().ok());
    faults + scale.unwrap_or(1_u8).saturating_sub(1)
}

/// An attempt that begins now. Its deadline is now too: what remains of the lease is the margin, and
/// time passes in whole leases.
fn claimant(owner: &str, now: Timestamp) -> Claimant {
    Claimant {
        owner: owner.to_owned(),
        now,
        lease_until: now.plus(LEASE_MARGIN),
        known_dead: NOBODY.clone(),
    }
}

/// An object as a planner lists it, of a job that overwrites.
fn planned(key: &Key, size: u64) -> PlannedObject {
    PlannedObject {
        key: key.clone(),
        size,
        etag: None,
        last_modified: None,
        storage_class: None,
        expected: Expected::Absent,
        action: Action::Copy { forbid_overwrite: false },
    }
}

/// Whether anything that counts can still happen.
fn goes_on<M: Model>(model: &M, world: &M::State, counts: impl Fn(&M::Action) -> bool) -> bool {
    let mut actions = Vec::new();
    model.actions(world, &mut actions);
    let mut counting = actions.into_iter().filter(counts);
    counting.any(|action| model.next_state(world, action).is_some())
}

/// Walks a world to its last state: every law holds in every one, and what should be possible is.
fn holds<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Hash + Clone + Debug + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    // No limit of states, depth or time is set: what is not cut short by a failure is walked whole.
    let walk = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    let checker = walk.spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("model {name}: {states} states, depth {depth}");
    checker.assert_properties();
    assert!(checker.is_done(), "every state was seen");
}

/// Walks a weakened world until the law breaks that the guard was for.
fn breaks<M>(name: &str, model: M, law: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Hash + Clone + Debug + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let until = HasDiscoveries::AnyOf([law].into());
    let checker = model.checker().threads(2).finish_when(until).spawn_bfs().join();
    let found = checker.discovery(law).map(stateright::Path::into_actions);
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("model {name}: {states} states, depth {depth}, found out by {found:?}");
    assert!(found.is_some(), "{name}: {law}");
}
