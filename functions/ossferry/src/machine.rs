//! What only `main` may read, handed down.

use std::sync::Arc;

use ossferry_core::time::Clock;

/// Reads an environment variable.
pub(crate) type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Clock, environment and terminal of this process.
#[derive(Clone)]
pub(crate) struct Machine {
    /// The local clock.
    pub(crate) clock: Clock,
    /// The environment.
    pub(crate) variables: Variables,
    /// Whether somebody watches standard error.
    pub(crate) is_terminal: bool,
}
