//! The policy of a job: who wins at the target, and what is carried along.

use serde::{Deserialize, Serialize};

use super::mistakes::Mistakes;
use super::section::{Found, Section};
use super::{SourceSpec, StoreKind};

/// Who wins where the target holds something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// `None` until the file names one: a filled target is then refused at the first pass.
    pub overwrite: Option<Overwrite>,
    /// Whether an object whose `ETag` says nothing is marked at the target with what was copied
    /// (`x-oss-meta-ossferry-source`).
    pub provenance: bool,
    /// Whether an object's tags are copied: one request more at the source for each object that has some, or
    /// may have.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tags: bool,
    /// Whether an object's canned ACL is copied: one request more at the source for each object.
    #[serde(default, skip_serializing_if = "is_false")]
    pub acl: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl PolicySpec {
    /// Whether something is copied that takes a request of its own: a program that knows nothing of it would
    /// leave it behind in silence.
    pub fn asks_for_more(&self) -> bool {
        self.tags || self.acl
    }
}

impl SourceSpec {
    /// Whether object tags can be read there.
    pub fn tells_tags(&self) -> bool {
        match self {
            Self::Bucket(bucket) => is_known_to_tell(bucket.kind),
            Self::Azure(_) => true,
            Self::Folder(_) | Self::UrlList(_) | Self::Gcs(_) => false,
        }
    }

    /// Whether every answer about an object counts its tags (`x-amz-tagging-count` and its like), so that who
    /// has none need not be asked. That a store of S3's kind does is not to be counted on.
    pub fn counts_tags(&self) -> bool {
        !matches!(self, Self::Bucket(bucket) if bucket.kind == StoreKind::S3Compatible)
    }

    /// Whether an object's metadata takes a request of its own, because the answer with the bytes has none.
    pub fn tells_metadata_apart(&self) -> bool {
        matches!(self, Self::Gcs(_))
    }

    /// Whether the ACL of an object can be read there.
    pub fn tells_acl(&self) -> bool {
        matches!(self, Self::Bucket(bucket) if is_known_to_tell(bucket.kind))
    }
}

/// The stores whose answers about tags and ACLs are understood.
fn is_known_to_tell(kind: StoreKind) -> bool {
    matches!(kind, StoreKind::S3 | StoreKind::Cos | StoreKind::S3Compatible | StoreKind::Oss)
}

/// Who wins where the target holds something else. See [`crate::compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overwrite {
    /// Different is copied. The default for an empty target.
    SourceWins,
    /// What exists is left alone, whatever it holds.
    Never,
    /// Same size and not older than the source's counts as equal: the habit of ossimport. It
    /// compares two clocks, and does not see a change that keeps the size.
    SizeAndTime,
    /// Everything is copied, equal or not.
    Always,
}

impl Overwrite {
    /// As the job file spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SourceWins => "source-wins",
            Self::Never => "never",
            Self::SizeAndTime => "size-and-time",
            Self::Always => "always",
        }
    }
}

/// Reads the section. What a source cannot tell is not asked of it.
pub(super) fn read(
    mut section: Section<'_, '_>,
    source: Option<&SourceSpec>,
    mistakes: &mut Mistakes<'_>,
) -> PolicySpec {
    let words =
        [Overwrite::SourceWins, Overwrite::Never, Overwrite::SizeAndTime, Overwrite::Always]
            .map(|policy| (policy.as_str(), policy));
    let overwrite = section.word("overwrite", &words, mistakes).map(|found| found.value);
    let provenance = section.flag("provenance", mistakes).unwrap_or(true);
    let mut is_copied = |name, tells: fn(&SourceSpec) -> bool| {
        let word = section.word(name, &[("copy", true), ("leave", false)], mistakes);
        let Some(Found { value: true, at }) = word else { return false };
        if source.is_some_and(|source| !tells(source)) {
            let problem = "cannot be copied from a source of this kind";
            mistakes.add(at, section.full(name), problem, format!("write {name} = \"leave\""));
        }
        true
    };
    let tags = is_copied("tags", SourceSpec::tells_tags);
    let acl = is_copied("acl", SourceSpec::tells_acl);
    section.finish(&[], mistakes);
    PolicySpec { overwrite, provenance, tags, acl }
}

#[cfg(test)]
mod tests {
    use crate::job::Job;

    const ASKED: &str = "\n[policy]\ntags = \"copy\"\nacl = \"copy\"\n";

    fn of(source: &str) -> Result<Job, String> {
        let text = format!(
            "name = \"nightly\"\n[source]\n{source}\n[target]\nregion = \"cn-hangzhou\"\n\
             bucket = \"moved\"\n\
             credentials = {{ from = \"env\", access_key = \"C\", secret_key = \"D\" }}\n{ASKED}"
        );
        Job::parse(&text).map_err(|errors| errors.to_string())
    }

    #[test]
    fn what_a_source_cannot_tell_is_refused_by_name() {
        let folder = of("kind = \"folder\"\npath = \"/data\"").unwrap_err();
        assert!(folder.contains("policy.tags") && folder.contains("policy.acl"), "{folder}");
        let azure = "kind = \"azure\"\naccount = \"photos1\"\ncontainer = \"raw\"\n\
                     credentials = { from = \"azure-key\", key = \"A\" }";
        let azure = of(azure).unwrap_err();
        assert!(
            !azure.contains("policy.tags") && azure.contains("write acl = \"leave\""),
            "{azure}"
        );
    }

    #[test]
    fn a_definition_that_asks_for_more_is_of_a_version_that_older_programs_do_not_take() {
        let s3 = "kind = \"s3\"\nregion = \"eu-central-1\"\nbucket = \"photos\"\n\
                  credentials = { from = \"env\", access_key = \"A\", secret_key = \"B\" }";
        let mut job = of(s3).unwrap();
        assert!(job.to_json().starts_with("{\"version\":3,"));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        let scope = job.scope_hash();
        (job.policy.tags, job.policy.acl) = (false, false);
        assert!(job.to_json().starts_with("{\"version\":2,"));
        assert_eq!(job.scope_hash(), scope, "which objects belong is the same");
    }
}
