//! Looks at a real source: a few pages of its listing, from several places, and a few reads. Writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join_all;
use ossferry_core::error::PortError;
use ossferry_core::job::{BadGlob, Job};
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, Entry, Pin};
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder, Page, Source};
use ossferry_core::splitting::{Alphabet, middle};
use serde::Serialize;
use tokio::time::Instant;

/// Of one object no more is read.
pub(super) const READ_BYTES_MAX: u64 = 32 << 20;

/// Less tells how long a request takes, and not how fast bytes come.
const MEASURED_BYTES_MIN: u64 = 8 << 20;

/// Keys of a page from which the alphabet is learned.
const LEARNED_KEYS: usize = 50;

/// What was seen.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub(super) struct Sample {
    /// Sizes of objects that belong to the job.
    #[serde(skip)]
    pub(super) sizes: Vec<u64>,
    /// How many those are.
    pub(super) objects: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Of those, objects that must be restored first and their bytes, by storage class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) archived: BTreeMap<String, (u64, u64)>,
    /// Listed objects that the job's filter leaves out.
    pub(super) filtered: u64,
    /// LIST requests that were made, or pages of the list that stands in for the listing.
    pub(super) pages: u64,
    /// Whether that was the whole listing.
    pub(super) is_whole: bool,
    /// GET requests that were made.
    pub(super) reads: u64,
    /// Bytes read.
    pub(super) bytes_read: u64,
    /// All reads at once, from this machine; `None` where too little was read to tell.
    pub(super) bytes_per_second: Option<u64>,
}

/// Why a source could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    /// The source said no, or nothing.
    #[error("source: {0}")]
    Source(#[from] PortError),
    /// Not possible for a job that was parsed.
    #[error("filter: {0}")]
    Filter(#[from] BadGlob),
}

/// Lists at most `pages_max` pages and reads at most `reads_max` objects, the largest that were seen, of
/// each at most [`READ_BYTES_MAX`].
pub(super) async fn take(
    job: &Job,
    source: &Arc<dyn Source>,
    pages_max: u32,
    reads_max: u32,
) -> Result<Sample, SampleError> {
    let filter = job.compiled_filter()?;
    let mut listing = Listing::new(source, job.source.prefix());
    let is_whole = listing.look(pages_max).await?;
    let mut sample = Sample { pages: listing.pages, is_whole, ..Sample::default() };
    let mut readable = Vec::new();
    for entry in listing.seen.into_values() {
        if !filter.admits(&entry) {
            sample.filtered += 1;
            continue;
        }
        sample.objects += 1;
        sample.bytes = sample.bytes.saturating_add(entry.size);
        sample.sizes.push(entry.size);
        if entry.archived {
            let class = entry.storage_class.clone().unwrap_or_default();
            let of_class = sample.archived.entry(class).or_default();
            *of_class = (of_class.0 + 1, of_class.1.saturating_add(entry.size));
        }
        if entry.size > 0 && !entry.archived && entry.etag.is_some() {
            readable.push(entry);
        }
    }
    readable.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.size));
    readable.truncate(usize::try_from(reads_max).unwrap_or(usize::MAX));
    let began = Instant::now();
    for read in join_all(readable.iter().map(|entry| read(source, entry))).await {
        sample.reads += 1;
        sample.bytes_read += read?;
    }
    let millis = began.elapsed().as_millis().max(1);
    let rate = u128::from(sample.bytes_read) * 1_000 / millis;
    if sample.bytes_read >= MEASURED_BYTES_MIN {
        sample.bytes_per_second = u64::try_from(rate).ok().filter(|rate| *rate > 0);
    }
    Ok(sample)
}

async fn read(source: &Arc<dyn Source>, entry: &Entry) -> Result<u64, PortError> {
    let Some(etag) = entry.etag.clone() else { return Ok(0) };
    let range =
        (entry.size > READ_BYTES_MAX).then_some(ByteRange { start: 0, bytes: READ_BYTES_MAX });
    let mut open = source.open(&entry.key, &Pin { etag }, range).await?;
    let mut bytes = 0;
    while let Some(chunk) = open.body.next().await {
        bytes += chunk?.len() as u64;
    }
    Ok(bytes)
}

/// Pages from here and there. A key that two pages show counts once.
struct Listing<'a> {
    source: &'a Arc<dyn Source>,
    prefix: &'a Key,
    seen: BTreeMap<Key, Entry>,
    pages: u64,
}

/// Keys between two that were listed.
struct Gap {
    after: Key,
    until: Option<Key>,
}

impl<'a> Listing<'a> {
    fn new(source: &'a Arc<dyn Source>, prefix: &'a Key) -> Self {
        Self { source, prefix, seen: BTreeMap::new(), pages: 0 }
    }

    /// Whether everything was seen.
    async fn look(&mut self, pages_max: u32) -> Result<bool, PortError> {
        let first = self.page(ListStart::Beginning).await?;
        if first.next.is_none() {
            return Ok(true);
        }
        match (self.source.profile().order, last_key(&first)) {
            (ListingOrder::Bytes, Some(last)) => self.halve(last, pages_max).await,
            _ => self.go_on(first, pages_max).await,
        }
    }

    /// One page after the other: what a store allows whose order is not known.
    async fn go_on(&mut self, mut page: Page, pages_max: u32) -> Result<bool, PortError> {
        for _ in 1..pages_max {
            let Some(next) = page.next.take() else { return Ok(true) };
            page = self.page(ListStart::Token(next)).await?;
        }
        Ok(page.next.is_none())
    }

    /// A page at the middle of what was not seen yet, again and again: widest first.
    async fn halve(&mut self, last: Key, pages_max: u32) -> Result<bool, PortError> {
        let mut gaps = std::collections::VecDeque::from([Gap { after: last, until: None }]);
        for _ in 1..pages_max {
            let Some(gap) = gaps.pop_front() else { break };
            let mut alphabet = Alphabet::default();
            let step = (self.seen.len() / LEARNED_KEYS).max(1);
            self.seen.keys().step_by(step).for_each(|key| alphabet.learn(key));
            let Some(between) = middle(&gap.after, gap.until.as_ref(), self.prefix, &alphabet)
            else {
                continue;
            };
            let page = self.page(ListStart::After(between.clone())).await?;
            if let (Some(end), Some(_)) = (last_key(&page), &page.next)
                && gap.until.as_ref().is_none_or(|until| end < *until)
            {
                gaps.push_back(Gap { after: end, until: gap.until });
            }
            gaps.push_back(Gap { after: gap.after, until: Some(between) });
        }
        Ok(false)
    }

    async fn page(&mut self, start: ListStart) -> Result<Page, PortError> {
        let keys_max = self.source.profile().page_keys_max;
        let request = ListRequest { prefix: self.prefix.clone(), start, keys_max };
        let page = self.source.list(&request).await?;
        self.pages += 1;
        let entries = page.entries.iter().map(|entry| (entry.key.clone(), entry.clone()));
        self.seen.extend(entries);
        Ok(page)
    }
}

fn last_key(page: &Page) -> Option<Key> {
    page.entries.last().map(|entry| entry.key.clone())
}
