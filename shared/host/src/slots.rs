//! How many slices of a pass are worth walking at once, over all environments of the function.
//!
//! An environment walks one slice and knows nothing of the others, so the ledger is asked how many wait or
//! are walked. What is free is shared among those who walk: each may split so often, until it asks again.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ossferry_ledger::ids::PassRef;
use ossferry_ledger::{Ledger, Recorded};
use tokio::time::sleep;

/// Between two questions: each reads the row of every slice that is not settled.
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// Splits that this environment may still make.
#[derive(Clone, Default)]
pub struct Slots(Arc<AtomicU64>);

impl Slots {
    /// Whether another slice would be walked at once.
    pub fn has_room(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Counts what was split.
    pub(crate) fn note(&self, recorded: Recorded<'_>) {
        if matches!(recorded, Recorded::Split) {
            let less = |left: u64| Some(left.saturating_sub(1));
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Asks the ledger over and over.
    pub(crate) async fn watch(
        &self,
        ledger: &Ledger,
        pass: &PassRef,
        slices_max: u32,
    ) -> Infallible {
        loop {
            match ledger.slices_unwalked(pass).await {
                Ok(unwalked) => self.0.store(share(slices_max.into(), unwalked), Ordering::Relaxed),
                Err(error) => tracing::debug!(%error, "count slices"),
            }
            sleep(ASK_AGAIN).await;
        }
    }
}

/// What one of `unwalked` slices may add.
fn share(slices_max: u64, unwalked: u64) -> u64 {
    slices_max.saturating_sub(unwalked).div_ceil(unwalked.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_shared_among_those_who_walk() {
        for (unwalked, room) in [(0, 8), (1, 7), (2, 3), (3, 2), (5, 1), (7, 1), (8, 0), (20, 0)] {
            assert_eq!(share(8, unwalked), room, "{unwalked}");
        }
    }

    #[test]
    fn a_split_takes_one() {
        let slots = Slots::default();
        assert!(!slots.has_room());
        slots.0.store(1, Ordering::Relaxed);
        assert!(slots.has_room());
        slots.note(Recorded::Split);
        slots.note(Recorded::Split);
        assert!(!slots.has_room());
    }
}
