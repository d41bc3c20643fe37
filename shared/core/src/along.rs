//! What of an object is read by a request of its own: its tags and its ACL.

use serde::{Deserialize, Serialize};

use crate::error::PortError;
use crate::fidelity::Property;
use crate::job::Job;
use crate::key::Key;
use crate::object::ObjectInfo;
use crate::ports::Source;

/// OSS takes ten tags of an object, with keys of 128 bytes and values of 256 (manual, "Object tagging").
const TAGS_MAX: usize = 10;
const TAG_KEY_BYTES_MAX: usize = 128;
const TAG_VALUE_BYTES_MAX: usize = 256;

/// Key and value of a tag.
pub type Tag = (String, String);

/// What the source told beside the object itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Along {
    /// Empty where it has none, or where none are asked for.
    pub tags: Vec<Tag>,
    /// `None` where it was not asked for.
    pub acl: Option<SourceAcl>,
}

/// Who may use an object at the source, as far as OSS has a word for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceAcl {
    /// Whoever may use its bucket.
    OfBucket,
    /// As OSS has it.
    Canned(CannedAcl),
    /// Named accounts or groups, or rights, that OSS has no word for.
    Other,
}

/// `x-oss-object-acl`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CannedAcl {
    /// The owner alone.
    Private,
    /// Anybody reads.
    PublicRead,
    /// Anybody reads and writes.
    PublicReadWrite,
}

impl CannedAcl {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Private, Self::PublicRead, Self::PublicReadWrite];

    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
        }
    }
}

/// Asks the source for what the job wants along with an object: its tags, unless the answer says that it has
/// none, and its ACL. No request where neither is wanted.
///
/// Neither is pinned. Where the object is written over meanwhile they may be those of its next state; the pass
/// that copies that state puts it right.
pub async fn read_along(
    source: &dyn Source,
    job: &Job,
    key: &Key,
    info: &ObjectInfo,
) -> Result<Along, PortError> {
    let may_have_tags = info.beyond.has(Property::Tags) || !job.source.counts_tags();
    let tags = if job.policy.tags && may_have_tags { source.tags(key).await? } else { Vec::new() };
    let acl = if job.policy.acl { Some(source.acl(key).await?) } else { None };
    Ok(Along { tags, acl })
}

/// Splits tags into those that OSS can hold and the keys of the others.
pub fn held_tags(tags: &[Tag]) -> (Vec<Tag>, Vec<String>) {
    let (mut held, mut dropped): (Vec<Tag>, Vec<String>) = (Vec::new(), Vec::new());
    for (key, value) in tags {
        let fits = (1..=TAG_KEY_BYTES_MAX).contains(&key.len())
            && value.len() <= TAG_VALUE_BYTES_MAX
            && key.chars().chain(value.chars()).all(is_of_a_tag)
            && held.len() < TAGS_MAX
            && held.iter().all(|(other, _)| other != key);
        if fits {
            held.push((key.clone(), value.clone()));
        } else {
            dropped.push(key.clone());
        }
    }
    (held, dropped)
}

/// Letters and digits, space, and `+ - = . _ : /`. S3 takes `@` as well.
fn is_of_a_tag(letter: char) -> bool {
    letter.is_alphanumeric() || " +-=._:/".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_oss_cannot_hold_are_named() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let (long_key, long) = ("k".repeat(129), "v".repeat(257));
        let mut tags = vec![
            tag("team", "a b/c:1+2=3_4.5-6"),
            tag("mail", "a@b"),
            tag("ü", "你"),
            tag("", "v"),
            tag(&long_key, "v"),
            tag("long", &long),
            tag("none", ""),
        ];
        let (held, dropped) = held_tags(&tags);
        assert_eq!(held, [tags[0].clone(), tags[2].clone(), tags[6].clone()]);
        assert_eq!(dropped, ["mail", "", &long_key, "long"]);
        tags.extend((0..9).map(|number| tag(&format!("t{number}"), "v")));
        let (held, dropped) = held_tags(&tags);
        assert_eq!((held.len(), dropped.last().unwrap().as_str()), (10, "t8"));
    }

    #[test]
    fn a_canned_acl_is_stored_by_the_word_of_the_header() {
        for acl in CannedAcl::ALL {
            assert_eq!(serde_json::to_string(&acl).unwrap(), format!("\"{}\"", acl.as_str()));
        }
    }
}
