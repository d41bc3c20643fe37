//! Credentials from where AWS's own tools keep them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::time::{Clock, Timestamp};
use ossferry_http::{Credentials, CredentialsProvider};

/// New credentials are fetched this long before the old ones end, so that none ends on its way.
const REFRESH_AHEAD: Duration = Duration::from_mins(5);

/// After a refresh that failed while the old credentials still hold.
const REFRESH_AGAIN: Duration = Duration::from_secs(30);

/// The behaviour of the SDK that the code was written for. A newer one is a decision, not an upgrade.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Credentials of a profile, or of AWS's default chain: kept, and fetched again ahead of their end.
///
/// Here alone, and only inside aws-config, the environment and the files of AWS's tools are read.
pub struct AwsCredentials {
    provider: SharedCredentialsProvider,
    clock: Clock,
    kept: RwLock<Option<Kept>>,
    /// Held while fetching, so that a thousand requests fetch once.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Kept {
    credentials: Arc<Credentials>,
    refresh_at: Timestamp,
    ends_at: Timestamp,
}

impl AwsCredentials {
    /// Of a named profile, whatever the environment says. `region` is where its role is assumed, if
    /// it names one.
    pub fn profile(name: &str, region: &str, clock: Clock) -> Self {
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&provider_config(region))
            .profile_name(name)
            .build();
        Self::of(provider, clock)
    }

    /// From the first that has any: environment, profile, web identity, container, instance.
    pub async fn default_chain(region: &str, clock: Clock) -> Self {
        let chain = DefaultCredentialsChain::builder()
            .configure(provider_config(region))
            .region(Region::new(region.to_owned()));
        Self::of(chain.build().await, clock)
    }

    fn of(provider: impl ProvideCredentials + 'static, clock: Clock) -> Self {
        Self {
            provider: SharedCredentialsProvider::new(provider),
            clock,
            kept: RwLock::new(None),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Kept) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    fn fresh(&self) -> Option<Arc<Credentials>> {
        let now = (self.clock)();
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| now < kept.refresh_at).map(|kept| Arc::clone(&kept.credentials))
    }
}

#[async_trait::async_trait]
impl CredentialsProvider for AwsCredentials {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        if let Some(credentials) = self.fresh() {
            return Ok(credentials);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(credentials) = self.fresh() {
            return Ok(credentials);
        }
        let now = (self.clock)();
        let error = match self.provider.provide_credentials().await {
            Ok(fetched) => {
                let kept = Kept::of(&fetched, now);
                let credentials = Arc::clone(&kept.credentials);
                self.keep(kept);
                return Ok(credentials);
            }
            Err(error) => not_loaded(&error),
        };
        let Some(kept) = self.kept().filter(|kept| now < kept.ends_at) else { return Err(error) };
        tracing::warn!(%error, ends_at = %kept.ends_at, "the old credentials are used meanwhile");
        let credentials = Arc::clone(&kept.credentials);
        self.keep(Kept { refresh_at: now.plus(REFRESH_AGAIN).min(kept.ends_at), ..kept });
        Ok(credentials)
    }

    fn expired(&self, refused: &Credentials) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|kept| *kept.credentials == *refused) {
            *kept = None;
        }
    }
}

impl Kept {
    fn of(fetched: &aws_credential_types::Credentials, now: Timestamp) -> Self {
        let ends_at = fetched.expiry().map_or(Timestamp::MAX, timestamp);
        // Short-lived ones are used for half their life at least.
        let ahead = REFRESH_AHEAD.min(ends_at.since(now) / 2);
        Self {
            credentials: Arc::new(Credentials {
                access_key: fetched.access_key_id().to_owned(),
                secret_key: fetched.secret_access_key().to_owned(),
                token: fetched.session_token().map(str::to_owned),
            }),
            refresh_at: ends_at.minus(ahead),
            ends_at,
        }
    }
}

fn provider_config(region: &str) -> ProviderConfig {
    ProviderConfig::without_region()
        .with_region(Some(Region::new(region.to_owned())))
        .with_behavior_version(Some(behavior_version()))
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Says which step failed, by the SDK's own words. They name files, profiles and addresses, never
/// what a file holds.
pub(crate) fn not_loaded(error: &CredentialsError) -> PortError {
    let kind = match error {
        CredentialsError::ProviderTimedOut(_) => ErrorKind::Timeout,
        CredentialsError::ProviderError(_) => ErrorKind::ServerError,
        _ => ErrorKind::AccountRefused,
    };
    let mut message = format!("credentials: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    // The default chain tells what it tried line by line.
    PortError::new(kind, message.replace("\n  ", "; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::provider::future::ProvideCredentials as Provided;
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    /// Gives the next of its answers: seconds until which a key holds, or a failure.
    #[derive(Debug)]
    struct ScriptedProvider {
        answers: Mutex<VecDeque<Option<u64>>>,
        calls: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for ScriptedProvider {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let answer = self.answers.lock().unwrap().pop_front().flatten();
            Provided::ready(
                answer
                    .map(|seconds| {
                        let ends = UNIX_EPOCH + Duration::from_secs(seconds);
                        let key = format!("AK{call}");
                        aws_credential_types::Credentials::new(key, "S", None, Some(ends), "test")
                    })
                    .ok_or_else(|| CredentialsError::not_loaded("nothing in the script")),
            )
        }
    }

    struct Bench {
        provider: AwsCredentials,
        seconds: Arc<AtomicI64>,
        calls: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new(answers: &[Option<u64>]) -> Self {
            let (seconds, calls) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicUsize::new(0)));
            let clock = Arc::clone(&seconds);
            let scripted = ScriptedProvider {
                answers: Mutex::new(answers.iter().copied().collect()),
                calls: Arc::clone(&calls),
            };
            let clock: Clock = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed) * 1_000));
            Self { provider: AwsCredentials::of(scripted, clock), seconds, calls }
        }

        async fn key_at(&self, seconds: i64) -> Result<String, ErrorKind> {
            self.seconds.store(seconds, Ordering::Relaxed);
            let credentials = self.provider.credentials().await;
            credentials.map(|found| found.access_key.clone()).map_err(|error| error.kind)
        }
    }

    #[tokio::test]
    async fn credentials_are_fetched_again_ahead_of_their_end() {
        let bench = Bench::new(&[Some(3_600), Some(7_200)]);
        for (at, key) in [(0, "AK0"), (3_299, "AK0"), (3_300, "AK1"), (6_000, "AK1")] {
            assert_eq!(bench.key_at(at).await.unwrap(), key, "at {at}");
        }
        assert_eq!(bench.calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_refresh_that_fails_leaves_the_old_ones_until_they_end() {
        let bench = Bench::new(&[Some(3_600), None, None]);
        bench.key_at(0).await.unwrap();
        assert_eq!(bench.key_at(3_400).await.unwrap(), "AK0");
        assert_eq!(bench.key_at(3_410).await.unwrap(), "AK0");
        assert_eq!(bench.calls.load(Ordering::Relaxed), 2, "it is not asked at every request");
        assert_eq!(bench.key_at(3_600).await.unwrap_err(), ErrorKind::AccountRefused);
    }

    #[tokio::test]
    async fn refused_credentials_are_not_given_again() {
        let bench = Bench::new(&[Some(3_600), Some(3_600)]);
        bench.key_at(0).await.unwrap();
        let refused = bench.provider.credentials().await.unwrap();
        bench.provider.expired(&refused);
        assert_eq!(bench.key_at(1).await.unwrap(), "AK1");
        bench.provider.expired(&refused);
        assert_eq!(bench.key_at(2).await.unwrap(), "AK1", "others are kept");
    }

    #[tokio::test]
    async fn many_requests_at_once_fetch_once() {
        let bench = Bench::new(&[Some(3_600)]);
        let all = futures::future::join_all((0..50).map(|_| bench.provider.credentials())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(bench.calls.load(Ordering::Relaxed), 1);
    }
}
