//! Where objects come from.

use std::pin::Pin as Pinned;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;

use crate::along::{SourceAcl, Tag};
use crate::error::{ErrorKind, PortError};
use crate::job::RestoreSpec;
use crate::key::Key;
use crate::meter::Meter;
use crate::object::{ByteRange, Entry, ObjectInfo, Pin};
use crate::time::Timestamp;

/// In what order a store lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListingOrder {
    /// By the bytes of the key, and it can begin after any key: key ranges may be trusted, split and
    /// joined.
    Bytes,
    /// Not known to be by bytes: walked serially by continuation token, each page sorted here.
    Serial,
}

/// What is known of a source before it is asked.
#[derive(Clone, Debug)]
pub struct SourceProfile {
    /// As [`SourceSpec::kind`](crate::job::SourceSpec::kind) spells it.
    pub kind: &'static str,
    /// Whether key ranges may be trusted.
    pub order: ListingOrder,
    /// Whether an `ETag` of 32 hex digits is the MD5 of the bytes (unless a KMS or customer key shows
    /// in the answer).
    pub etag_is_md5: bool,
    /// Entries that one [`Source::list`] returns at most.
    pub page_keys_max: u32,
    /// Whether objects of any kind carry an `ETag` that the target could list as well. A folder's do not.
    pub etag_is_comparable: bool,
}

/// Where a listing begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListStart {
    /// At the first key of the prefix.
    Beginning,
    /// At the first key that sorts after this one.
    After(Key),
    /// Where an earlier page of the same prefix ended.
    Token(String),
}

/// One page asked for.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// Only keys that begin with these bytes.
    pub prefix: Key,
    /// Where to begin.
    pub start: ListStart,
    /// Entries wanted; the store may return fewer and still have more.
    pub keys_max: u32,
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the store's order. May be empty though there is a next page.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// An object's bytes as they arrive.
pub type ObjectBody = Pinned<Box<dyn Stream<Item = Result<Bytes, PortError>> + Send>>;

/// An object that was opened for reading.
pub struct OpenObject {
    /// What the answer's headers say of the whole object.
    pub info: ObjectInfo,
    /// Exactly the bytes asked for, or an error before the end: a short body is never a clean end.
    pub body: ObjectBody,
}

/// How far the restoration of an archived object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restoration {
    /// It was asked for now, which the store bills, and takes its time.
    Asked,
    /// It was asked for earlier.
    Ongoing,
    /// The object can be read.
    Readable,
}

/// Where objects come from. Nothing here writes or deletes; one call asks for the restoration of an
/// archived object, where the job file wants that.
///
/// Every call may be repeated. Adapters retry transient errors within a budget of their own before
/// they report them.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// What is known of it before it is asked.
    fn profile(&self) -> &SourceProfile;

    /// The same source, counting its requests on `meter`.
    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source>;

    /// The source's own clock (an answer's `Date`).
    async fn now(&self) -> Result<Timestamp, PortError>;

    /// One page of keys, decoded.
    ///
    /// Fails with `PageRepeated` when the answer's next page is the one just asked for, and with
    /// `OutOfOrder` when a store of [`ListingOrder::Bytes`] returns a key that does not sort after
    /// its predecessor or after the start.
    async fn list(&self, request: &ListRequest) -> Result<Page, PortError>;

    /// What the source says of one object now.
    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError>;

    /// Opens a pinned object, or a range of it.
    ///
    /// Fails with `PreconditionFailed` when the object is not the pinned one any more, and with
    /// `BadAnswer` when the answer is not what was asked: 206 and the same `Content-Range` for a
    /// range, 200 and the whole length without, and the pinned `ETag` wherever one is given. The body
    /// yields an error when the source stands still, ends early, or (where the source is a file)
    /// changed while it was read.
    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError>;

    /// Asks the store to restore an archived object. `storage_class` as listed, where it was. May be
    /// repeated: a restoration that goes on is no error.
    ///
    /// Fails with `Unsupported` where the source has no archive.
    async fn restore(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        let _ = (key, wanted, storage_class);
        let message = format!("restore: {} has no archive", self.profile().kind);
        Err(PortError::new(ErrorKind::Unsupported, message))
    }

    /// The tags of an object as it is now: nothing pins them. May be called while a body of the same source is
    /// held open.
    ///
    /// Fails with `Unsupported` where the source has none.
    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        let _ = key;
        let message = format!("tags: {} has none", self.profile().kind);
        Err(PortError::new(ErrorKind::Unsupported, message))
    }

    /// Who may use an object now. May be called while a body of the same source is held open.
    ///
    /// Fails with `Unsupported` where the source has no ACLs.
    async fn acl(&self, key: &Key) -> Result<SourceAcl, PortError> {
        let _ = key;
        let message = format!("acl: {} has none", self.profile().kind);
        Err(PortError::new(ErrorKind::Unsupported, message))
    }
}
