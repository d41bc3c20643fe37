//! What a job may ask and move at its two ends, by the hour, and what of it is one worker's.
//!
//! Rates are those of the whole fleet. [`Calendar`] says which are in force at an instant; [`shares`]
//! divides them.

mod admission;
mod calendar;
pub mod shares;
mod zone;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use admission::Admission;
pub use calendar::{Calendar, Day, Window};
pub use zone::TimeZone;

/// Caps of one end. No limit where `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Bytes of objects a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Requests a second, listings too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u64>,
}

impl Rates {
    /// Whether nothing is capped.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// These, and those of `other` where these name none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            bytes_per_second: self.bytes_per_second.or(other.bytes_per_second),
            requests_per_second: self.requests_per_second.or(other.requests_per_second),
        }
    }

    /// The lower of each.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        let lower = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            bytes_per_second: lower(self.bytes_per_second, other.bytes_per_second),
            requests_per_second: lower(self.requests_per_second, other.requests_per_second),
        }
    }
}

/// What is in force now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// At the source.
    pub source: Rates,
    /// At the target.
    pub target: Rates,
    /// Whether nothing new is copied.
    pub closed: bool,
    /// When something else is in force; `None` where nothing ever is.
    pub until: Option<Timestamp>,
}

impl InForce {
    /// No caps, for ever.
    pub const NOTHING: Self = {
        let none = Rates { bytes_per_second: None, requests_per_second: None };
        Self { source: none, target: none, closed: false, until: None }
    };

    /// Whether nothing is capped at either end.
    pub fn is_unlimited(&self) -> bool {
        self.source.is_unlimited() && self.target.is_unlimited()
    }
}
