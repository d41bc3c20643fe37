//! What is equal, and who wins: pure decisions about one key.
//!
//! Equal, cheapest test first: (1) the two list entries have the same size and comparable, equal
//! `ETag`s; (2) `ETag`s are not comparable, the size is the same and the source's date lies before
//! `since`; (3) a HEAD of the target shows the source's provenance, or both servers' CRC-64 agree;
//! (4) none of these: different.
//!
//! Before T2 the target is ours and the source wins; no date decides. After T2 an object that the
//! application wrote there is left alone.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::job::Overwrite;
use crate::key::Key;
use crate::layout::OBJECT_BYTES_MAX;
use crate::object::{Digests, ETag, Entry, ObjectInfo};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Name, without `x-oss-meta-`, of the user metadata that says what was copied.
pub const PROVENANCE_NAME: &str = "ossferry-source";

/// What holds for every key of a pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context {
    /// As the job file names it; `None` compares as [`Overwrite::SourceWins`].
    pub policy: Option<Overwrite>,
    /// A source date before this belongs to an object that an earlier pass of the same scope saw. The
    /// margin is taken off already, see [`crate::since`]. `None` on a pass that trusts no date.
    pub since: Option<Timestamp>,
    /// Whether both stores' `ETag`s of 32 hex digits are MD5s, by their profiles.
    pub comparable: bool,
    /// Whether a HEAD of the source may give CRC-64/ECMA (COS, OSS).
    pub source_reports_crc64_ecma: bool,
    /// T2: the target's own clock when the application was switched.
    pub t2: Option<Timestamp>,
    /// Whether archived objects are restored, so that they are to be copied like others.
    pub restores: bool,
}

/// What the ledger knows of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Past {
    /// An earlier pass left the key undone: its date says nothing.
    pub is_outstanding: bool,
    /// What earlier passes copied under the key. Matters after T2 only.
    pub copies: Copies,
}

/// What the ledger says of the copies that earlier passes made of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Copies {
    /// It was not asked yet.
    #[default]
    NotAsked,
    /// None was made.
    Never,
    /// One was made. What the target holds now, if anything, is not known to be one.
    Earlier,
    /// A pass that began after T2 made one, and the target's object has its `ETag`.
    SinceT2,
}

/// What is to be done about a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Copy it.
    Copy {
        /// What the target held when this was decided; `None` where nothing was.
        expected_target: Option<ETag>,
        /// Whether the target is to refuse if the key has come to exist.
        forbid_overwrite: bool,
    },
    /// The target holds the source's bytes.
    SkipEqual,
    /// The target holds something, and the policy forbids to overwrite.
    SkipExists,
    /// We copied it, and the application deleted it at the target since.
    SkipDeleted,
    /// Nothing can or may be copied. The outcome and why.
    Record(Outcome, &'static str),
    /// The listings do not tell: HEAD the target, then [`decide_after_head`].
    NeedHead,
    /// Neither does the target: HEAD the source for its digests, then [`decide_after_head`] again.
    NeedSourceHead,
    /// Only the ledger tells whether it was we who wrote the key: look the copies up, then
    /// [`decide_after_head`] again.
    NeedLedger,
}

/// Decides from the two listings.
///
/// `target_key` is where the object would go, `target` what the target lists under it.
pub fn decide(
    context: &Context,
    past: Past,
    entry: &Entry,
    target_key: &Key,
    target: Option<&Entry>,
) -> Verdict {
    if let Some(objection) = target_key.oss_objection() {
        return Verdict::Record(Outcome::Unsupported, objection);
    }
    if entry.size > OBJECT_BYTES_MAX {
        return Verdict::Record(Outcome::Unsupported, "the object is larger than 48.8 TB");
    }
    let Some(target) = target else { return missing_in_list(context, past, entry) };
    let mut judged = compare_lists(context, entry, target);
    let may_be_kept = is_since_t2(context, target.last_modified);
    match context.policy {
        Some(Overwrite::Never) if judged == Content::Equal => return Verdict::SkipEqual,
        Some(Overwrite::Never) => return Verdict::SkipExists,
        Some(Overwrite::Always) if !may_be_kept => {
            return replace(context, past, entry, target.etag.as_ref());
        }
        Some(Overwrite::SizeAndTime) if !past.is_outstanding && judged != Content::Equal => {
            let dates = target.last_modified.zip(entry.last_modified);
            if entry.size == target.size && dates.is_some_and(|(target, source)| target >= source) {
                return Verdict::SkipEqual;
            }
            judged = Content::Different;
        }
        _ => {}
    }
    match judged {
        Content::Equal => Verdict::SkipEqual,
        Content::Unclear if is_unchanged_since(context, past, entry) => Verdict::SkipEqual,
        Content::Unclear | Content::Doubtful => Verdict::NeedHead,
        // Only a HEAD shows whether the mirror rule fetched it.
        Content::Different if may_be_kept => Verdict::NeedHead,
        Content::Different => replace(context, past, entry, target.etag.as_ref()),
    }
}

/// Decides once the target was asked, and once more after the source or the ledger was.
///
/// `head` is what a HEAD of the target found; `None` where nothing is there any more. `source` is what a HEAD of the source gave; `None` before it was asked, nothing in it where the
/// object is gone.
pub fn decide_after_head(
    context: &Context,
    past: Past,
    entry: &Entry,
    head: Option<&ObjectInfo>,
    source: Option<&Digests>,
) -> Verdict {
    let Some(info) = head else { return missing(context, past, entry) };
    if info.size == entry.size {
        if is_shown_equal(context, entry, info, source) {
            return Verdict::SkipEqual;
        }
        let may_tell = context.source_reports_crc64_ecma && info.digests.crc64_ecma.is_some();
        if source.is_none() && may_tell {
            return Verdict::NeedSourceHead;
        }
    }
    if is_since_t2(context, info.last_modified) && !info.mirrored {
        match past.copies {
            // The mark alone is no proof: a copy that the application made of an object of ours
            // carries it too.
            Copies::NotAsked if is_marked(info) => return Verdict::NeedLedger,
            Copies::SinceT2 if is_marked(info) => {}
            _ => {
                return Verdict::Record(Outcome::Kept, "the application wrote the target's object");
            }
        }
    }
    replace(context, past, entry, info.etag.as_ref())
}

/// Whether the object carries the mark of a copy of ours. After T2 every copy does, so that one can be
/// told from what the application wrote.
fn is_marked(info: &ObjectInfo) -> bool {
    info.headers.user_metadata.iter().any(|(name, _)| name == PROVENANCE_NAME)
}

/// Whether what stands under the key right before a write, dated since T2, is none of the
/// application's: a copy of the mirror rule, or the marked copy of ours that was `expected`.
pub fn is_ours_since_t2(found: &ObjectInfo, expected: Option<&ETag>) -> bool {
    let is_expected = expected.is_some() && expected == found.etag.as_ref();
    found.mirrored || (is_expected && is_marked(found))
}

/// What the target is to remember of an object copied from this entry: the source's `ETag`, or the
/// time in milliseconds and the size where it has none. Printable ASCII.
pub fn provenance_of(entry: &Entry) -> String {
    match (&entry.etag, entry.last_modified) {
        (Some(etag), _) => printable(etag.as_str()),
        (None, Some(time)) => format!("{}-{}", time.0, entry.size),
        (None, None) => format!("-{}", entry.size),
    }
}

fn printable(etag: &str) -> String {
    let mut text = String::with_capacity(etag.len());
    for c in etag.chars() {
        if c.is_ascii_graphic() && c != '%' {
            text.push(c);
        } else {
            let _ = write!(text, "%{:X};", u32::from(c));
        }
    }
    text
}

/// Whether an object copied from this entry needs its provenance written beside it: the `ETag`s that
/// both sides will list say nothing. After T2 every copy has it, see [`is_ours_since_t2`].
pub fn needs_provenance(comparable: bool, source_etag: Option<&ETag>, is_upload: bool) -> bool {
    let md5 = source_etag.and_then(ETag::as_md5);
    is_upload || !comparable || md5.is_none()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Equal,
    Different,
    /// Same size, and `ETag`s that cannot be compared.
    Unclear,
    /// Same size, and `ETag`s that differ: other bytes, or a source encrypted with a KMS key, whose
    /// `ETag` has the form of an MD5 and is none. Only the target's provenance tells them apart.
    Doubtful,
}

fn compare_lists(context: &Context, entry: &Entry, target: &Entry) -> Content {
    if entry.size != target.size {
        return Content::Different;
    }
    match md5s(context, entry.etag.as_ref(), target.etag.as_ref()) {
        Some((source, target)) if source == target => Content::Equal,
        Some(_) => Content::Doubtful,
        None => Content::Unclear,
    }
}

fn md5s(
    context: &Context,
    source: Option<&ETag>,
    target: Option<&ETag>,
) -> Option<([u8; 16], [u8; 16])> {
    if !context.comparable {
        return None;
    }
    source.and_then(ETag::as_md5).zip(target.and_then(ETag::as_md5))
}

/// Whether the listings alone show that the target holds the source's bytes.
pub fn is_listed_equal(context: &Context, entry: &Entry, target: &Entry) -> bool {
    compare_lists(context, entry, target) == Content::Equal
}

fn is_unchanged_since(context: &Context, past: Past, entry: &Entry) -> bool {
    let dates = entry.last_modified.zip(context.since);
    !past.is_outstanding && dates.is_some_and(|(time, since)| time < since)
}

fn is_shown_equal(
    context: &Context,
    entry: &Entry,
    info: &ObjectInfo,
    source: Option<&Digests>,
) -> bool {
    let ecma = source.and_then(|source| source.crc64_ecma).zip(info.digests.crc64_ecma);
    if let Some((source, target)) = ecma {
        return source == target;
    }
    let metadata = &info.headers.user_metadata;
    let provenance = metadata.iter().find(|(name, _)| name == PROVENANCE_NAME);
    provenance.is_some_and(|(_, value)| *value == provenance_of(entry))
        || md5s(context, entry.etag.as_ref(), info.etag.as_ref())
            .is_some_and(|(source, target)| source == target)
}

/// Whether an object of the target may be the application's. One without a date may.
fn is_since_t2(context: &Context, last_modified: Option<Timestamp>) -> bool {
    context.t2.is_some_and(|t2| last_modified.is_none_or(|time| time >= t2))
}

// After T2 a key that was copied and is missing was deleted by the application. The listing may be a
// moment old by now: the target is asked.
fn missing_in_list(context: &Context, past: Past, entry: &Entry) -> Verdict {
    match (context.t2, past.copies) {
        (Some(_), Copies::NotAsked) => Verdict::NeedHead,
        _ => missing(context, past, entry),
    }
}

fn missing(context: &Context, past: Past, entry: &Entry) -> Verdict {
    match (context.t2, past.copies) {
        (Some(_), Copies::NotAsked) => return Verdict::NeedLedger,
        (Some(_), Copies::Earlier | Copies::SinceT2) => return Verdict::SkipDeleted,
        _ => {}
    }
    let forbid_overwrite = context.t2.is_some() || context.policy == Some(Overwrite::Never);
    copy(context, past, entry, None, forbid_overwrite)
}

// An answer of OSS always has an ETag; the empty one equals none, so that the copier looks again.
fn replace(context: &Context, past: Past, entry: &Entry, target: Option<&ETag>) -> Verdict {
    let target = target.cloned().unwrap_or_else(|| ETag::new(""));
    copy(context, past, entry, Some(target), false)
}

// An archived object matters only once it would have to be read: one that was copied before it sank
// into its archive is still equal. Stores list the class of the archive after a restoration too: of a
// key that an earlier pass left undone only a GET tells whether it was restored since.
fn copy(
    context: &Context,
    past: Past,
    entry: &Entry,
    expected_target: Option<ETag>,
    forbid_overwrite: bool,
) -> Verdict {
    if entry.archived && !past.is_outstanding && !context.restores {
        let reason = "the source's storage class must be restored before it can be read";
        return Verdict::Record(Outcome::Archived, reason);
    }
    Verdict::Copy { expected_target, forbid_overwrite }
}
