//! What befalls messages and handlers.

use std::pin::Pin;
use std::task::{Context, Poll};

/// What befalls messages and handlers. Chances are in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Handlers at work at once; one where zero.
    pub at_once: usize,
    /// That a message is delivered once more.
    pub doubled: u32,
    /// That a message is never delivered.
    pub lost: u32,
    /// That an acknowledgement is forgotten.
    pub unacknowledged: u32,
    /// That a handler dies at one of its awaits.
    pub deaths: u32,
    /// That an invocation has only some milliseconds, and hands on what it does not get done.
    pub hurried: u32,
}

impl Weather {
    /// Everything at once.
    pub fn foul(seed: u64) -> Self {
        Self {
            seed,
            at_once: 3,
            doubled: 200,
            lost: 100,
            unacknowledged: 100,
            deaths: 300,
            hurried: 100,
        }
    }
}

/// How often what was drawn has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// Messages never delivered.
    pub lost: u64,
    /// Messages delivered once more.
    pub doubled: u64,
    /// Acknowledgements forgotten.
    pub unacknowledged: u64,
    /// Handlers that died at work.
    pub deaths: u64,
}

/// A future that is dropped after so many polls: a worker that dies at an await.
pub(super) struct Mortal<F> {
    inner: Pin<Box<F>>,
    polls: u32,
}

impl<F: Future> Mortal<F> {
    pub(super) fn new(inner: F, polls: u32) -> Self {
        Self { inner: Box::pin(inner), polls }
    }
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls = self.polls.saturating_sub(1);
        self.inner.as_mut().poll(cx).map(Some)
    }
}
