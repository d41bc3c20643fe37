//! What became of a planned object, in the same words everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many outcomes there are.
pub const OUTCOMES: usize = 15;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What became of a planned object. Numbers are stored: never reuse one.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        #[repr(u8)]
        pub enum Outcome { $($(#[$doc])* $name = $number,)* }

        impl Outcome {
            /// Every outcome, in the order of reports.
            pub const ALL: [Self; OUTCOMES] = [$(Self::$name,)*];

            /// The word in rows, JSON, CSV and documents.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl TryFrom<u8> for Outcome {
            type Error = String;
            fn try_from(number: u8) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$name),)*
                    _ => Err(format!("no outcome has the number {number}")),
                }
            }
        }
    };
}

outcomes! {
    /// The bytes were copied and proved.
    Copied = 1, "copied";
    /// Found equal when its turn came.
    Unchanged = 2, "unchanged";
    /// The target's own newer object was left alone.
    Kept = 3, "kept";
    /// Deleted at the source since the listing.
    Gone = 4, "gone";
    /// Changed three times while being copied, or outgrew its task: the next pass takes it.
    Deferred = 5, "deferred";
    /// Must be restored from an archive class first.
    Archived = 6, "archived";
    /// OSS cannot hold that key or size.
    Unsupported = 7, "unsupported";
    /// Every attempt failed; the reason stands beside it.
    Failed = 8, "failed";
    /// The pass was stopped or cancelled before its turn.
    NotAttempted = 9, "not-attempted";
    /// Found by an audit: the target holds what the source does.
    Equal = 10, "equal";
    /// Found by an audit: the target lacks it.
    Missing = 11, "missing";
    /// Found by an audit: the target holds something else.
    Different = 12, "different";
    /// Found by an audit: the application wrote the target's object after the switch.
    NewerAtTarget = 13, "newer-at-target";
    /// Found by an audit: only the target holds the key.
    ExtraAtTarget = 14, "extra-at-target";
    /// It changed at either end while an audit looked, which so found nothing.
    Changed = 15, "changed";
}

impl Outcome {
    /// What only an audit finds, in the order of reports.
    pub const FINDINGS: [Self; 6] = [
        Self::Equal,
        Self::Missing,
        Self::Different,
        Self::NewerAtTarget,
        Self::ExtraAtTarget,
        Self::Changed,
    ];

    /// Whether the next pass has to look at the key again without trusting dates.
    pub fn is_outstanding(self) -> bool {
        // What an audit found is for the next pass to mend, whatever the source's date says.
        let is_found = matches!(self, Self::Missing | Self::Different | Self::Changed);
        is_found
            || matches!(self, Self::Deferred | Self::Archived | Self::Failed | Self::NotAttempted)
    }

    /// Whether only an audit finds it.
    pub fn is_finding(self) -> bool {
        Self::FINDINGS.contains(&self)
    }

    /// Its place in [`Outcome::ALL`].
    pub fn index(self) -> usize {
        self as usize - 1
    }
}

impl From<Outcome> for u8 {
    fn from(outcome: Outcome) -> Self {
        outcome as Self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_are_frozen() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), index);
            assert_eq!(Outcome::try_from(u8::from(outcome)), Ok(outcome));
        }
        assert!(Outcome::try_from(0).is_err() && Outcome::try_from(16).is_err());
        assert_eq!(Outcome::FINDINGS[..], Outcome::ALL[9..], "they follow the others");
    }
}
