//! What only `main` may read, handed down.

use ossferry_core::time::{Clock, Timestamp};
use ossferry_ends::Surroundings;

/// Clock, environment and terminal of this process.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Clock and environment.
    pub(crate) around: Surroundings,
    /// Whether somebody watches standard error.
    pub(crate) is_terminal: bool,
}

impl Machine {
    /// The local clock.
    pub(crate) fn clock(&self) -> Clock {
        Clock::clone(&self.around.clock)
    }

    /// What it shows.
    pub(crate) fn now(&self) -> Timestamp {
        (self.around.clock)()
    }
}
