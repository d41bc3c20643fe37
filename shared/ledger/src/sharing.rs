//! A job's rates, shared by its workers, whose shares together never exceed them.
//!
//! Each worker writes one row of its own: what it may send until its lease ends, and what it could use.
//! It sends less before it writes that it does. Where it wants more it first writes so, then reads all
//! rows, and uses it only where the shares in them fit the rate. Of any workers the one that wrote last
//! has read what every other had written before, so the shares in use fit at every moment, whatever
//! answers are lost. Who dies is not counted once its lease has ended.

use std::time::Duration;

use ossferry_core::crc::crc64_ecma;
use ossferry_core::rates::shares::{
    EachKind, KINDS, Portion, caps, fair_part, fits, idle_part, next_share,
};
use ossferry_core::rates::{Calendar, InForce};
use ossferry_core::time::Timestamp;

use crate::codec::decode;
use crate::ids::{JobName, PassRef, job_partition, pass_row, rate_row, rates_row};
use crate::lease::Change;
use crate::ledger::{Ledger, LedgerError, Result};
use crate::moment::Moment;
use crate::rows::{PassRow, RateRow, RatesRow};

/// Between two renewals of a few workers. What is set or becomes free is noticed so soon.
const PERIOD_MIN: Duration = Duration::from_secs(10);

/// And of many: each reads the rows of all.
const PERIOD_MAX: Duration = Duration::from_secs(25);

/// So many workers renew in a second, until [`PERIOD_MAX`] is reached.
const RENEWALS_PER_SECOND: u64 = 40;

/// A worker that lacks part of its fair share looks again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// Workers that begin together find each other soon.
const RENEWALS_OF_A_NEWCOMER: u64 = 3;

/// Renewals that may be missed before a lease ends.
const PERIODS_IN_LEASE: u32 = 3;

/// A share is not used for so long before its lease ends: clocks of workers differ.
const CLOCK_MARGIN: Duration = Duration::from_secs(5);

/// Numbers that newcomers to a small fleet choose from.
const NUMBERS_MIN: u32 = 64;

/// Rounds of a newcomer that finds its number taken.
const JOIN_ROUNDS_MAX: u64 = 24;

/// What a worker may do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// For the fleet.
    pub in_force: InForce,
    /// For this worker, in thousandths a second. No cap where `None`.
    pub shares: EachKind<Option<u64>>,
}

/// Rows that the rates of a job are shared by.
struct Seen {
    set: Option<RatesRow>,
    rows: Vec<(u32, RateRow)>,
}

/// One worker's part of a job's rates.
pub struct ShareHolder {
    ledger: Ledger,
    job: JobName,
    owner: String,
    calendar: Calendar,
    number: Option<u32>,
    /// What the row that stands allows at least.
    used: EachKind<u64>,
    usable_until: Moment,
    set: Option<RatesRow>,
    /// That `used` is a part of.
    caps: EachKind<Option<u64>>,
    renewals: u64,
}

impl Ledger {
    /// The rates that were set in place of the definition's.
    pub async fn set_rates(&self, job: &JobName) -> Result<Option<RatesRow>> {
        self.read(&rates_row(job)).await
    }

    /// Sets rates in place of the definition's: whoever holds a share learns it at its next renewal, and
    /// whoever works on the pass that runs without one when it next reads that pass's row.
    pub async fn put_rates(&self, job: &JobName, rates: &RatesRow) -> Result<()> {
        let step = |row: Option<&RatesRow>| {
            Ok(if row == Some(rates) { Change::Keep(()) } else { Change::Write(rates.clone(), ()) })
        };
        self.change_or_put(&rates_row(job), None, step).await?;
        if let Some(pass) = self.running_pass(job).await? {
            let pass = PassRef { job: job.clone(), pass };
            self.step::<PassRow, _>(&pass_row(&pass), |row| row.note_set_rates(rates.at)).await?;
        }
        Ok(())
    }

    /// Whether a window lets nothing of a job be copied now. Only where it has such windows a row is read.
    pub async fn is_closed(&self, job: &JobName, calendar: &Calendar) -> Result<bool> {
        if calendar.windows.iter().all(|window| !window.closed) {
            return Ok(false);
        }
        Ok(self.rates_in_force(job, calendar).await?.closed)
    }

    /// What is in force of a job whose definition has this calendar.
    pub async fn rates_in_force(&self, job: &JobName, calendar: &Calendar) -> Result<InForce> {
        let defined = calendar.in_force(self.now());
        Ok(self.set_rates(job).await?.map_or(defined, |set| set.over(defined)))
    }

    /// The shares that are leased now.
    pub async fn leased_shares(&self, job: &JobName) -> Result<Vec<RateRow>> {
        let seen = self.rates_seen(job).await?;
        let rows = seen.rows.into_iter().map(|(_, row)| row);
        Ok(rows.filter(|row| !self.is_free_rate(row)).collect())
    }

    async fn rates_seen(&self, job: &JobName) -> Result<Seen> {
        let mut seen = Seen { set: None, rows: Vec::new() };
        for row in self.rows(&job_partition(job), "rate", "rate0", usize::MAX).await? {
            match row.sort.strip_prefix("rate/") {
                None => seen.set = Some(decode(&row)?),
                Some(number) => seen.rows.extend(number.parse().ok().zip(decode(&row).ok())),
            }
        }
        Ok(seen)
    }

    fn is_free_rate(&self, row: &RateRow) -> bool {
        self.now() >= row.until || (self.known_dead)(&row.owner)
    }
}

impl ShareHolder {
    /// Of a worker that has nothing yet.
    pub fn new(ledger: Ledger, job: JobName, owner: String, calendar: Calendar) -> Self {
        let usable_until = ledger.moment_after(Duration::ZERO);
        Self {
            ledger,
            job,
            owner,
            calendar,
            number: None,
            used: [0; KINDS],
            usable_until,
            set: None,
            caps: [None; KINDS],
            renewals: 0,
        }
    }

    /// What may be done now, by the ledger's clock and what was last read.
    pub fn held(&mut self) -> Held {
        let now = self.ledger.now();
        let defined = self.calendar.in_force(now);
        let in_force = self.set.as_ref().map_or(defined, |set| set.over(defined));
        let caps = caps(&in_force);
        let is_usable = self.is_usable();
        for (kind, cap) in caps.iter().enumerate() {
            self.used[kind] = match (self.caps[kind], cap) {
                _ if !is_usable => 0,
                // A cap that falls is kept at once, in the proportions that stand.
                (Some(old), Some(cap)) if *cap < old => part_of(self.used[kind], *cap, old),
                (Some(_), Some(_)) => self.used[kind],
                _ => 0,
            };
        }
        self.caps = caps;
        let share = |kind: usize| caps[kind].map(|_| self.used[kind]);
        Held { in_force, shares: std::array::from_fn(share) }
    }

    /// How long what is held may be used without another renewal.
    pub fn usable_for(&self) -> Duration {
        self.ledger.until(self.usable_until)
    }

    fn is_usable(&self) -> bool {
        !self.usable_for().is_zero()
    }

    /// Leases a share of each rate anew, for a worker that could use `demand` of it, and answers when
    /// that is due again. `apply` is told what may be done as soon as it changes.
    pub async fn renew(
        &mut self,
        demand: EachKind<Option<u64>>,
        apply: &(dyn Fn(&Held) + Sync),
    ) -> Result<Duration> {
        self.renewals += 1;
        apply(&self.held());
        let seen = self.ledger.rates_seen(&self.job).await?;
        self.set.clone_from(&seen.set);
        let held = self.held();
        apply(&held);
        if held.in_force.is_unlimited() {
            // Somebody may open a window by hand.
            let pause = if held.in_force.closed { PERIOD_MIN } else { PERIOD_MAX };
            return Ok(self.due(pause, held.in_force.until));
        }
        let (seen, number) = match self.number {
            Some(number) => (seen, number),
            None => self.join(seen).await?,
        };
        let others = self.others(&seen);
        let workers = others.len() + 1;
        let portions: EachKind<Option<Portion>> = std::array::from_fn(|kind| {
            let cap = self.caps[kind]?;
            // What nobody else is there for is kept, for what begins after a pause.
            let demand = demand[kind].filter(|_| workers > 1);
            let demand = demand.map(|demand| demand.max(idle_part(cap, workers)));
            let own = Portion { share: self.used[kind], demand };
            Some(Portion { share: next_share(cap, own, &of_kind(&others, kind)), demand })
        });
        let wanted = portions.map(|portion| portion.map_or(0, |portion| portion.share));
        let had = self.used;
        self.used = std::array::from_fn(|kind| had[kind].min(wanted[kind]));
        apply(&self.held());
        let period = period(workers);
        if !self.write(number, portions, period).await? {
            // Its lease had ended, and another has the row.
            self.number = None;
            self.usable_until = self.ledger.moment_after(Duration::ZERO);
            apply(&self.held());
            return Ok(LOOK_AGAIN);
        }
        let mut others = others;
        if (0..KINDS).any(|kind| wanted[kind] > self.used[kind]) {
            let seen = self.ledger.rates_seen(&self.job).await?;
            others = self.others(&seen);
            for (kind, wanted) in wanted.into_iter().enumerate() {
                let cap = self.caps[kind].unwrap_or_default();
                if fits(cap, wanted, &of_kind(&others, kind)) {
                    self.used[kind] = wanted;
                }
            }
        }
        let held = self.held();
        apply(&held);
        let is_new = self.renewals < RENEWALS_OF_A_NEWCOMER;
        let pause = if is_new || self.lacks(&portions, &others) { LOOK_AGAIN } else { period };
        Ok(self.due(pause, held.in_force.until))
    }

    /// Takes a row of its own, with nothing in it.
    async fn join(&mut self, mut seen: Seen) -> Result<(Seen, u32)> {
        for round in 0..JOIN_ROUNDS_MAX {
            let taken: Vec<u32> = seen
                .rows
                .iter()
                .filter(|(_, row)| row.owner != self.owner && !self.ledger.is_free_rate(row))
                .map(|(number, _)| *number)
                .collect();
            // Few wish for the same one of twice as many as are taken.
            let numbers = NUMBERS_MIN.max(u32::try_from(2 * taken.len()).unwrap_or(u32::MAX));
            let draw = crc64_ecma(format!("{}/{round}", self.owner).as_bytes());
            let wish = u32::try_from(draw % u64::from(numbers)).unwrap_or_default();
            let free = (wish..numbers).chain(0..wish).find(|number| !taken.contains(number));
            let Some(number) = free else {
                break;
            };
            let is_ours = self.write(number, [None; KINDS], period(taken.len())).await?;
            seen = self.ledger.rates_seen(&self.job).await?;
            if is_ours {
                self.number = Some(number);
                return Ok((seen, number));
            }
        }
        Err(LedgerError::Contended(rates_row(&self.job)))
    }

    /// Writes the row, and has its lease; `false` where another does.
    async fn write(
        &mut self,
        number: u32,
        portions: EachKind<Option<Portion>>,
        period: Duration,
    ) -> Result<bool> {
        let until = self.ledger.moment_after(period * PERIODS_IN_LEASE + CLOCK_MARGIN);
        let row = RateRow { owner: self.owner.clone(), until: until.at(), portions };
        let step = |stored: Option<&RateRow>| {
            Ok(row.take(stored, |stored| self.ledger.is_free_rate(stored)))
        };
        let (_, is_ours) =
            self.ledger.change_or_put(&rate_row(&self.job, number), None, step).await?;
        if !self.is_usable() {
            // What was had before may be another's by now: it is read again before it is used.
            self.used = [0; KINDS];
        }
        if is_ours && !self.ledger.until(until).is_zero() {
            self.usable_until = until.earlier(CLOCK_MARGIN);
        }
        Ok(is_ours)
    }

    fn others(&self, seen: &Seen) -> Vec<RateRow> {
        let is_other = |row: &&RateRow| row.owner != self.owner && !self.ledger.is_free_rate(row);
        seen.rows.iter().map(|(_, row)| row).filter(is_other).cloned().collect()
    }

    /// Whether part of a fair share is still missing.
    fn lacks(&self, portions: &EachKind<Option<Portion>>, others: &[RateRow]) -> bool {
        (0..KINDS).any(|kind| match (portions[kind], self.caps[kind]) {
            (Some(own), Some(cap)) => {
                let fair = fair_part(cap, own.demand, &of_kind(others, kind));
                self.used[kind] < fair - fair / 10
            }
            _ => false,
        })
    }

    /// After `pause` give or take a tenth, or when something else is in force.
    fn due(&self, pause: Duration, change: Option<Timestamp>) -> Duration {
        let dice = crc64_ecma(format!("{}-{}", self.owner, self.renewals).as_bytes()) % 200;
        let pause = pause * 9 / 10 + pause * u32::try_from(dice).unwrap_or_default() / 1_000;
        match change {
            Some(change) => pause.min(change.since(self.ledger.now())),
            None => pause,
        }
    }
}

fn of_kind(rows: &[RateRow], kind: usize) -> Vec<Portion> {
    rows.iter().map(|row| row.portions[kind].unwrap_or_default()).collect()
}

fn part_of(share: u64, cap: u64, old: u64) -> u64 {
    let part = u128::from(share) * u128::from(cap) / u128::from(old.max(1));
    u64::try_from(part).unwrap_or(share)
}

fn period(workers: usize) -> Duration {
    let millis = (workers as u64).saturating_mul(1_000) / RENEWALS_PER_SECOND;
    Duration::from_millis(millis).clamp(PERIOD_MIN, PERIOD_MAX)
}
