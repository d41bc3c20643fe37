//! What becomes of each property, by the kind of the source and what the job asks for: data, no more.

use serde::Serialize;

use super::Property;
use crate::job::Job;

/// What becomes of a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The copy has it as the source has it.
    Kept,
    /// The copy has it in another form.
    Mapped,
    /// The copy has it not.
    Dropped,
    /// Such a source has none.
    Absent,
}

impl Fate {
    /// The word in JSON and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Mapped => "mapped",
            Self::Dropped => "dropped",
            Self::Absent => "absent",
        }
    }
}

/// What becomes of one property of a job's objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Of what.
    pub property: Property,
    /// In general.
    pub fate: Fate,
    /// To what it is mapped or why it is dropped, and what is left out.
    pub note: &'static str,
    /// Whether objects that depart are counted and can be listed. The rest holds of every object.
    pub is_counted: bool,
}

/// What becomes of every property of a job's objects, in the order of [`Property::ALL`].
pub fn answers(job: &Job) -> [Answer; 10] {
    Property::ALL.map(|property| {
        let (fate, note, is_counted) = answer(job, property);
        Answer { property, fate, note, is_counted }
    })
}

/// Kinds that are no store: nothing but bytes, a name and a date.
fn has_no_store(kind: &str) -> bool {
    matches!(kind, "folder" | "http")
}

/// What only objects of a store have.
fn is_of_stores(property: Property) -> bool {
    !matches!(property, Property::ContentHeaders | Property::LastModified)
}

fn answer(job: &Job, property: Property) -> (Fate, &'static str, bool) {
    use Fate::{Absent, Dropped, Kept, Mapped};
    let kind = job.source.kind();
    if has_no_store(kind) && is_of_stores(property) {
        return (Absent, "the source has none", false);
    }
    match property {
        Property::ContentHeaders => match kind {
            "folder" => (Mapped, "the content type is told from the file's name", false),
            "azure" => (Kept, "as they are; Azure keeps no Expires", false),
            "gcs-json" => (Kept, "as they are; Google keeps no Expires", false),
            "http" => (Kept, "as the server answers them", false),
            _ => (Kept, "as they are", false),
        },
        Property::UserMetadata => {
            let note = "names in lower case with - for _ and .; values that are no visible ASCII and \
                        what is beyond 8 KB are dropped, by name";
            (Mapped, note, true)
        }
        Property::Tags => tags(job, kind),
        Property::Acl => acl(job, kind),
        Property::StorageClass => {
            let target = &job.target;
            if target.storage_class.is_some() {
                (Mapped, "to what target.storage_class and storage_classes name", true)
            } else if target.storage_classes.is_empty() {
                (Dropped, "the bucket's own class; see target.storage_classes", true)
            } else {
                (Mapped, "by target.storage_classes; the bucket's own for all others", true)
            }
        }
        Property::Encryption if job.target.encryption.is_some() => {
            (Mapped, "from a key of the customer's to target.encryption", true)
        }
        Property::Encryption => {
            let note = "a key of the customer's is left to the bucket's own encryption; see \
                        target.encryption";
            (Dropped, note, true)
        }
        Property::LastModified if job.target.keep_last_modified => {
            (Mapped, "to x-oss-meta-mtime: OSS dates an object by when it was written", false)
        }
        Property::LastModified => {
            let note = "OSS dates an object by when it was written; see target.keep_last_modified";
            (Dropped, note, false)
        }
        Property::Versions => (Dropped, "only the current version is copied", false),
        Property::WebsiteRedirect if matches!(kind, "azure" | "gcs-json" | "oss" | "upyun") => {
            (Absent, "the source has none", false)
        }
        Property::WebsiteRedirect => (Dropped, "OSS has none of an object", true),
        Property::ObjectLock => {
            let note = "OSS keeps retention by bucket; counted where the source's key may see it";
            (Dropped, note, true)
        }
    }
}

fn tags(job: &Job, kind: &str) -> (Fate, &'static str, bool) {
    if job.policy.tags {
        let note =
            "those that OSS can hold: ten, of its letters and lengths; the others are dropped";
        return (Fate::Kept, note, true);
    }
    match kind {
        "gcs" | "gcs-json" => (Fate::Absent, "the source has none", false),
        "s3" | "cos" | "s3-compatible" | "oss" | "azure" => {
            let note = "not asked for by policy.tags; counted where the source's key may read tags";
            (Fate::Dropped, note, true)
        }
        _ => (Fate::Dropped, "not read from such a source; counted where its answers tell", true),
    }
}

fn acl(job: &Job, kind: &str) -> (Fate, &'static str, bool) {
    if job.policy.acl {
        let note = "private, public-read and public-read-write; of any other grant the object follows \
                    its bucket, as dropped";
        return (Fate::Kept, note, true);
    }
    match kind {
        "azure" => (Fate::Absent, "Azure has none of a blob; its container's is not read", false),
        "s3" | "cos" | "s3-compatible" | "oss" => {
            let note = "not asked for by policy.acl, so not looked at: objects follow their bucket";
            (Fate::Dropped, note, false)
        }
        _ => (Fate::Dropped, "not read from such a source: objects follow their bucket", false),
    }
}

#[cfg(test)]
mod tests;
