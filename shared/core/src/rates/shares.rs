//! How one rate is divided among workers that want different amounts of it.
//!
//! Each worker shows what it has and what it could use. Who wants less than an even part gets what it
//! wants, and what is left of the parts goes to the others. Nobody takes from another: a worker gives up
//! by itself what is above its fair part, and takes only what lies free.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InForce, Rates};

/// The rates of a job's two ends: bytes and requests of the source, bytes and requests of the target.
pub const KINDS: usize = 4;

/// One number of each kind.
pub type EachKind<T> = [T; KINDS];

/// Shares are told in thousandths a second: one request a second may be many workers'.
pub const THOUSANDTHS: u64 = 1_000;

/// No rate is taken for a higher one, so that sums stay far from the end of the numbers.
const CAP_MAX: u64 = 1 << 52;

/// A worker that moves nothing keeps this fraction of an even part, so that it can begin at once.
const IDLE_FRACTION: u64 = 20;

/// What lacks less than this fraction is not asked for: it would cost a second look at the table.
const SLACK_FRACTION: u64 = 50;

/// A worker that uses this much of its share could use more.
const BUSY_PERCENT: u128 = 93;

/// A worker that does not is left this much of what it uses: below [`BUSY_PERCENT`] of it, so that it stays
/// what it is, and little enough that the others miss little.
const GROWING_PERCENT: u128 = 112;

/// What one worker has of one rate, and what it could use. Thousandths a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// It sends no more.
    #[serde(rename = "s")]
    pub share: u64,
    /// As much as there is where `None`.
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub demand: Option<u64>,
}

/// The caps of both ends, in thousandths a second. No cap where `None`.
pub fn caps(in_force: &InForce) -> EachKind<Option<u64>> {
    let InForce { source, target, .. } = in_force;
    let [source, target] =
        [source, target].map(|Rates { bytes_per_second, requests_per_second }| {
            [bytes_per_second, requests_per_second]
                .map(|rate| rate.map(|rate| rate.saturating_mul(THOUSANDTHS).min(CAP_MAX)))
        });
    [source[0], source[1], target[0], target[1]]
}

/// What a worker keeps of a rate that `workers` share, however little it moves.
pub fn idle_part(cap: u64, workers: usize) -> u64 {
    cap / IDLE_FRACTION / (workers.max(1) as u64)
}

/// What a worker could use that used `taken` of what it was `offered` in this time: as much as there is,
/// where that was nearly everything. Thousandths; the answer is a rate of a second.
pub fn demand(taken: u64, offered: u64, time: Duration) -> Option<u64> {
    let (taken, offered) = (u128::from(taken), u128::from(offered));
    if taken * 100 >= offered * BUSY_PERCENT {
        return None;
    }
    let millis = time.as_millis().max(1);
    let demand = taken * 1_000 / millis * GROWING_PERCENT / 100;
    Some(u64::try_from(demand).unwrap_or(CAP_MAX))
}

/// The fair part of a worker that wants `own`, beside others that want what they show.
pub fn fair_part(cap: u64, own: Option<u64>, others: &[Portion]) -> u64 {
    own.unwrap_or(cap).min(even_part(cap, own, others))
}

/// What everybody may have who wants that much, where those who want less leave the rest to the others.
fn even_part(cap: u64, own: Option<u64>, others: &[Portion]) -> u64 {
    let demands = others.iter().map(|other| other.demand).chain([own]);
    let mut demands: Vec<u64> = demands.map(|demand| demand.unwrap_or(cap)).collect();
    demands.sort_unstable();
    let (mut left, mut workers) = (cap, demands.len() as u64);
    for demand in demands {
        if demand > left / workers {
            return left / workers;
        }
        left -= demand;
        workers -= 1;
    }
    cap
}

/// The share that a worker asks for next: its fair part where it has more, and where it has less what
/// lies free of that, of which everybody who lacks some leaves the others theirs.
pub fn next_share(cap: u64, own: Portion, others: &[Portion]) -> u64 {
    let even = even_part(cap, own.demand, others);
    let lack = |portion: &Portion| {
        portion.demand.map_or(even, |demand| demand.min(even)).saturating_sub(portion.share)
    };
    let (lacks, fair) = (lack(&own), own.demand.map_or(even, |demand| demand.min(even)));
    if lacks == 0 || (lacks < fair / SLACK_FRACTION && fits(cap, own.share, others)) {
        return fair.min(own.share);
    }
    let sum = |of: &dyn Fn(&Portion) -> u64| {
        others.iter().fold(0_u64, |sum, other| sum.saturating_add(of(other)))
    };
    let free = cap.saturating_sub(sum(&|other| other.share)).saturating_sub(own.share);
    let lacking = sum(&lack).saturating_add(lacks);
    let part = u128::from(free) * u128::from(lacks) / u128::from(lacking);
    own.share + lacks.min(u64::try_from(part).unwrap_or(free))
}

/// Whether a share stays below the cap together with what the others have.
pub fn fits(cap: u64, share: u64, others: &[Portion]) -> bool {
    others.iter().fold(share, |sum, other| sum.saturating_add(other.share)) <= cap
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn portion(share: u64, demand: impl Into<Option<u64>>) -> Portion {
        Portion { share, demand: demand.into() }
    }

    #[test]
    fn who_wants_little_gets_it_and_the_others_share_the_rest_evenly() {
        let wants = |demand: Option<u64>| portion(0, demand);
        assert_eq!(fair_part(100, None, &[]), 100);
        assert_eq!(fair_part(100, None, &[wants(None), wants(Some(10)), wants(Some(20))]), 35);
        assert_eq!(fair_part(100, Some(10), &[wants(None), wants(None)]), 10);
        assert_eq!(fair_part(100, Some(50), &[wants(None), wants(None)]), 33);
        assert_eq!(fair_part(100, Some(30), &[wants(Some(30))]), 30, "more than all want is there");
    }

    #[test]
    fn a_newcomer_waits_until_the_others_have_given_up_its_part() {
        let full = portion(100, None);
        assert_eq!(next_share(100, portion(0, None), &[full]), 0);
        assert_eq!(next_share(100, full, &[portion(0, None)]), 50);
        assert_eq!(next_share(100, portion(0, None), &[portion(50, None)]), 50);
    }

    #[test]
    fn two_that_lack_as_much_take_half_of_what_is_free_each() {
        let others = [portion(40, None), portion(10, None), portion(10, Some(10))];
        let own = portion(10, None);
        // Fair is 30, free 30; two lack 20 each.
        assert_eq!(next_share(100, own, &others), 25);
    }

    #[test]
    fn what_is_above_the_cap_is_given_up_whoever_has_it() {
        assert_eq!(next_share(50, portion(60, None), &[portion(60, None)]), 25);
        assert!(!fits(100, 60, &[portion(41, None)]) && fits(100, 60, &[portion(40, None)]));
    }

    #[test]
    fn a_worker_that_uses_most_of_its_share_could_use_more_and_one_that_does_not_is_left_a_little_more()
     {
        let ten = Duration::from_secs(10);
        assert_eq!(demand(93, 100, ten), None);
        assert_eq!(demand(0, 0, ten), None, "nothing was offered: a newcomer");
        assert_eq!(demand(0, 100, ten), Some(0));
        assert_eq!(demand(50_000, 100_000, ten), Some(5_600));
        let steady = demand(50_000, 56_000, ten);
        assert_eq!(steady, Some(5_600), "who has what it was left stays as it is");
    }

    proptest! {
        #[test]
        fn workers_that_see_each_other_never_ask_for_more_than_there_is_and_come_to_their_fair_parts(
            cap in 1_000_u64..1 << 40,
            wants in prop::collection::vec(prop::option::of(0_u64..1 << 40), 1..40),
        ) {
            let mut all: Vec<Portion> = wants.iter().map(|want| portion(0, *want)).collect();
            let others = |all: &[Portion], me: usize| {
                let mut others = all.to_vec();
                others.swap_remove(me);
                others
            };
            for _ in 0..3 {
                let next: Vec<u64> = (0..all.len())
                    .map(|me| next_share(cap, all[me], &others(&all, me)))
                    .collect();
                let lowered: u64 = next.iter().zip(&all).map(|(next, had)| *next.max(&had.share)).sum();
                prop_assert!(lowered <= cap);
                all.iter_mut().zip(next).for_each(|(portion, next)| portion.share = next);
            }
            for me in 0..all.len() {
                let fair = fair_part(cap, all[me].demand, &others(&all, me));
                prop_assert!(all[me].share <= fair);
                prop_assert!(all[me].share >= fair - fair / 50 - 2, "{} of {}", all[me].share, fair);
            }
        }
    }
}
