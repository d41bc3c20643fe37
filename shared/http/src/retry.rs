//! Attempts with full jitter, inside a count and a total time.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use ossferry_core::error::{ErrorKind, PortError};
use tokio::time::{Instant, sleep};

use crate::date::parse_http_date;

/// How often and how long an idempotent request is tried.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// The first wait is drawn between zero and this; each later bound is twice as high.
    pub base_wait: Duration,
    /// No wait is drawn above this.
    pub wait_max: Duration,
    /// No attempt begins later than this after the first.
    pub total: Duration,
}

impl Default for RetryPolicy {
    /// A store that throttles for seconds is outlasted, a handler's deadline is not.
    fn default() -> Self {
        Self {
            attempts_max: 8,
            base_wait: Duration::from_millis(200),
            wait_max: Duration::from_secs(10),
            total: Duration::from_mins(1),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after failed attempt number `attempt` (from 1): full jitter, but never
    /// less than the service asked for.
    fn wait(&self, attempt: u32, error: &PortError) -> Duration {
        let bound = self.base_wait.saturating_mul(1 << (attempt - 1).min(20)).min(self.wait_max);
        let jittered = bound.mul_f64(fastrand::f64());
        error.retry_after.map_or(jittered, |asked| asked + jittered)
    }
}

/// Calls until it succeeds, fails for good, or the policy is used up; then gives the last error.
/// For calls that may be repeated whatever became of the last.
pub async fn retry<T, F>(policy: &RetryPolicy, call: impl FnMut() -> F) -> Result<T, PortError>
where
    F: Future<Output = Result<T, PortError>>,
{
    retry_while(policy, PortError::is_transient, call).await
}

/// As [`retry`], for calls that must not be repeated after errors that `may_repeat` rejects.
pub async fn retry_while<T, F>(
    policy: &RetryPolicy,
    may_repeat: impl Fn(&PortError) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, PortError>
where
    F: Future<Output = Result<T, PortError>>,
{
    let start = Instant::now();
    let mut attempt = 0;
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        attempt += 1;
        if !may_repeat(&error)
            || error.kind == ErrorKind::Deadline
            || attempt >= policy.attempts_max
        {
            return Err(error);
        }
        let wait = policy.wait(attempt, &error);
        if start.elapsed() + wait > policy.total {
            return Err(error);
        }
        tracing::debug!(attempt, ?wait, %error, "trying again");
        sleep(wait).await;
    }
}

/// How long an answer asks to be left alone: `x-oss-qos-delay-time` (milliseconds), else
/// `Retry-After` (seconds, or a date against the answer's own `Date`).
pub fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("x-oss-qos-delay-time").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let after = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(parse_http_date(after)?.since(parse_http_date(text(DATE.as_str())?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_asked_again_and_a_throttle_is() {
        for (kind, attempts) in
            [(ErrorKind::AccessDenied, 1), (ErrorKind::Deadline, 1), (ErrorKind::Throttled, 8)]
        {
            let calls = Cell::new(0);
            let policy = RetryPolicy { total: Duration::from_mins(10), ..Default::default() };
            let error = retry(&policy, || async {
                calls.set(calls.get() + 1);
                Err::<(), _>(PortError::new(kind, "put"))
            })
            .await
            .unwrap_err();
            assert_eq!((error.kind, calls.get()), (kind, attempts));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_s_own_wait_is_kept_and_the_total_ends_it() {
        let policy = RetryPolicy {
            attempts_max: 100,
            base_wait: Duration::from_millis(1),
            wait_max: Duration::from_millis(1),
            total: Duration::from_secs(10),
        };
        let start = Instant::now();
        let calls = Cell::new(0);
        retry(&policy, || async {
            calls.set(calls.get() + 1);
            let mut error = PortError::new(ErrorKind::Throttled, "put");
            error.retry_after = Some(Duration::from_secs(3));
            Err::<(), _>(error)
        })
        .await
        .unwrap_err();
        assert_eq!(calls.get(), 4);
        assert_eq!(start.elapsed().as_secs(), 9);
    }

    #[test]
    fn a_pause_is_read_in_each_spelling() {
        for (headers, pause) in [
            (vec![("x-oss-qos-delay-time", "1500"), ("retry-after", "9")], Some(1_500)),
            (vec![("retry-after", "2")], Some(2_000)),
            (
                vec![
                    ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"),
                    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ],
                Some(10_000),
            ),
            (vec![("retry-after", "soon")], None),
            (vec![], None),
        ] {
            let headers: HeaderMap = headers
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect();
            assert_eq!(asked_pause(&headers), pause.map(Duration::from_millis));
        }
    }
}
