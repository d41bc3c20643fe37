//! Credentials that are fetched from somewhere: kept, and fetched again ahead of their end.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ossferry_core::error::PortError;
use ossferry_core::time::{Clock, Timestamp};

use crate::credentials::{Credentials, CredentialsProvider};

/// New credentials are fetched this long before the old ones end, so that none ends on its way.
const REFRESH_AHEAD: Duration = Duration::from_mins(5);

/// Those without an end are looked up again after this: somebody may have exchanged them.
const LOOK_UP_AGAIN: Duration = Duration::from_mins(5);

/// After a refresh that failed while the old credentials still hold.
const REFRESH_AGAIN: Duration = Duration::from_secs(30);

/// Credentials as they were fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What signs.
    pub credentials: Credentials,
    /// When they end; `None` where nobody says.
    pub ends_at: Option<Timestamp>,
}

/// Where credentials are fetched.
#[async_trait::async_trait]
pub trait FetchCredentials: Send + Sync {
    /// Asks once.
    async fn fetch(&self) -> Result<Fetched, PortError>;
}

/// Keeps what was fetched. A thousand requests at once fetch once.
pub struct RefreshedCredentials<F> {
    fetcher: F,
    clock: Clock,
    kept: RwLock<Option<Kept>>,
    /// Held while fetching.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Kept {
    credentials: Arc<Credentials>,
    refresh_at: Timestamp,
    ends_at: Timestamp,
}

impl Kept {
    fn of(fetched: Fetched, now: Timestamp) -> Self {
        let (refresh_at, ends_at) = match fetched.ends_at {
            // Short-lived ones are used for half their life at least.
            Some(ends_at) => (ends_at.minus(REFRESH_AHEAD.min(ends_at.since(now) / 2)), ends_at),
            None => (now.plus(LOOK_UP_AGAIN), Timestamp::MAX),
        };
        Self { credentials: Arc::new(fetched.credentials), refresh_at, ends_at }
    }
}

impl<F: FetchCredentials> RefreshedCredentials<F> {
    /// Fetches nothing yet.
    pub fn new(fetcher: F, clock: Clock) -> Self {
        Self { fetcher, clock, kept: RwLock::new(None), fetching: tokio::sync::Mutex::new(()) }
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
impl<F: FetchCredentials> CredentialsProvider for RefreshedCredentials<F> {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        if let Some(credentials) = self.fresh() {
            return Ok(credentials);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(credentials) = self.fresh() {
            return Ok(credentials);
        }
        let now = (self.clock)();
        let error = match self.fetcher.fetch().await {
            Ok(fetched) => {
                let kept = Kept::of(fetched, now);
                let credentials = Arc::clone(&kept.credentials);
                self.keep(kept);
                return Ok(credentials);
            }
            Err(error) => error,
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

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::error::ErrorKind;
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    /// What a fetch gives: a key that ends, in seconds; one without an end; or a failure.
    #[derive(Clone, Copy)]
    enum Answer {
        Until(i64),
        Unending,
        Fails,
    }
    use Answer::{Fails, Unending, Until};

    struct ScriptedFetcher {
        answers: Mutex<VecDeque<Answer>>,
        calls: Arc<AtomicUsize>,
    }

    #[async_trait::async_trait]
    impl FetchCredentials for ScriptedFetcher {
        async fn fetch(&self) -> Result<Fetched, PortError> {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let ends_at = match self.answers.lock().unwrap().pop_front().unwrap_or(Fails) {
                Until(seconds) => Some(Timestamp(seconds * 1_000)),
                Unending => None,
                Fails => return Err(PortError::new(ErrorKind::AccountRefused, "scripted")),
            };
            let (access_key, secret_key) = (format!("AK{call}"), "S".to_owned());
            let credentials = Credentials { access_key, secret_key, token: None };
            Ok(Fetched { credentials, ends_at })
        }
    }

    struct Bench {
        provider: RefreshedCredentials<ScriptedFetcher>,
        seconds: Arc<AtomicI64>,
        calls: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new(answers: &[Answer]) -> Self {
            let (seconds, calls) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicUsize::new(0)));
            let clock = Arc::clone(&seconds);
            let scripted = ScriptedFetcher {
                answers: Mutex::new(answers.iter().copied().collect()),
                calls: Arc::clone(&calls),
            };
            let clock: Clock = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed) * 1_000));
            Self { provider: RefreshedCredentials::new(scripted, clock), seconds, calls }
        }

        async fn key_at(&self, seconds: i64) -> Result<String, ErrorKind> {
            self.seconds.store(seconds, Ordering::Relaxed);
            let credentials = self.provider.credentials().await;
            credentials.map(|found| found.access_key.clone()).map_err(|error| error.kind)
        }
    }

    #[tokio::test]
    async fn credentials_are_fetched_again_ahead_of_their_end() {
        let bench = Bench::new(&[Until(3_600), Until(7_200)]);
        for (at, key) in [(0, "AK0"), (3_299, "AK0"), (3_300, "AK1"), (6_000, "AK1")] {
            assert_eq!(bench.key_at(at).await.unwrap(), key, "at {at}");
        }
        assert_eq!(bench.calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn credentials_without_an_end_are_looked_up_now_and_then_and_outlast_a_failure() {
        let bench = Bench::new(&[Unending, Fails, Unending]);
        for (at, key) in [(0, "AK0"), (299, "AK0"), (300, "AK0"), (329, "AK0"), (330, "AK2")] {
            assert_eq!(bench.key_at(at).await.unwrap(), key, "at {at}");
        }
    }

    #[tokio::test]
    async fn a_refresh_that_fails_leaves_the_old_ones_until_they_end() {
        let bench = Bench::new(&[Until(3_600), Fails, Fails]);
        bench.key_at(0).await.unwrap();
        assert_eq!(bench.key_at(3_400).await.unwrap(), "AK0");
        assert_eq!(bench.key_at(3_410).await.unwrap(), "AK0");
        assert_eq!(bench.calls.load(Ordering::Relaxed), 2, "it is not asked at every request");
        assert_eq!(bench.key_at(3_600).await.unwrap_err(), ErrorKind::AccountRefused);
    }

    #[tokio::test]
    async fn refused_credentials_are_not_given_again() {
        let bench = Bench::new(&[Until(3_600), Until(3_600)]);
        bench.key_at(0).await.unwrap();
        let refused = bench.provider.credentials().await.unwrap();
        bench.provider.expired(&refused);
        assert_eq!(bench.key_at(1).await.unwrap(), "AK1");
        bench.provider.expired(&refused);
        assert_eq!(bench.key_at(2).await.unwrap(), "AK1", "others are kept");
    }

    #[tokio::test]
    async fn many_requests_at_once_fetch_once() {
        let bench = Bench::new(&[Until(3_600)]);
        let all = futures::future::join_all((0..50).map(|_| bench.provider.credentials())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(bench.calls.load(Ordering::Relaxed), 1);
    }
}
