//! A list of keys in place of a listing: what another pass left behind, or what somebody chose.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use ossferry_core::crc;
use ossferry_core::error::PortError;
use ossferry_core::job::ListingPlace;
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart, Page, Source};
use ossferry_core::time::Timestamp;
use tokio::sync::Mutex;

use crate::key_rows::{WHAT, read_keys, unusable};
use crate::listed::{ListedBucket, Listing};
use crate::stored::{of_bucket, of_disk};

/// Keys of one page. Each costs a HEAD, and a page must fit well into an invocation.
const PAGE_KEYS_MAX: u32 = 100;

/// HEAD requests of one page in flight at once.
const HEADS: usize = 32;

/// The keys of a list as it was read once: sorted, so that a page of them lies close together at the target
/// too, and each of them once.
struct Keys {
    keys: Vec<Key>,
    /// CRC-64/ECMA of the list's bytes.
    digest: u64,
}

struct KeyList {
    place: ListingPlace,
    /// Of the job: what does not begin so cannot belong to it.
    prefix: Key,
    read: Mutex<Option<Arc<Keys>>>,
}

impl ListedBucket {
    /// A bucket of which only the keys of a list count. All of them must begin with the job's prefix. The
    /// list is read when a listing begins.
    ///
    /// - Nothing but the keys is taken from the list. Each object is asked for when its turn to be listed
    ///   comes, because what a list says of it may be old.
    /// - A key that the source has no object for, or of which it says nothing, is listed all the same, with
    ///   nothing known of it: a copier asks again, and records what it is told.
    /// - Its clock stands at the beginning of time: a list may leave out anything, so that a date vouches for
    ///   nothing.
    /// - A position in a listing is one of the list that was read: once that has changed, listing goes on
    ///   no further.
    pub fn by_keys(bucket: Arc<dyn Source>, place: ListingPlace, prefix: Key) -> Self {
        let list = KeyList { place, prefix, read: Mutex::new(None) };
        Self::new(bucket, list, PAGE_KEYS_MAX)
    }
}

impl KeyList {
    /// The list anew, or as it was read before where it then had this digest.
    async fn keys(&self, bucket: &dyn Source, digest: Option<u64>) -> Result<Arc<Keys>, PortError> {
        let mut read = self.read.lock().await;
        if let Some(keys) = read.as_ref().filter(|keys| Some(keys.digest) == digest) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(self.parse(&self.text(bucket).await?)?);
        if digest.is_some_and(|digest| digest != keys.digest) {
            return Err(unusable("it has changed since the pass began: begin another pass"));
        }
        *read = Some(Arc::clone(&keys));
        Ok(keys)
    }

    async fn text(&self, bucket: &dyn Source) -> Result<Bytes, PortError> {
        match &self.place {
            ListingPlace::File(path) => of_disk(WHAT, path.into()).await,
            ListingPlace::Key(key) => of_bucket(WHAT, bucket, key).await,
        }
    }

    fn parse(&self, text: &[u8]) -> Result<Keys, PortError> {
        let mut keys = read_keys(text)?;
        if let Some(key) = keys.iter().find(|key| !key.starts_with(self.prefix.as_bytes())) {
            return Err(unusable(format_args!(
                "{key} does not begin with the prefix of the job, {}",
                self.prefix
            )));
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(Keys { keys, digest: crc::crc64_ecma(text) })
    }
}

#[async_trait]
impl Listing for KeyList {
    fn holds_until(&self, _: Timestamp) -> Timestamp {
        Timestamp(0)
    }

    async fn list(&self, bucket: &dyn Source, request: &ListRequest) -> Result<Page, PortError> {
        let (from, digest) = match &request.start {
            ListStart::Beginning => (0, None),
            ListStart::Token(token) => {
                let position = position(token);
                position.ok_or_else(|| unusable("no position of a list of keys"))?
            }
            ListStart::After(_) => return Err(unusable("nothing begins after a key")),
        };
        let list = self.keys(bucket, digest).await?;
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX) as usize;
        let rest = list.keys.iter().enumerate().skip(from);
        let wanted = rest.filter(|(_, key)| key.starts_with(request.prefix.as_bytes()));
        let page: Vec<(usize, &Key)> = wanted.take(keys_max).collect();
        let after_page = page.last().filter(|_| page.len() == keys_max).map(|(row, _)| row + 1);
        let next = after_page.filter(|next| *next < list.keys.len());
        // Boxed one by one: of a closure's futures the compiler does not see that they are `Send`.
        let questions: Vec<_> =
            page.into_iter().map(|(_, key)| entry(bucket, key).boxed()).collect();
        let entries = stream::iter(questions).buffered(HEADS).try_collect().await?;
        Ok(Page { entries, next: next.map(|row| format!("{row}:{:016x}", list.digest)) })
    }
}

/// Keys that were listed, and the digest of the list.
fn position(token: &str) -> Option<(usize, Option<u64>)> {
    let (row, digest) = token.split_once(':')?;
    Some((row.parse().ok()?, Some(u64::from_str_radix(digest, 16).ok()?)))
}

/// What the source says of a key.
async fn entry(bucket: &dyn Source, key: &Key) -> Result<Entry, PortError> {
    match bucket.head(key).await {
        Ok(info) => Ok(Entry::of_head(key.clone(), &info)),
        Err(error) if error.concerns_one_object() => {
            tracing::debug!(%key, %error, "the source tells nothing of a listed key");
            Ok(Entry::unknown(key.clone()))
        }
        Err(error) => Err(error),
    }
}
