//! What an incremental pass would write over if it began now: the listings joined as it joins them, and
//! nothing written at either end or in the ledger.

use std::sync::Arc;
use std::time::Duration;

use ossferry_core::job::Job;
use ossferry_core::join::{BadListing, Join, JoinStep};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder};
use ossferry_ledger::ids::PassId;
use ossferry_ledger::lists::{Action, Expected};
use ossferry_ledger::rows::PassKind;
use tokio::time::timeout;

use crate::judge::{Judge, Ruling, Sighting, Standing};
use crate::lister::{Bound, Listed, Lister};
use crate::walk::Halt;
use crate::{PlanError, Planner, Trigger};

/// How far a look came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Looked {
    /// Through every key.
    Whole,
    /// Not so far, for this reason.
    BrokeOff(String),
}

impl Planner {
    /// Hands every key that an incremental pass of the job would write over now to `found`, for at most
    /// so long: its copy at the target is older than the source's object. Refused as the pass would be.
    pub async fn look_ahead(
        &self,
        job: &Job,
        time_max: Duration,
        found: &mut (dyn FnMut(Key) + Send),
    ) -> Result<Looked, PlanError> {
        let pass = PassId::from("look-ahead");
        let kind = Some(PassKind::Incremental);
        let trigger = Trigger { pass, kind, since: None, reread: None };
        let begin = self.begin_pass(job, &trigger).await?;
        let plan = self.make_plan(&begin.row(0, self.ledger.now()), begin.outstanding)?;
        let judge = Judge {
            plan: Arc::new(plan),
            ledger: self.ledger.clone(),
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
        };
        let looked = async {
            match self.source.profile().order {
                ListingOrder::Bytes => judge.look_by_key(found).await,
                ListingOrder::Serial => judge.look_serially(found).await,
            }
        };
        match timeout(time_max, looked).await {
            Ok(Ok(())) => Ok(Looked::Whole),
            Ok(Err(Halt::Ledger(error))) => Err(error.into()),
            Ok(Err(Halt::Stop(reason) | Halt::Later { reason, .. })) => {
                Ok(Looked::BrokeOff(reason))
            }
            Err(_) => Ok(Looked::BrokeOff(format!("it took longer than {} s", time_max.as_secs()))),
        }
    }
}

impl Judge {
    async fn look_by_key(&self, found: &mut (dyn FnMut(Key) + Send)) -> Result<(), Halt> {
        let job = &self.plan.job;
        let (from, to) = (job.source.prefix().clone(), job.target.prefix.clone());
        let keys_max = self.target.profile().page_keys_max;
        let request = ListRequest { prefix: to.clone(), start: ListStart::Beginning, keys_max };
        let listed = Listed::Target(Arc::clone(&self.target));
        let mut target = Lister::start(listed, request, Bound::default());
        let mut source = self.source_pages();
        let mut join = Join::new(from, to);
        let mut sightings = Vec::new();
        let bad = |end| move |bad: BadListing| Halt::of_listing(end, &bad);
        loop {
            match join.step() {
                JoinStep::Pair { source, target_key, target } => {
                    sightings.push(self.sight(source, target_key, target.as_ref()));
                }
                JoinStep::Extra { .. } => {}
                JoinStep::NeedSource => {
                    self.hand_out(&mut sightings, found).await?;
                    let page = source.next().await;
                    let page = page.map_err(|error| Halt::of_port("source", &error))?;
                    let is_last = page.next.is_none();
                    join.feed_source(page.entries, is_last).map_err(bad("source"))?;
                }
                JoinStep::NeedTarget { .. } => {
                    let page = target.next().await;
                    let page = page.map_err(|error| Halt::of_port("target", &error))?;
                    let is_last = page.next.is_none();
                    join.feed_target(page.entries, is_last).map_err(bad("target"))?;
                }
                JoinStep::End => return self.hand_out(&mut sightings, found).await,
            }
        }
    }

    async fn look_serially(&self, found: &mut (dyn FnMut(Key) + Send)) -> Result<(), Halt> {
        let mut source = self.source_pages();
        loop {
            let page = source.next().await;
            let page = page.map_err(|error| Halt::of_port("source", &error))?;
            let mut sightings = self.look_up(page.entries).await?;
            self.hand_out(&mut sightings, found).await?;
            if page.next.is_none() {
                return Ok(());
            }
        }
    }

    fn source_pages(&self) -> Lister {
        let request = ListRequest {
            prefix: self.plan.job.source.prefix().clone(),
            start: ListStart::Beginning,
            keys_max: self.source.profile().page_keys_max,
        };
        Lister::start(Listed::Source(Arc::clone(&self.source)), request, Bound::default())
    }

    /// Asks about what is unclear, and hands out what would be written over.
    async fn hand_out(
        &self,
        sightings: &mut Vec<Sighting>,
        found: &mut (dyn FnMut(Key) + Send),
    ) -> Result<(), Halt> {
        self.resolve(sightings).await?;
        for Sighting { entry, standing, .. } in sightings.drain(..) {
            if let Standing::Ruled(Ruling::Plan { expected, action: Action::Copy { .. } }) =
                standing
                && expected != Expected::Absent
            {
                found(entry.key);
            }
        }
        Ok(())
    }
}
