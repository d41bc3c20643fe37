//! A handler at work: it may die at one of its awaits, or stand still past its lease and go on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ossferry_ledger::Invocation;
use tokio::time::{Sleep, sleep};

tokio::task_local! {
    /// Whose handler is being polled.
    pub(super) static SHIFT: Shift;
}

/// One invocation of one worker.
#[derive(Clone)]
pub(super) struct Shift {
    pub(super) invocation: Invocation,
    /// Whether it has made the call that it dies of.
    pub(super) is_doomed: Arc<AtomicBool>,
}

/// What befalls a handler.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lot {
    /// It works to its end.
    Lives,
    /// It is dropped after so many polls.
    Dies(u64),
    /// After so many polls nobody polls it for so long: a process that was suspended.
    Freezes(u64, Duration),
}

/// A future with its lot. `None`: it died.
pub(super) struct Worker<F> {
    inner: Pin<Box<F>>,
    lot: Lot,
    is_doomed: Arc<AtomicBool>,
    polls: u64,
    frozen: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Worker<F> {
    pub(super) fn new(inner: F, lot: Lot, is_doomed: Arc<AtomicBool>) -> Self {
        Self { inner: Box::pin(inner), lot, is_doomed, polls: 0, frozen: None }
    }
}

impl<F: Future> Future for Worker<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls += 1;
        match self.lot {
            Lot::Dies(polls) if self.polls > polls => return Poll::Ready(None),
            Lot::Freezes(polls, duration) if self.polls > polls => {
                self.lot = Lot::Lives;
                self.frozen = Some(Box::pin(sleep(duration)));
            }
            _ => {}
        }
        if let Some(frozen) = &mut self.frozen {
            if frozen.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.frozen = None;
        }
        let polled = self.inner.as_mut().poll(cx).map(Some);
        if self.is_doomed.load(Ordering::SeqCst) { Poll::Ready(None) } else { polled }
    }
}
