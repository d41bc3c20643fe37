//! From a job to its mirror rule: which keys, and how OSS reads the origin.

use ossferry_aliyun::oss::{MirrorAuth, MirrorRule, WebsiteRefusal};
use ossferry_core::job::{Addressing, BucketSource, Credentials, Job, SourceSpec, StoreKind};
use ossferry_core::key::Key;
use ossferry_ends::source_key;

use crate::cli::{OriginArguments, OriginAuth};
use crate::command_error::CommandError;
use crate::machine::Machine;

/// Why a mirror rule is not written, or not taken away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MirrorRefusal {
    /// The source is no bucket.
    #[error(
        "a mirror rule fetches from a bucket of OSS or of the S3 family; the source of this job is none (a \
         bucket of Google is one as kind = \"gcs\", with HMAC keys)"
    )]
    SourceIsNoBucket,
    /// OSS has to be told how it reads a private source.
    #[error(
        "the source is private, and OSS has to read it by itself: say how with --mirror-auth. \
         `key` writes the source's access key into the target bucket's configuration (S3 family; a key \
         that may only read is best); `role` with --mirror-role NAME lets a role of the target's account \
         read (an OSS source); `none` is for an address that anybody may read, see --mirror-url"
    )]
    AuthUnnamed,
    /// A key signs for the S3 family only.
    #[error("OSS reads a private bucket of OSS by a role: --mirror-auth role --mirror-role NAME")]
    KeyForOss,
    /// UPYUN's own signatures are none that OSS makes.
    #[error(
        "OSS cannot read UPYUN by its own interface: front the bucket by an address that anybody may read \
         (--mirror-auth none --mirror-url URL)"
    )]
    OriginOfUpyun,
    /// A role reads OSS only.
    #[error("a role reads buckets of OSS only; for this source write --mirror-auth key, or none")]
    RoleForOthers,
    /// `role` without a name.
    #[error("--mirror-auth role wants --mirror-role NAME, a role that may read the source bucket")]
    RoleUnnamed,
    /// The source's credentials end by themselves.
    #[error(
        "the source's credentials are temporary (they have a token), and a mirror rule outlives them: \
         give the job's [source] a key that stays, or front the source by an address that anybody may \
         read (--mirror-auth none --mirror-url URL)"
    )]
    KeyIsTemporary,
    /// There is no key.
    #[error("the source is read without a key; write --mirror-auth none")]
    KeyAbsent,
    /// OSS would refuse it.
    #[error("--mirror-url {0:?} is no origin: want http:// or https://, and / at the end")]
    UrlWrong(String),
    /// A prefix that no rule can spell.
    #[error("the prefix {0} is not UTF-8, which a rule has to be")]
    PrefixNotText(Key),
    /// The configuration has no place for the rule.
    #[error("the mirror rule cannot be added: {0}")]
    Website(#[from] WebsiteRefusal),
    /// Somebody else changed the configuration.
    #[error(
        "the website configuration of bucket {bucket} was changed by somebody else {when}: nothing of \
         theirs was written over. {remedy}"
    )]
    Changed {
        /// Which.
        bucket: String,
        /// While or since what.
        when: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Another process turns it on or off now.
    #[error(
        "another command is changing the mirror rule of this job; look with: ossferry mirror status"
    )]
    Raced,
    /// `off` without a rule.
    #[error("no mirror rule of this job was ever turned on")]
    NeverOn,
    /// `on` while another rule of this job is on.
    #[error("the mirror rule of this job is on already, with the origin {url}: turn it off first")]
    OtherOrigin {
        /// Where that one fetches.
        url: String,
    },
    /// `off` in the middle of a cutover.
    #[error(
        "the cutover of this job has not passed its audit: without the rule, reads of what is not copied \
         yet would fail. Go on with: ossferry cutover, or, if that is given up: --despite-cutover"
    )]
    BeforeAudit,
}

/// The rule that a job asks for.
pub(crate) async fn rule_of(
    job: &Job,
    origin: &OriginArguments,
    machine: &Machine,
) -> Result<MirrorRule, CommandError> {
    let SourceSpec::Bucket(source) = &job.source else {
        return Err(MirrorRefusal::SourceIsNoBucket.into());
    };
    let text = |prefix: &Key| {
        let text = prefix.as_str().map(str::to_owned);
        text.ok_or_else(|| MirrorRefusal::PrefixNotText(prefix.clone()))
    };
    let is_signed = matches!(origin.auth, Some(OriginAuth::Key));
    if source.kind == StoreKind::Upyun && (is_signed || origin.url.is_none()) {
        return Err(MirrorRefusal::OriginOfUpyun.into());
    }
    let url = match &origin.url {
        None => url_of(source),
        Some(url) if is_origin(url) => url.clone(),
        Some(url) => return Err(MirrorRefusal::UrlWrong(url.clone()).into()),
    };
    Ok(MirrorRule {
        prefix: text(&job.target.prefix)?,
        source_prefix: text(&source.prefix)?,
        url,
        auth: auth_of(job, source, origin, machine).await?,
    })
}

async fn auth_of(
    job: &Job,
    source: &BucketSource,
    origin: &OriginArguments,
    machine: &Machine,
) -> Result<MirrorAuth, CommandError> {
    let is_public = source.credentials == Credentials::Anonymous;
    match origin.auth {
        None if is_public => Ok(MirrorAuth::None),
        None => Err(MirrorRefusal::AuthUnnamed.into()),
        Some(OriginAuth::None) => Ok(MirrorAuth::None),
        Some(OriginAuth::Role) if source.kind != StoreKind::Oss => {
            Err(MirrorRefusal::RoleForOthers.into())
        }
        Some(OriginAuth::Role) => {
            let role = origin.role.clone();
            role.map(MirrorAuth::Role).ok_or_else(|| MirrorRefusal::RoleUnnamed.into())
        }
        Some(OriginAuth::Key) if source.kind == StoreKind::Oss => {
            Err(MirrorRefusal::KeyForOss.into())
        }
        Some(OriginAuth::Key) => {
            let key = source_key(job, &machine.around).await?.ok_or(MirrorRefusal::KeyAbsent)?;
            if key.token.is_some() {
                return Err(MirrorRefusal::KeyIsTemporary.into());
            }
            Ok(MirrorAuth::Key {
                region: source.region.clone(),
                access_key: key.access_key.clone(),
                secret_key: key.secret_key.clone(),
            })
        }
    }
}

/// The address that a key of the source follows.
fn url_of(source: &BucketSource) -> String {
    let (endpoint, bucket) = (&source.endpoint, &source.bucket);
    match (source.addressing, endpoint.split_once("://")) {
        (Addressing::Virtual, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}/"),
        _ => format!("{endpoint}/{bucket}/"),
    }
}

fn is_origin(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && url.ends_with('/')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ossferry_core::time::Timestamp;
    use ossferry_ends::Surroundings;

    use super::*;

    fn machine() -> Machine {
        let variables = |name: &str| match name {
            "SOURCE_ACCESS_KEY" | "AK" => Some("AK".to_owned()),
            "SK" | "TOKEN" => Some("s3cret".to_owned()),
            _ => None,
        };
        let around = Surroundings::of_machine(Arc::new(|| Timestamp(0)), Arc::new(variables));
        Machine { around, is_terminal: false }
    }

    fn job(source: &str) -> Job {
        let text = format!(
            "name = \"j\"\n[source]\n{source}\n[target]\nbucket = \"moved\"\nregion = \"cn-hangzhou\"\n\
             {KEYS}\n"
        );
        Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    const KEYS: &str = "credentials = { from = \"env\", access_key = \"AK\", secret_key = \"SK\" }";

    fn s3(more: &str) -> Job {
        job(&format!(
            "kind = \"s3-compatible\"\nendpoint = \"https://s3.test\"\nregion = \"r\"\nbucket = \"b\"\n\
             {more}"
        ))
    }

    fn origin(auth: Option<OriginAuth>) -> OriginArguments {
        OriginArguments { url: None, auth, role: None }
    }

    async fn refused(job: &Job, origin: OriginArguments) -> String {
        rule_of(job, &origin, &machine()).await.expect_err("it is refused").to_string()
    }

    #[tokio::test]
    async fn a_public_source_needs_no_word_and_a_key_is_written_only_when_asked_for() {
        let public = s3("credentials = { from = \"anonymous\" }");
        let rule = rule_of(&public, &origin(None), &machine()).await.unwrap();
        assert_eq!(rule.auth, MirrorAuth::None);
        assert!(rule.url.contains("s3.test") && rule.url.ends_with('/'), "{}", rule.url);
        let private = s3(KEYS);
        assert!(refused(&private, origin(None)).await.contains("--mirror-auth"));
        let by_key = rule_of(&private, &origin(Some(OriginAuth::Key)), &machine()).await.unwrap();
        let MirrorAuth::Key { access_key, secret_key, .. } = by_key.auth else { panic!() };
        assert_eq!((access_key.as_str(), secret_key.as_str()), ("AK", "s3cret"));
    }

    #[tokio::test]
    async fn what_no_rule_can_do_is_refused_by_name() {
        use OriginAuth::{Key, Role};
        let token = KEYS.replace(" }", ", token = \"TOKEN\" }");
        let oss =
            job(&format!("kind = \"oss\"\nregion = \"cn-beijing\"\nbucket = \"old\"\n{KEYS}"));
        let upyun = job(&format!("kind = \"upyun\"\nbucket = \"old\"\n{KEYS}"));
        let folder = job("kind = \"folder\"\npath = \"/data\"");
        let google =
            job("kind = \"gcs-json\"\nbucket = \"b\"\ncredentials = { from = \"anonymous\" }");
        let public = s3("credentials = { from = \"anonymous\" }");
        for (job, auth, hint) in [
            (&folder, None, "from a bucket"),
            (&upyun, Some(Key), "--mirror-url URL"),
            (&upyun, Some(OriginAuth::None), "--mirror-url URL"),
            (&google, None, "as kind = \"gcs\""),
            (&oss, Some(Key), "by a role"),
            (&oss, Some(Role), "--mirror-role NAME"),
            (&s3(KEYS), Some(Role), "buckets of OSS only"),
            (&s3(&token), Some(Key), "temporary"),
            (&public, Some(Key), "without a key"),
        ] {
            let text = refused(job, origin(auth)).await;
            assert!(text.contains(hint) && !text.contains("s3cret"), "{text}");
        }
        let url = Some("ftp://x/".to_owned());
        let text = refused(&public, OriginArguments { url, ..origin(None) }).await;
        assert!(text.contains("no origin"), "{text}");
    }
}
