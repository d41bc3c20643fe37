//! Interrupt (Ctrl-C) and termination.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Exit status of a command that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// The first signal asks for a clean stop; the second ends the process at once, which is safe: the
/// ledger is whole at any instant.
#[derive(Clone)]
pub(crate) struct Interrupts(watch::Receiver<bool>);

impl Interrupts {
    /// Listens from here on, in the current tokio runtime.
    pub(crate) fn listen() -> Result<Self, io::Error> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            tell.send_replace(true);
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(i32::from(INTERRUPTED));
        });
        Ok(Self(told))
    }

    /// Returns after the first signal.
    pub(crate) async fn first(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|interrupted| *interrupted).await.is_err() {
            // Nobody listens any more: the runtime is ending.
            std::future::pending::<()>().await;
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
