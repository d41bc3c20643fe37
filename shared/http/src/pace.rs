//! How many requests an endpoint takes at once: found out, under the job's caps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::token_bucket::TokenBucket;

/// Longest pause that a service's answer is believed to ask for.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// Caps of an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct PaceOptions {
    /// Requests in flight to begin with.
    pub initial_concurrency: usize,
    /// Requests in flight at most, however well it goes.
    pub max_concurrency: usize,
    /// Requests a second.
    pub requests_per_second: Option<u64>,
    /// Bytes of objects a second: request bodies that stream, response bodies that are streamed on.
    pub bytes_per_second: Option<u64>,
}

impl Default for PaceOptions {
    fn default() -> Self {
        Self {
            initial_concurrency: 16,
            max_concurrency: 256,
            requests_per_second: None,
            bytes_per_second: None,
        }
    }
}

/// Adaptive concurrency of one endpoint: one more after every window of successes, half after a
/// throttled or timed-out request, nothing at all while the service asked to be left alone.
///
/// A source and a target never share one: a copy holds a permit of each.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_concurrency: usize,
    limits_bytes: bool,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
    /// Since the limit last changed.
    successes: usize,
    halved_at: Option<Instant>,
    paused_until: Option<Instant>,
    /// Since they were last taken.
    throttles: u64,
    requests: Option<TokenBucket>,
    bytes: Option<TokenBucket>,
}

enum Taken {
    Yes { more_free: bool },
    Full,
    Paused(Instant),
}

impl Pace {
    /// A pace under these caps. Zeros count as one.
    pub fn new(options: &PaceOptions) -> Self {
        let now = Instant::now();
        let max_concurrency = options.max_concurrency.max(1);
        let bucket = |rate: Option<u64>, burst_seconds: f64| {
            rate.map(|rate| {
                #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
                let rate = rate.max(1) as f64;
                TokenBucket::new(rate, (rate * burst_seconds).max(1.0), now)
            })
        };
        Self(Arc::new(Inner {
            max_concurrency,
            limits_bytes: options.bytes_per_second.is_some(),
            state: Mutex::new(State {
                limit: options.initial_concurrency.clamp(1, max_concurrency),
                in_flight: 0,
                successes: 0,
                halved_at: None,
                paused_until: None,
                throttles: 0,
                requests: bucket(options.requests_per_second, 0.1),
                bytes: bucket(options.bytes_per_second, 0.25),
            }),
            freed: Notify::new(),
        }))
    }

    /// Waits until one more request may be sent.
    pub async fn acquire(&self) -> Permit {
        let taken_at = loop {
            let now = Instant::now();
            match self.try_take(now) {
                Taken::Yes { more_free } => {
                    if more_free {
                        self.0.freed.notify_one();
                    }
                    break now;
                }
                Taken::Full => self.0.freed.notified().await,
                Taken::Paused(until) => sleep_until(until).await,
            }
        };
        self.permitted(taken_at).await
    }

    /// One more request of whoever holds a permit already and waits for this one's answer: it is not refused
    /// for want of a place, or all that hold one would wait for each other. Waits only while the endpoint asked
    /// to be left alone, and under the job's own rate.
    pub async fn acquire_beside(&self) -> Permit {
        let taken_at = loop {
            let now = Instant::now();
            match self.take_beside(now) {
                Some(until) => sleep_until(until).await,
                None => break now,
            }
        };
        self.permitted(taken_at).await
    }

    async fn permitted(&self, taken_at: Instant) -> Permit {
        let permit = Permit { pace: self.clone(), taken_at };
        let wait = self.state().requests.as_mut().map(|bucket| bucket.take(1.0, taken_at));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            sleep(wait).await;
        }
        permit
    }

    /// Counts bytes that passed, and says how long to wait before the next.
    pub(crate) fn spend_bytes(&self, bytes: usize) -> Option<Duration> {
        if !self.0.limits_bytes {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a frame is far below 2^53 bytes")]
        let tokens = bytes as f64;
        let wait = self.state().bytes.as_mut()?.take(tokens, Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    /// Requests that may be in flight now.
    pub fn concurrency(&self) -> usize {
        self.state().limit
    }

    /// Requests in flight now.
    pub fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// Answers since the last call that asked for fewer requests.
    pub fn take_throttles(&self) -> u64 {
        std::mem::take(&mut self.state().throttles)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place beyond the limit; or says until when the endpoint is left alone.
    fn take_beside(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let paused = state.paused_until.filter(|until| now < *until);
        if paused.is_none() {
            state.in_flight += 1;
        }
        paused
    }

    fn try_take(&self, now: Instant) -> Taken {
        let mut state = self.state();
        if let Some(until) = state.paused_until {
            if now < until {
                return Taken::Paused(until);
            }
            state.paused_until = None;
        }
        if state.in_flight >= state.limit {
            return Taken::Full;
        }
        state.in_flight += 1;
        Taken::Yes { more_free: state.in_flight < state.limit }
    }
}

/// The right to have one request in flight, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    pace: Pace,
    taken_at: Instant,
}

impl Permit {
    /// The endpoint answered in time and asked for nothing.
    pub fn succeeded(&self) {
        let mut state = self.pace.state();
        // An idle lane proves nothing about a wider one.
        if state.in_flight * 2 < state.limit {
            return;
        }
        state.successes += 1;
        if state.successes >= state.limit && state.limit < self.pace.0.max_concurrency {
            state.successes = 0;
            state.limit += 1;
            drop(state);
            self.pace.0.freed.notify_one();
        }
    }

    /// The endpoint's answer asks for fewer requests: counted, then as [`Permit::throttled`].
    pub(crate) fn asked_for_less(&self, pause: Option<Duration>) {
        self.pace.state().throttles += 1;
        self.throttled(pause);
    }

    /// The endpoint refused for its rate, stood still, or asked to be left alone for `pause`.
    ///
    /// Requests sent before the last halving say nothing new: only the pause counts.
    pub fn throttled(&self, pause: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.pace.state();
        if state.halved_at.is_none_or(|halved_at| self.taken_at > halved_at) {
            state.limit = (state.limit / 2).max(1);
            state.successes = 0;
            state.halved_at = Some(now);
        }
        if let Some(pause) = pause {
            let until = now + pause.min(PAUSE_MAX);
            state.paused_until = Some(state.paused_until.map_or(until, |old| old.max(until)));
        }
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pace.state().in_flight -= 1;
        self.pace.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(initial: usize, max: usize) -> Pace {
        Pace::new(&PaceOptions {
            initial_concurrency: initial,
            max_concurrency: max,
            ..PaceOptions::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_of_successes_adds_one_and_a_throttle_halves() {
        let pace = pace(4, 5);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(pace.acquire().await);
        }
        held.iter().for_each(Permit::succeeded);
        assert_eq!(pace.concurrency(), 5);
        for _ in 0..2 {
            held.iter().for_each(Permit::succeeded);
        }
        assert_eq!(pace.concurrency(), 5, "the cap holds");
        tokio::time::advance(Duration::from_millis(1)).await;
        for permit in &held {
            permit.throttled(None);
        }
        assert_eq!(pace.concurrency(), 2, "one window is halved once, however many complain");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_holds_the_only_permit_may_send_one_more_request_beside_it() {
        let pace = Pace::new(&PaceOptions { max_concurrency: 1, ..PaceOptions::default() });
        let held = pace.acquire().await;
        let beside = pace.acquire_beside().await;
        assert_eq!(pace.in_flight(), 2);
        drop(beside);
        assert_eq!(pace.in_flight(), 1);
        let began = Instant::now();
        held.throttled(Some(Duration::from_secs(3)));
        pace.acquire_beside().await;
        assert_eq!(began.elapsed(), Duration::from_secs(3), "also it leaves the endpoint alone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pace_lets_the_next_in_when_one_is_dropped() {
        let pace = pace(1, 1);
        let first = pace.acquire().await;
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.acquire().await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!waiting.is_finished());
        drop(first);
        let second = waiting.await.unwrap();
        assert_eq!(pace.in_flight(), 1);
        drop(second);
        assert_eq!(pace.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_while_the_service_asked_for_a_pause() {
        let pace = pace(8, 8);
        let start = Instant::now();
        pace.acquire().await.asked_for_less(Some(Duration::from_secs(3)));
        drop(pace.acquire().await);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        assert_eq!((pace.take_throttles(), pace.take_throttles()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_over_the_second() {
        let pace =
            Pace::new(&PaceOptions { requests_per_second: Some(10), ..PaceOptions::default() });
        let start = Instant::now();
        for _ in 0..21 {
            drop(pace.acquire().await);
        }
        assert_eq!(start.elapsed().as_millis() / 100, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_beyond_the_rate_are_waited_for() {
        let pace =
            Pace::new(&PaceOptions { bytes_per_second: Some(1_000), ..PaceOptions::default() });
        assert_eq!(pace.spend_bytes(250), None);
        assert_eq!(pace.spend_bytes(2_000), Some(Duration::from_secs(2)));
        assert_eq!(self::pace(1, 1).spend_bytes(1 << 30), None);
    }
}
