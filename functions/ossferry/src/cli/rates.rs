//! The words of `limits`.

use clap::{Args, Subcommand};

use super::JobArgument;
use crate::amount;

/// What a row of the table holds.
const RATE_MAX: u64 = i64::MAX.unsigned_abs();

/// Of `limits`.
#[derive(Subcommand, Debug)]
pub(crate) enum LimitsAction {
    /// What is in force now, since when, until when, and what workers hold of it
    Show {
        /// Which job
        #[command(flatten)]
        job: JobArgument,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Sets limits in place of those of the job file; what is not named stays as it was set
    Set(SetLimits),
}

/// Of `limits set`.
#[derive(Args, Debug)]
pub(crate) struct SetLimits {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// Bytes a second at the source: a number, a rate as in 25MB/s or 200Mbit/s, or `none`
    #[arg(long, value_name = "RATE", value_parser = rate_of_bytes)]
    pub(crate) source_bytes: Option<u64>,
    /// Requests a second at the source, or `none`
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) source_requests: Option<u64>,
    /// Bytes a second at the target: a number, a rate as in 25MB/s or 200Mbit/s, or `none`
    #[arg(long, value_name = "RATE", value_parser = rate_of_bytes)]
    pub(crate) target_bytes: Option<u64>,
    /// Requests a second at the target, or `none`
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) target_requests: Option<u64>,
    /// Copy although a window of the job file is closed
    #[arg(long)]
    pub(crate) open: bool,
    /// Forget what was set before: the job file holds again, save for what is named here
    #[arg(long)]
    pub(crate) clear: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl SetLimits {
    /// Whether nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        let rates =
            [self.source_bytes, self.source_requests, self.target_bytes, self.target_requests];
        rates.iter().all(Option::is_none) && !self.open && !self.clear
    }
}

/// Zero stands for no limit.
fn rate(text: &str) -> Result<u64, String> {
    if text == "none" {
        return Ok(0);
    }
    text.parse()
        .ok()
        .filter(|rate| (1..=RATE_MAX).contains(rate))
        .ok_or_else(|| "want a whole number from 1, without unit, or none".to_owned())
}

/// [`rate`], of bytes: also as it is written of a line.
fn rate_of_bytes(text: &str) -> Result<u64, String> {
    rate(text).or_else(|_| amount::rate(text)).ok().filter(|rate| *rate <= RATE_MAX).ok_or_else(
        || {
            "want bytes a second: a whole number, a rate as in 200Mbit/s or 25MB/s, or none"
                .to_owned()
        },
    )
}
