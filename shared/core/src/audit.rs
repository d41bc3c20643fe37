//! What an audit finds of one key, and which keys it reads again: pure decisions, nothing is written.
//!
//! The listings are hints: whatever they do not show equal is asked for at both ends, and the two
//! answers are compared with each other. What differs there counts as a difference only where neither
//! end has changed since it was listed; else an audit of a live bucket would call every write one.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::compare::{PROVENANCE_NAME, provenance_of};
use crate::crc::crc64_ecma;
use crate::key::Key;
use crate::object::{Entry, ObjectInfo};
use crate::outcome::Outcome;
use crate::proof::{Grade, Held, Streamed, check};
use crate::time::Timestamp;

const MILLION: u32 = 1_000_000;

/// A share of all keys, in millionths: the same keys each time, and the fewer among the more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

impl Share {
    /// Reads `5%` or `0.25%`: more than nothing, at most all, in steps of a ten-thousandth of one per
    /// cent.
    pub fn from_text(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_odd = whole.is_empty() || (decimals.is_empty() && number.ends_with('.'));
        if is_odd || decimals.len() > 4 || !are_digits(whole) || !are_digits(decimals) {
            return None;
        }
        let millionths: u32 = format!("{whole}{decimals:0<4}").parse().ok()?;
        (1..=MILLION).contains(&millionths).then_some(Self(millionths))
    }

    /// Whether the key is one of them.
    pub fn holds(self, key: &Key) -> bool {
        // A CRC alone keeps the likeness of like keys: its bits are mixed as SplitMix64 does.
        let mut mixed = crc64_ecma(key.as_bytes());
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (u128::from(mixed) * u128::from(MILLION)) >> 64 < u128::from(self.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// One key, as the two ends answered for it.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// As the source listed it; `None` where only the target did.
    pub listed: Option<&'a Entry>,
    /// What the source says of it now; `None` where it has none.
    pub source: Option<&'a ObjectInfo>,
    /// What the target says of it now; `None` where it has none.
    pub target: Option<&'a ObjectInfo>,
    /// Whether that is not what the target had listed.
    pub target_has_changed: bool,
    /// Of the source's bytes, where they were read again.
    pub streamed: Option<&'a Streamed>,
}

/// What an audit found of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// One of [`Outcome::FINDINGS`], or `gone`.
    pub outcome: Outcome,
    /// How an equal one is known to be.
    pub grade: Option<Grade>,
    /// What differs, or why nothing is known.
    pub reason: Option<String>,
}

impl Finding {
    fn of(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, grade: None, reason: Some(reason.into()) }
    }
}

/// Judges one key. `t2`: the target's own clock when the application was switched; what it wrote since
/// is newer there, and no other date of the target is compared with anything.
pub fn judge(pair: &Pair<'_>, t2: Option<Timestamp>) -> Finding {
    let is_since_t2 = |target: &ObjectInfo| {
        t2.is_some_and(|t2| target.last_modified.is_none_or(|time| time >= t2))
    };
    let newer = || Finding::of(Outcome::NewerAtTarget, "written at the target after the switch");
    match (pair.listed, pair.source, pair.target) {
        (Some(_), None, _) => Finding::of(Outcome::Gone, "deleted at the source since the listing"),
        (None, None, None) => {
            Finding::of(Outcome::Changed, "deleted at the target since the listing")
        }
        (None, None, Some(target)) if is_since_t2(target) => newer(),
        (None, None, Some(_)) => Finding::of(Outcome::ExtraAtTarget, "the source has no such key"),
        (None, Some(_), _) => {
            Finding::of(Outcome::Changed, "came to exist at the source since the listing")
        }
        (Some(listed), Some(source), None) => {
            unless_changed(pair, listed, source, Outcome::Missing, "not at the target")
        }
        (Some(listed), Some(source), Some(target)) => {
            match compare(listed, source, target, pair.streamed) {
                Ok(grade) => {
                    let reason = (grade == Grade::D)
                        .then(|| "size and the mark of the copy agree, no digest".to_owned());
                    Finding { outcome: Outcome::Equal, grade: Some(grade), reason }
                }
                Err(_) if is_since_t2(target) => newer(),
                Err(reason) => unless_changed(pair, listed, source, Outcome::Different, &reason),
            }
        }
    }
}

/// A difference is one only where both ends still are what was listed.
fn unless_changed(
    pair: &Pair<'_>,
    listed: &Entry,
    source: &ObjectInfo,
    outcome: Outcome,
    reason: &str,
) -> Finding {
    let end = match (has_changed(listed, source), pair.target_has_changed) {
        (false, false) => return Finding::of(outcome, reason),
        (true, _) => "source",
        (false, true) => "target",
    };
    Finding::of(Outcome::Changed, format!("changed at the {end} since the listing: {reason}"))
}

/// Not by the `ETag`: a store may serve another one than it lists.
fn has_changed(listed: &Entry, source: &ObjectInfo) -> bool {
    let seconds = |time: Option<Timestamp>| time.map(|time| time.0.div_euclid(1_000));
    listed.size != source.size || seconds(listed.last_modified) != seconds(source.last_modified)
}

/// How the two are known to be equal, or what speaks against it. What the two servers say decides
/// before our mark does.
fn compare(
    listed: &Entry,
    source: &ObjectInfo,
    target: &ObjectInfo,
    streamed: Option<&Streamed>,
) -> Result<Grade, String> {
    if source.size != target.size {
        return Err(format!("size: source {} bytes, target {} bytes", source.size, target.size));
    }
    let (ours, theirs) = (&source.digests, &target.digests);
    if let Some(streamed) = streamed {
        let held = Held { bytes: target.size, digests: *theirs };
        let verified = check(source.size, ours, streamed, &held);
        let verified = verified.map_err(|mismatch| mismatch.to_string())?;
        if verified.grade() != Grade::D {
            return Ok(verified.grade());
        }
    }
    if let Some((ours, theirs)) = ours.crc64_ecma.zip(theirs.crc64_ecma) {
        let differs = || "crc64_ecma: the source's differs from the target's".to_owned();
        return if ours == theirs { Ok(Grade::A) } else { Err(differs()) };
    }
    if let Some((ours, theirs)) = ours.md5.zip(theirs.md5) {
        let differs = || "md5: the source's differs from the target's".to_owned();
        return if ours == theirs { Ok(Grade::A) } else { Err(differs()) };
    }
    if is_marked(listed, source, target) {
        return Ok(Grade::D);
    }
    let reason = "the sizes agree, and no digest of both: --reread compares the bytes";
    Err(reason.to_owned())
}

/// Whether the target's object was copied from exactly this one.
fn is_marked(listed: &Entry, source: &ObjectInfo, target: &ObjectInfo) -> bool {
    let served = Entry {
        size: source.size,
        etag: source.etag.clone(),
        last_modified: source.last_modified,
        ..listed.clone()
    };
    let metadata = &target.headers.user_metadata;
    let mark = metadata.iter().find(|(name, _)| name == PROVENANCE_NAME);
    mark.is_some_and(|(_, mark)| {
        let is_listed = !has_changed(listed, source) && *mark == provenance_of(listed);
        is_listed || *mark == provenance_of(&served)
    })
}
