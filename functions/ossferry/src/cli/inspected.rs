//! Arguments of `inspect`.

use clap::{Args, Subcommand};
use ossferry_core::fidelity::Property;
use ossferry_core::outcome::Outcome;

use super::JobArgument;

/// Of `inspect`.
#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// What of it
    #[command(subcommand)]
    pub(crate) what: Inspected,
    /// One JSON object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Which pass, in place of the newest
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) pass: Option<String>,
}

/// What to inspect.
#[derive(Subcommand, Debug)]
pub(crate) enum Inspected {
    /// Every pass, oldest first
    Passes,
    /// The key ranges of a pass
    Slices,
    /// The tasks of a pass
    Tasks,
    /// The failed objects of a pass, each with its cause
    Failures,
    /// The failed, deferred, archived and unsupported objects of a pass, each with its cause
    LeftBehind,
    /// The planned objects of a pass, of one outcome or of several, or by how copies depart from their sources
    Objects {
        /// As reports spell it: `--outcome different --outcome missing`; without it every one
        #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
        outcome: Vec<Outcome>,
        /// Copies that lack this property of their source, or some of it: `--dropped tags`
        #[arg(long, value_name = "PROPERTY", value_parser = property)]
        dropped: Vec<Property>,
        /// Copies that have this property in another form: `--mapped storage-class`
        #[arg(long, value_name = "PROPERTY", value_parser = property)]
        mapped: Vec<Property>,
    },
    /// What the newest pass that planned this key says of it
    Key {
        /// At the source, spelled as reports spell it (%XX)
        #[arg(value_name = "KEY")]
        key: String,
    },
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let named = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
    let all = || Outcome::ALL.map(Outcome::as_str).join(", ");
    named.ok_or_else(|| format!("want one of {}", all()))
}

fn property(text: &str) -> Result<Property, String> {
    let named = Property::ALL.into_iter().find(|property| property.as_str() == text);
    let all = || Property::ALL.map(Property::as_str).join(", ");
    named.ok_or_else(|| format!("want one of {}", all()))
}
