//! Pieces of work side by side inside one invocation: nothing is spawned, nothing outlives it.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{sleep_until, timeout_at};

use crate::session::Session;

/// How to go on after a piece has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Onward {
    /// Begin the next.
    Start,
    /// Begin nothing new, let the rest end.
    Drain,
    /// Drop the rest.
    Cut,
}

/// How much may be at work at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Objects or parts.
    pub(crate) pieces_max: usize,
    /// Claims of the same work so far that moved nothing.
    pub(crate) fruitless: u64,
}

/// Begins each piece in order, as many at once as the load, the line and the process's permits allow,
/// and hands what came of it to `landed` as it ends: `None` of one that was dropped when the
/// invocation's time was up. `bytes_of` is how much a piece moves.
///
/// Nothing is begun once the invocation is closing, nor what would not end in the time that is left,
/// save the first.
pub(crate) async fn fly<T: Copy, R, F: Future<Output = R>>(
    session: &Session,
    load: Load,
    pieces: impl IntoIterator<Item = T>,
    bytes_of: impl Fn(T) -> u64,
    work: impl Fn(T) -> F,
    mut landed: impl FnMut(T, Option<R>) -> Onward,
) {
    let mut pieces = pieces.into_iter();
    let mut next = pieces.next();
    let mut running = FuturesUnordered::new();
    let (mut in_flight_bytes, mut cut_off_bytes) = (0, 0);
    let (mut begins, mut has_begun) = (true, false);
    loop {
        begins &= next.is_some() && !session.is_closing();
        let fits = next.is_some_and(|piece| {
            let bytes = bytes_of(piece).saturating_add(in_flight_bytes);
            !has_begun || bytes <= session.bytes_at_once(load.fruitless)
        });
        if !fits && running.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            permit = Arc::clone(&session.in_flight).acquire_owned(),
                if begins && fits && running.len() < load.pieces_max =>
            {
                let Ok(permit) = permit else {
                    // The host is shutting down.
                    begins = false;
                    continue;
                };
                let Some(piece) = next.take() else { continue };
                next = pieces.next();
                has_begun = true;
                in_flight_bytes += bytes_of(piece);
                let ended = timeout_at(session.cut_off_at, work(piece));
                running.push(async move {
                    let ended = ended.await.ok();
                    drop(permit);
                    (piece, ended)
                });
            }
            Some((piece, ended)) = running.next(), if !running.is_empty() => {
                in_flight_bytes -= bytes_of(piece);
                if ended.is_none() {
                    cut_off_bytes += bytes_of(piece);
                }
                match landed(piece, ended) {
                    Onward::Start => {}
                    Onward::Drain => begins = false,
                    Onward::Cut => break,
                }
            }
            // Without a permit to be had and with nothing running there is nothing else to wait for.
            () = sleep_until(session.closing_at), if begins => {}
            else => break,
        }
    }
    session.learn_line(cut_off_bytes);
}
