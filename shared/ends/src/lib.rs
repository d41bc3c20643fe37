//! The two ends of a job as every host opens them: source and target with the job's limits and
//! credentials.

mod credentials;
mod ends;

use std::sync::Arc;

use ossferry_core::error::PortError;
use ossferry_core::time::Clock;

pub use ends::{SourceEnd, source_end, target_client, target_end};

/// Reads an environment variable.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What only a binary may read, handed down.
#[derive(Clone)]
pub struct Surroundings {
    /// The local clock.
    pub clock: Clock,
    /// The environment.
    pub variables: Variables,
}

/// Why an end cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EndError {
    /// An environment variable that the job file names holds nothing.
    #[error(
        "{end}: the environment variable {variable} is not set; set it, or name another one in \
         {end}.credentials"
    )]
    VariableMissing {
        /// `source` or `target`.
        end: &'static str,
        /// Its name.
        variable: String,
    },
    /// An end cannot be addressed as the job file says, or does not answer.
    #[error("{end}: {error}")]
    End {
        /// `source` or `target`.
        end: &'static str,
        /// What the adapter said.
        error: PortError,
    },
}
