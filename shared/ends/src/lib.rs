//! The two ends of a job as every host opens them: source and target with the job's limits and
//! credentials.

mod credentials;
mod ends;
mod paces;

use std::sync::Arc;

use ossferry_aliyun::openapi::KmsSecrets;
use ossferry_aws::{AwsSettings, FunctionSettings, ToolSettings};
use ossferry_core::error::PortError;
use ossferry_core::time::Clock;
use ossferry_http::CredentialsProvider;

pub use ends::{SourceEnd, source_end, source_key, target_client, target_end};
pub use ossferry_aws::Variables;
pub use paces::Paces;

/// What only a binary may read, handed down.
#[derive(Clone)]
pub struct Surroundings {
    /// The local clock.
    pub clock: Clock,
    /// The environment.
    pub variables: Variables,
    /// What AWS's own tools would use here.
    pub aws: Arc<dyn AwsSettings>,
    /// Where Function Compute is the host.
    pub function: Option<FunctionRole>,
}

impl Surroundings {
    /// Of a function, which knows of AWS only what stands in its environment.
    pub fn of_function(clock: Clock, variables: Variables) -> Self {
        let aws = Arc::new(FunctionSettings::new(Arc::clone(&variables)));
        Self { clock, variables, aws, function: None }
    }

    /// Of a machine, where AWS's own tools may have left profiles and keys.
    pub fn of_machine(clock: Clock, variables: Variables) -> Self {
        let aws = Arc::new(ToolSettings::new(Arc::clone(&clock)));
        Self { clock, variables, aws, function: None }
    }
}

/// What the role of a function of Function Compute opens.
#[derive(Clone)]
pub struct FunctionRole {
    /// The role's own credentials.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// Secrets that it may read.
    pub secrets: Arc<KmsSecrets>,
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
    /// The job file takes credentials from where only a function of Function Compute finds them.
    #[error(
        "{end}: only a function of Function Compute can use the credentials of {end}.credentials: \
         name environment variables with from = \"env\", or run it there"
    )]
    NoFunction {
        /// `source` or `target`.
        end: &'static str,
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
