//! What each answer of an end means for a job: pure, with the remedy in each sentence.

use std::time::Duration;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{Job, SourceSpec, StoreKind};
use ossferry_core::key::Key;
use ossferry_core::layout::OBJECT_BYTES_MAX;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::{ListingOrder, Page};
use ossferry_core::time::Timestamp;

use super::findings::Level;

/// Clocks that differ by more are worth a look.
const SKEW_WARN: Duration = Duration::from_mins(5);

/// S3 and OSS refuse requests signed with a clock that differs by more (their signing pages).
const SKEW_FAIL: Duration = Duration::from_mins(15);

/// Keys named in one warning.
const EXAMPLES_MAX: usize = 3;

/// From where to where.
pub(super) fn route(job: &Job) -> String {
    let source = match &job.source {
        SourceSpec::Folder(folder) => format!("folder {}", folder.path),
        SourceSpec::Azure(found) => {
            format!(
                "azure container {} of {} at {}",
                found.container, found.account, found.endpoint
            )
        }
        SourceSpec::Gcs(found) => format!("gcs-json bucket {} at {}", found.bucket, found.endpoint),
        SourceSpec::UrlList(list) => format!("urls of {}", list.list),
        SourceSpec::Bucket(bucket) => {
            format!("{} bucket {} at {}", bucket.kind.as_str(), bucket.bucket, bucket.endpoint)
        }
    };
    let target = &job.target;
    format!("{source} to oss bucket {} at {}", target.bucket, target.endpoint)
}

/// The same bucket under two prefixes is allowed, and easily a mistake.
pub(super) fn same_bucket(job: &Job) -> Option<&'static str> {
    let SourceSpec::Bucket(source) = &job.source else { return None };
    let target = &job.target;
    let is_same = source.bucket == target.bucket
        && (source.kind == StoreKind::Oss || source.endpoint == target.endpoint);
    is_same.then_some("source and target are prefixes of one bucket: make sure that is meant")
}

/// What a first page shows.
pub(super) fn listed(page: &Page) -> String {
    let more = if page.next.is_some() { " and more" } else { "" };
    format!("reachable and listed: {} keys{more}", page.entries.len())
}

/// What to do about a refusal.
pub(super) fn refused(error: &PortError, end: &str) -> String {
    let remedy = match error.kind {
        ErrorKind::NoSuchBucket => "look at bucket, region and endpoint in the job file",
        ErrorKind::AccountRefused => "look at the access key, its secret and its token",
        ErrorKind::AccessDenied => {
            "give the key the rights to list the bucket and to read its objects"
        }
        ErrorKind::ClockSkew => "set this machine's clock",
        ErrorKind::Timeout | ErrorKind::Connection => "look at the endpoint and the network",
        ErrorKind::OutOfOrder => "take listing_order = \"bytes\" out of the job file",
        ErrorKind::PageRepeated => "try list_version = 1 in the job file",
        ErrorKind::Archived => "restore the object first",
        ErrorKind::Throttled | ErrorKind::ServerError => "try again later",
        _ => "look at this end in the job file",
    };
    format!("{error}; {remedy} ({end})")
}

/// A bucket that does not describe itself.
pub(super) fn not_told(error: &PortError) -> String {
    format!(
        "{error}; with the right oss:GetBucketInfo its region, versions and encryption could be \
         checked"
    )
}

/// What the order of a listing means.
pub(super) fn listing_order(order: ListingOrder, source: &SourceSpec) -> (Level, &'static str) {
    match (order, source) {
        (_, SourceSpec::Azure(_)) => (
            Level::Ok,
            "by markers that only Azure can make: walked one page after another, slower",
        ),
        (_, SourceSpec::Bucket(bucket))
            if bucket.kind == StoreKind::Upyun
                && bucket.keys.is_none()
                && bucket.inventory.is_none() =>
        {
            (Level::Ok, "folder by folder, and each file is asked for its MD5 by HEAD: slower")
        }
        (_, SourceSpec::Bucket(bucket)) if bucket.keys.is_some() => (
            Level::Ok,
            "that of a list of keys: nothing else is moved or audited, each is asked for by HEAD, and no \
             date vouches for any",
        ),
        (_, SourceSpec::Bucket(bucket)) if bucket.inventory.is_some() => (
            Level::Ok,
            "that of an inventory: walked one page after another, and what changed since it was made is \
             not in it",
        ),
        (ListingOrder::Bytes, _) => {
            (Level::Ok, "by bytes: key ranges are walked side by side and compared by two lists")
        }
        (ListingOrder::Serial, _) => (
            Level::Warn,
            "not known: walked one page after another, slower. If the store lists by bytes and \
             begins after any key, write listing_order = \"bytes\"",
        ),
    }
}

/// That a dialect is known by its documents only.
pub(super) fn unverified(kind: StoreKind) -> String {
    format!(
        "no store of kind {:?} was asked when this program was tested: what it relies on is tried \
         below, and a small prefix is best moved first",
        kind.as_str()
    )
}

/// How far the clocks are apart. Adapters sign by the service's; dates still are the service's own.
pub(super) fn clock(ours: Timestamp, theirs: Timestamp) -> (Level, String) {
    let (skew, direction) = if theirs >= ours {
        (theirs.since(ours), "ahead of")
    } else {
        (ours.since(theirs), "behind")
    };
    let seconds = skew.as_secs();
    if skew > SKEW_FAIL {
        let text =
            format!("{seconds} s {direction} ours: requests are refused; set the clock here");
        (Level::Fail, text)
    } else if skew > SKEW_WARN {
        (Level::Warn, format!("{seconds} s {direction} ours: set the clock here"))
    } else {
        (Level::Ok, format!("within {} s of ours", seconds + 1))
    }
}

/// Whether the bucket is where the job file says.
pub(super) fn region(written: &str, found: Option<&str>) -> (Level, String) {
    match found.map(|found| found.strip_prefix("oss-").unwrap_or(found)) {
        None => (Level::Ok, format!("{written}; the bucket does not say")),
        Some(found) if found == written => (Level::Ok, found.to_owned()),
        Some(found) => (
            Level::Fail,
            format!("the bucket is in {found}, the job file says {written}; write the former"),
        ),
    }
}

/// Whether a filled target needs a policy by name.
pub(super) fn filled(job: &Job, page: &Page, is_known: bool) -> (Level, String) {
    let is_empty = page.entries.is_empty() && page.next.is_none();
    match job.policy.overwrite {
        _ if is_empty => (Level::Ok, "none yet where this job writes".to_owned()),
        Some(policy) => (Level::Ok, format!("there are some; the policy is {:?}", policy.as_str())),
        None if is_known => {
            (Level::Ok, "there are some, and the ledger knows of earlier passes".to_owned())
        }
        None => (
            Level::Fail,
            "there are some that no pass put there: say who wins, [policy] overwrite = \
             \"source-wins\", \"never\", \"size-and-time\" or \"always\""
                .to_owned(),
        ),
    }
}

/// What of these keys OSS cannot hold or the source will not give, a sentence each.
pub(super) fn keys(job: &Job, entries: &[Entry]) -> Vec<String> {
    let unsupported = entries.iter().filter_map(|entry| {
        let objection = match job.target_key(&entry.key) {
            Some(target) => target.oss_objection(),
            None => Some("the key lies outside the prefix"),
        };
        let objection =
            objection.or((entry.size > OBJECT_BYTES_MAX).then_some("larger than 48.8 TB"));
        objection.map(|objection| (&entry.key, objection))
    });
    let mut warnings = Vec::new();
    let unsupported: Vec<_> = unsupported.collect();
    if !unsupported.is_empty() {
        let examples = unsupported.iter().map(|(key, why)| format!("{} ({why})", short(key)));
        warnings.push(sentence(
            unsupported.len(),
            "cannot be held by OSS and will be reported as unsupported",
            examples,
        ));
    }
    let archived: Vec<_> = entries.iter().filter(|entry| entry.archived).collect();
    if !archived.is_empty() {
        let examples = archived.iter().map(|entry| short(&entry.key));
        warnings.push(sentence(
            archived.len(),
            "are archived: restore them first, or they will be reported as archived",
            examples,
        ));
    }
    warnings
}

/// Listed keys of which the source says nothing.
pub(super) fn unknown(entries: &[Entry]) -> Option<String> {
    let unknown: Vec<&Entry> = entries.iter().filter(|entry| entry.etag.is_none()).collect();
    let examples = unknown.iter().map(|entry| short(&entry.key));
    (!unknown.is_empty()).then(|| {
        let what = "are not at the source any more, or it refuses them, and will be reported so";
        sentence(unknown.len(), what, examples)
    })
}

/// What the servers of a list of URLs did not give of the keys of a page.
pub(super) fn answers(entries: &[Entry]) -> Vec<String> {
    let silent = |entry: &&Entry| entry.etag.is_none();
    let unpinned = |entry: &&Entry| entry.etag.as_ref().is_some_and(ETag::is_size_alone);
    let told = |what, chosen: Vec<&Entry>| {
        let examples = chosen.iter().map(|entry| short(&entry.key));
        (!chosen.is_empty()).then(|| sentence(chosen.len(), what, examples))
    };
    let silent = told(
        "could not be asked for (the log says why), and fail unless they can be when their turn comes",
        entries.iter().filter(silent).collect(),
    );
    let unpinned = told(
        "have neither etag nor date: they are read in one piece only, and a change of the same size \
         is not seen",
        entries.iter().filter(unpinned).collect(),
    );
    silent.into_iter().chain(unpinned).collect()
}

fn sentence(count: usize, what: &str, examples: impl Iterator<Item = String>) -> String {
    let examples: Vec<_> = examples.take(EXAMPLES_MAX).collect();
    format!("{count} {what}: {}", examples.join(", "))
}

fn short(key: &Key) -> String {
    const CHARS_MAX: usize = 60;
    let text = key.to_text();
    if text.chars().count() <= CHARS_MAX {
        return text.into_owned();
    }
    text.chars().take(CHARS_MAX).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use ossferry_core::job::Overwrite;

    use super::*;

    fn job(source: &str, policy: Option<Overwrite>) -> Job {
        let text = format!(
            "name = \"j\"\n[source]\n{source}\n[target]\nregion = \"cn-hangzhou\"\n\
             bucket = \"moved\"\nprefix = \"to/\"\n\
             credentials = {{ from = \"env\", access_key = \"A\", secret_key = \"S\" }}\n"
        );
        let mut job = Job::parse(&text).unwrap();
        job.policy.overwrite = policy;
        job
    }

    fn folder(policy: Option<Overwrite>) -> Job {
        job("kind = \"folder\"\npath = \"/data\"", policy)
    }

    fn entry(key: &[u8], size: u64, archived: bool) -> Entry {
        let key = Key::new(key.to_vec());
        Entry { key, size, etag: None, last_modified: None, storage_class: None, archived }
    }

    #[test]
    fn clocks_may_differ_by_minutes_but_not_by_a_quarter_of_an_hour() {
        for (theirs_seconds, level) in [
            (1_000, Level::Ok),
            (1_299, Level::Ok),
            (1_301, Level::Warn),
            (500, Level::Warn),
            (1_901, Level::Fail),
            (99, Level::Fail),
        ] {
            let found = clock(Timestamp(1_000_000), Timestamp(theirs_seconds * 1_000));
            assert_eq!(found.0, level, "{theirs_seconds}: {}", found.1);
        }
    }

    #[test]
    fn a_bucket_elsewhere_is_named_with_its_region() {
        assert_eq!(region("cn-hangzhou", Some("oss-cn-hangzhou")).0, Level::Ok);
        assert_eq!(region("eu-west-1", None).0, Level::Ok);
        let (level, text) = region("cn-hangzhou", Some("oss-cn-beijing"));
        assert!(level == Level::Fail && text.contains("cn-beijing"), "{text}");
    }

    #[test]
    fn a_filled_target_needs_a_policy_unless_the_ledger_knows_it() {
        let page = Page { entries: vec![entry(b"to/a", 1, false)], next: None };
        for (policy, page, is_known, level) in [
            (None, &Page::default(), false, Level::Ok),
            (None, &page, false, Level::Fail),
            (None, &page, true, Level::Ok),
            (Some(Overwrite::Never), &page, false, Level::Ok),
        ] {
            assert_eq!(filled(&folder(policy), page, is_known).0, level, "{policy:?} {is_known}");
        }
    }

    #[test]
    fn keys_that_oss_cannot_hold_and_archived_ones_are_counted_with_examples() {
        let entries = [
            entry(b"fine", 1, false),
            entry(b"\xff", 1, false),
            entry(&[b'k'; 1_022], 1, false),
            entry(b"big", OBJECT_BYTES_MAX + 1, false),
            entry(b"cold", 1, true),
        ];
        let warnings = keys(&folder(None), &entries);
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("3 cannot") && warnings[0].contains("%FF"), "{warnings:?}");
        assert!(warnings[1].starts_with("1 are archived") && warnings[1].contains("cold"));
        assert!(keys(&folder(None), &entries[..1]).is_empty());
    }

    #[test]
    fn what_a_server_does_not_give_is_told_before_a_pass() {
        let etag = |etag| Entry { etag, ..entry(b"k", 1, false) };
        let plain = etag(Some(ETag::new("e")));
        assert!(answers(std::slice::from_ref(&plain)).is_empty());
        let told = answers(&[plain, etag(None), etag(Some(ETag::of_size(1)))]);
        assert!(told[0].starts_with("1 could not be asked for"), "{told:?}");
        assert!(told[1].starts_with("1 have neither etag nor date"), "{told:?}");
    }

    #[test]
    fn listed_keys_that_are_not_there_are_counted_with_examples() {
        let known = Entry { etag: Some(ETag::new("e")), ..entry(b"k", 1, false) };
        assert_eq!(unknown(std::slice::from_ref(&known)), None);
        let told = unknown(&[known, entry(b"gone", 0, false)]).unwrap();
        assert!(told.starts_with("1 are not at the source") && told.contains("gone"), "{told}");
    }

    #[test]
    fn one_bucket_at_both_ends_is_pointed_out() {
        let oss = |bucket: &str| {
            job(
                &format!(
                    "kind = \"oss\"\nregion = \"cn-beijing\"\nbucket = \"{bucket}\"\n\
                     prefix = \"from/\"\n\
                     credentials = {{ from = \"env\", access_key = \"A\", secret_key = \"S\" }}"
                ),
                None,
            )
        };
        assert!(same_bucket(&oss("moved")).is_some());
        assert!(same_bucket(&oss("other")).is_none());
        assert!(same_bucket(&folder(None)).is_none());
    }

    #[test]
    fn a_refusal_comes_with_its_remedy() {
        let error = PortError::new(ErrorKind::AccountRefused, "list: InvalidAccessKeyId");
        let text = refused(&error, "target");
        assert!(text.contains("InvalidAccessKeyId") && text.contains("access key"), "{text}");
    }
}
