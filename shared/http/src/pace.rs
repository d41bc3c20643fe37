//! How many requests an endpoint takes at once: found out, under the job's caps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::token_bucket::{Owed, TokenBucket};

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
    limits_bytes: AtomicBool,
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

/// A rate a second in thousandths; no cap where `None`.
type Rate = Option<u64>;

/// Seconds of its rate that gather while nothing moves.
const REQUESTS_BURST: f64 = 0.1;
const BYTES_BURST: f64 = 0.25;

/// What was used of a rate, and what of it there was, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Requests or bytes that were sent.
    pub taken: u64,
    /// That could have been.
    pub offered: u64,
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
                let rate = whole(rate.max(1));
                TokenBucket::new(rate, (rate * burst_seconds).max(1.0), now)
            })
        };
        Self(Arc::new(Inner {
            max_concurrency,
            limits_bytes: AtomicBool::new(options.bytes_per_second.is_some()),
            state: Mutex::new(State {
                limit: options.initial_concurrency.clamp(1, max_concurrency),
                in_flight: 0,
                successes: 0,
                halved_at: None,
                paused_until: None,
                throttles: 0,
                requests: bucket(options.requests_per_second, REQUESTS_BURST),
                bytes: bucket(options.bytes_per_second, BYTES_BURST),
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
        let (requests, bytes) = {
            let mut state = self.state();
            let requests = state.requests.as_mut().map(|bucket| bucket.take(1.0, taken_at));
            // Objects of one chunk each wait nowhere else for the bytes of those before.
            (requests, state.bytes.as_ref().map(TokenBucket::owed))
        };
        while let Some(wait) = self.wait_for(requests, bytes) {
            sleep(wait).await;
        }
        permit
    }

    fn wait_for(&self, requests: Option<Owed>, bytes: Option<Owed>) -> Option<Duration> {
        let (now, mut state) = (Instant::now(), self.state());
        let requests = state.requests.as_mut().zip(requests);
        let requests = requests.and_then(|(bucket, owed)| bucket.wait(owed, now));
        let bytes = state.bytes.as_mut().zip(bytes);
        let bytes = bytes.and_then(|(bucket, owed)| bucket.wait(owed, now));
        requests.max(bytes)
    }

    /// Counts bytes that passed; answers what is to be waited for before the next, if anything.
    pub(crate) fn spend_bytes(&self, bytes: usize) -> Option<Owed> {
        if !self.0.limits_bytes.load(Ordering::Relaxed) {
            return None;
        }
        let now = Instant::now();
        let mut state = self.state();
        let bucket = state.bytes.as_mut()?;
        let owed = bucket.take(whole(bytes as u64), now);
        bucket.wait(owed, now).map(|_| owed)
    }

    /// How long to wait for these bytes, or `None` where they are paid for; asked again after that.
    pub(crate) fn bytes_wait(&self, owed: Owed) -> Option<Duration> {
        self.state().bytes.as_mut()?.wait(owed, Instant::now())
    }

    /// Has other rates from now on, in thousandths a second. Zero lets nothing begin, and holds back what
    /// is on its way, until there is another rate.
    pub fn set_rates(&self, bytes_per_second: Rate, requests_per_second: Rate) {
        let now = Instant::now();
        let mut state = self.state();
        let State { requests, bytes, .. } = &mut *state;
        for (bucket, rate, burst_seconds) in [
            (requests, requests_per_second, REQUESTS_BURST),
            (bytes, bytes_per_second, BYTES_BURST),
        ] {
            let Some(rate) = rate else {
                *bucket = None;
                continue;
            };
            let rate = whole(rate) / 1e3;
            let burst = rate * burst_seconds;
            bucket
                .get_or_insert_with(|| TokenBucket::new(0.0, 0.0, now))
                .set_rate(rate, burst, now);
        }
        self.0.limits_bytes.store(state.bytes.is_some(), Ordering::Relaxed);
    }

    /// What was used of bytes and of requests since the last call.
    pub fn take_usage(&self) -> [Usage; 2] {
        let now = Instant::now();
        let mut state = self.state();
        let State { requests, bytes, .. } = &mut *state;
        [bytes, requests].map(|bucket| {
            let (taken, offered) =
                bucket.as_mut().map(|bucket| bucket.take_usage(now)).unwrap_or_default();
            Usage { taken: thousandths(taken), offered: thousandths(offered) }
        })
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

fn whole(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
    let number = number as f64;
    number
}

fn thousandths(tokens: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let thousandths = (tokens * 1e3) as u64;
    thousandths
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
        assert!(pace.spend_bytes(250).is_none());
        let owed = pace.spend_bytes(2_000).unwrap();
        let start = Instant::now();
        while let Some(wait) = pace.bytes_wait(owed) {
            sleep(wait).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        assert!(self::pace(1, 1).spend_bytes(1 << 30).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn small_objects_wait_for_the_bytes_of_those_before_them() {
        let pace =
            Pace::new(&PaceOptions { bytes_per_second: Some(1_000), ..PaceOptions::default() });
        let start = Instant::now();
        for _ in 0..21 {
            let permit = pace.acquire().await;
            // The one chunk of an object, after which its request waits for nothing.
            permit.pace().spend_bytes(500);
        }
        assert_eq!(start.elapsed().as_millis() / 100, 97, "ten thousand bytes, less the burst");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nothing_holds_everything_until_there_is_another() {
        let pace = pace(4, 4);
        pace.set_rates(Some(0), Some(0));
        let start = Instant::now();
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.acquire().await }
        });
        sleep(Duration::from_secs(30)).await;
        assert!(!waiting.is_finished());
        pace.set_rates(None, Some(2_000));
        drop(waiting.await.unwrap());
        assert!(start.elapsed() <= Duration::from_secs(31), "{:?}", start.elapsed());
        let [bytes, requests] = pace.take_usage();
        assert_eq!((bytes, requests.taken), (Usage::default(), 1_000));
        pace.set_rates(None, None);
        assert!(pace.spend_bytes(1 << 30).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_and_an_endpoint_that_throttles_go_together() {
        let pace = pace(8, 8);
        pace.set_rates(None, Some(100_000));
        let start = Instant::now();
        let permit = pace.acquire().await;
        permit.asked_for_less(Some(Duration::from_secs(3)));
        drop(permit);
        // What gathers in a pause is no more than the burst.
        for _ in 0..101 {
            drop(pace.acquire().await);
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(3_900) && took <= Duration::from_secs(4), "{took:?}");
        assert_eq!(pace.concurrency(), 4, "and half as many at once");
        pace.set_rates(None, Some(1_000_000));
        assert_eq!(pace.concurrency(), 4, "a higher rate is no reason for more at once");
    }
}
