//! Places of a job's copiers, where nobody else counts them: as many as the job's `workers`.
//!
//! A place is a hint that bounds how many work at once, not a lease on anything: what a copier holds of
//! the ledger is kept apart by fences all the same.

use ossferry_core::time::Timestamp;

use crate::codec::decode;
use crate::ids::{JobName, job_partition, place_row};
use crate::ledger::{Ledger, Result};
use crate::rows::PlaceRow;

impl Ledger {
    /// Takes one of a job's `places` for `owner` until `until`, first of all the one it has had.
    /// Answers its number, or `None` where all are taken. A place that is not taken again is free then.
    pub async fn take_place(
        &self,
        job: &JobName,
        held: Option<u32>,
        owner: &str,
        places: u32,
        until: Timestamp,
    ) -> Result<Option<u32>> {
        let taker = PlaceRow { owner: owner.to_owned(), until };
        if let Some(held) = held.filter(|held| *held < places)
            && self.take_this_place(job, held, &taker).await?
        {
            return Ok(Some(held));
        }
        let now = self.now();
        let held_by = self.places(job).await?;
        let is_free = |place: &u32| {
            held_by.get(*place as usize).is_none_or(|row| {
                row.as_ref().is_none_or(|row| !row.is_taken_at(now) || row.owner == owner)
            })
        };
        for place in (0..places).filter(is_free) {
            if self.take_this_place(job, place, &taker).await? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Lets go of a place, if this owner has it still.
    pub async fn leave_place(&self, job: &JobName, place: u32, owner: &str) -> Result<()> {
        let free = PlaceRow { owner: owner.to_owned(), until: Timestamp(0) };
        let now = self.now();
        let id = place_row(job, place);
        self.change_or_put::<PlaceRow, _>(&id, None, |row| Ok(PlaceRow::take(row, &free, now)))
            .await
            .map(drop)
    }

    /// How many places of a job are taken now.
    pub async fn places_taken(&self, job: &JobName) -> Result<u64> {
        let now = self.now();
        let rows = self.places(job).await?;
        Ok(rows.iter().flatten().filter(|row| row.is_taken_at(now)).count() as u64)
    }

    async fn take_this_place(&self, job: &JobName, place: u32, taker: &PlaceRow) -> Result<bool> {
        let now = self.now();
        let id = place_row(job, place);
        let step = |row: Option<&PlaceRow>| Ok(PlaceRow::take(row, taker, now));
        Ok(self.change_or_put(&id, None, step).await?.1)
    }

    /// By number, up to the last that was ever taken.
    async fn places(&self, job: &JobName) -> Result<Vec<Option<PlaceRow>>> {
        let mut places = Vec::new();
        for row in self.rows(&job_partition(job), "copier/", "copier0", usize::MAX).await? {
            let number = row.sort.strip_prefix("copier/").and_then(|text| text.parse().ok());
            let number: usize = number.unwrap_or_default();
            places.resize(places.len().max(number + 1), None);
            places[number] = Some(decode::<PlaceRow>(&row)?);
        }
        Ok(places)
    }
}
