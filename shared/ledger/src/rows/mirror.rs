//! The row of a job's mirror rule: what stood in the bucket before it.

use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;

/// `TurningOn` ─► `On` ─► `Off` ─► `TurningOn`. Names are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MirrorState {
    /// What stood before is kept; the rule may have been written or not.
    TurningOn,
    /// The bucket held the rule when it was looked at.
    On,
    /// The bucket was put back, or the rule was taken out of it.
    Off,
}

impl MirrorState {
    /// The word in rows and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TurningOn => "turning-on",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// `mirror`: the mirror rule of a job, and what it takes to put its bucket back as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MirrorRow {
    /// What was done last.
    pub state: MirrorState,
    /// The bucket.
    pub bucket: String,
    /// Of the rule in the bucket's website configuration.
    pub rule_number: u64,
    /// Where the rule fetches.
    pub url: String,
    /// The configuration before the rule, as the bucket gave it; `None` where there was none. Never one
    /// that holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Digest of the configuration that stood after the rule was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The ledger's clock when this was written.
    pub at: Timestamp,
}

impl TypedRow for MirrorRow {}
