//! The walk over a source of another order: by continuation token, each page sorted here, checkpoints
//! at page ends only. Such a slice is never split.

use ossferry_core::join::{Lookup, SerialJoin, SerialStep};
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart};
use ossferry_ledger::rows::PassKind;

use crate::audit::AtTarget;
use crate::judge::{Judge, Sighting};
use crate::lister::{Bound, Listed, Lister};
use crate::walk::{Ended, Halt, Walk};

/// Pages of the target listed for one page of the source; what they do not reach is asked for one by
/// one.
const TARGET_PAGES_MAX: u32 = 4;

impl Walk {
    pub(crate) async fn walk_serial(&mut self) -> Result<Ended, Halt> {
        let plan = self.judge.plan.clone();
        let start = match &self.row.token {
            Some(token) => ListStart::Token(token.clone()),
            None => ListStart::Beginning,
        };
        let prefix = plan.job.source.prefix().clone();
        let keys_max = self.judge.source.profile().page_keys_max;
        let request = ListRequest { prefix, start, keys_max };
        let listed = Listed::Source(self.judge.source.clone());
        let mut source = Lister::start(listed, request, Bound::default());
        loop {
            if let Some(ended) = self.rest().await? {
                return Ok(ended);
            }
            let Some(page) = self.next_page(&mut source, "source").await? else { continue };
            let mut sightings = self.judge.look_up(page.entries).await?;
            self.settle(&mut sightings).await?;
            let is_last = page.next.is_none();
            self.drafts.end_page(page.next);
            // Of keys that a list leaves out it says nothing: at the target they are not too many.
            let is_all = plan.job.source.keys().is_none();
            if is_last && is_all && plan.kind == PassKind::Audit {
                return self.turn_to_target().await;
            }
            if is_last {
                return self.finish().await;
            }
        }
    }
}

impl Judge {
    /// Rules on a page of the source in any order, by a few pages of the target.
    pub(crate) async fn look_up(&self, entries: Vec<Entry>) -> Result<Vec<Sighting>, Halt> {
        let plan = &self.plan;
        let job = &plan.job;
        let (from, to) = (job.source.prefix(), &job.target.prefix);
        let mut join = SerialJoin::new(entries, from, to, TARGET_PAGES_MAX)
            .map_err(|bad| Halt::of_listing("source", &bad))?;
        while let SerialStep::List { after } = join.step() {
            let request = ListRequest {
                prefix: to.clone(),
                start: ListStart::After(after),
                keys_max: self.target.profile().page_keys_max,
            };
            let page = self.target.list(&request).await;
            let page = page.map_err(|error| Halt::of_port("target", &error))?;
            join.feed_target(page.entries, page.next.is_none());
        }
        if plan.kind == PassKind::Audit {
            let audit = |(entry, target_key, lookup): (Entry, Key, Lookup)| {
                let target = match &lookup {
                    Lookup::Listed(target) => AtTarget::Listed(target.as_ref()),
                    Lookup::Unlisted => AtTarget::Unlisted,
                };
                self.audit(entry, &target_key, &target)
            };
            return Ok(join.finish().into_iter().map(audit).collect());
        }
        let sight = |(entry, target_key, lookup)| match lookup {
            Lookup::Listed(target) => self.sight(entry, target_key, target.as_ref()),
            Lookup::Unlisted => self.sight_unlisted(entry, target_key),
        };
        Ok(join.finish().into_iter().map(sight).collect())
    }
}
