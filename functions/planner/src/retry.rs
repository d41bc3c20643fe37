//! The walk of a retry: the keys that earlier passes left undone, each asked for at both ends.

use futures::{FutureExt, StreamExt, stream};
use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::outcome::Outcome;

use crate::drafts::Passed;
use crate::judge::{HEADS, Judge, Ruling, Sighting, Standing, refused_head};
use crate::walk::{Ended, Halt, Walk};

/// Keys between two looks at the clock.
const KEYS_AT_ONCE: usize = 256;

impl Walk {
    /// Every key has its outcome at the end, also one that is gone. Never splits.
    pub(crate) async fn walk_outstanding(&mut self) -> Result<Ended, Halt> {
        let plan = self.judge.plan.clone();
        let keys = within(&plan.outstanding, self.row.cursor.as_ref(), self.row.until.as_ref());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            if let Some(ended) = self.rest().await? {
                return Ok(ended);
            }
            let judge = &self.judge;
            // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
            let visits: Vec<_> = keys.iter().map(|key| judge.revisit(key).boxed()).collect();
            let mut seen = stream::iter(visits).buffered(HEADS);
            let mut sightings = Vec::with_capacity(keys.len());
            while let Some(sighting) = seen.next().await {
                sightings.push(sighting?);
            }
            drop(seen);
            self.settle(&mut sightings).await?;
            self.drafts.end_page(None);
        }
        self.finish().await
    }
}

/// Keys after `cursor` and not after `until`.
fn within<'a>(keys: &'a [Key], cursor: Option<&Key>, until: Option<&Key>) -> &'a [Key] {
    let from = cursor.map_or(0, |cursor| keys.partition_point(|key| key <= cursor));
    let to = until.map_or(keys.len(), |until| keys.partition_point(|key| key <= until));
    &keys[from.min(to)..to]
}

impl Judge {
    async fn revisit(&self, key: &Key) -> Result<Sighting, Halt> {
        let sighting = |entry, ruling, is_headed| Sighting {
            entry,
            standing: Standing::Ruled(ruling),
            is_headed,
        };
        let unseen = || Entry::unknown(key.clone());
        let Some(target_key) = self.plan.job.target_key(key) else {
            let reason = "the key does not begin with the job's prefix";
            return Ok(sighting(unseen(), Ruling::record(Outcome::Failed, reason), false));
        };
        let is_held = target_key.oss_objection().is_none();
        let at_target =
            async { if is_held { self.target.head(&target_key).await } else { Ok(None) } };
        let (source, target) = tokio::join!(self.source.head(key), at_target);
        let entry = match source {
            Ok(info) => Entry::of_head(key.clone(), &info),
            Err(error) if error.kind == ErrorKind::NoSuchKey => {
                let ruling = Ruling::record(Outcome::Gone, "deleted at the source since");
                return Ok(sighting(unseen(), ruling, is_held));
            }
            Err(error) => {
                let ruling = refused_head("source", &error)?;
                return Ok(sighting(unseen(), ruling, is_held));
            }
        };
        if !self.plan.filter.admits(&entry) {
            return Ok(sighting(entry, Ruling::Pass(Passed::Filtered), is_held));
        }
        let ruling = match target {
            Ok(info) => self.weigh(&entry, &target_key, info.as_ref(), true).await?,
            Err(error) => refused_head("target", &error)?,
        };
        Ok(sighting(entry, ruling, is_held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_keys_begins_after_the_cursor_and_ends_with_its_last_key() {
        let keys = ["a", "b", "c", "d"].map(Key::from);
        let found = |cursor: &str, until: &str| {
            let bound = |text: &str| (!text.is_empty()).then(|| Key::from(text));
            within(&keys, bound(cursor).as_ref(), bound(until).as_ref()).len()
        };
        assert_eq!((found("", ""), found("a", "c"), found("b", "b")), (4, 2, 0));
        assert_eq!((found("d", ""), found("c", "a"), found("bb", "cc")), (0, 0, 1));
    }
}
