//! What follows from an error, for an object and for a part alike.

use std::fmt;

use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::outcome::Outcome;

/// Where something went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Source,
    Target,
}

/// An error of one of the two stores.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) side: Side,
    pub(crate) error: PortError,
}

impl Trouble {
    pub(crate) fn source(error: PortError) -> Self {
        Self { side: Side::Source, error }
    }

    pub(crate) fn target(error: PortError) -> Self {
        Self { side: Side::Target, error }
    }

    /// The target does not hold the bytes that passed.
    pub(crate) fn wrong_bytes(what: impl Into<String>) -> Self {
        Self::target(PortError::new(ErrorKind::DigestMismatch, what))
    }

    /// The source answered with something else than was asked for.
    pub(crate) fn bad_source(what: impl Into<String>) -> Self {
        Self::source(PortError::new(ErrorKind::BadAnswer, what))
    }

    /// The target's answers do not fit together; nothing was changed.
    pub(crate) fn bad_target(what: impl Into<String>) -> Self {
        let error = PortError::new(ErrorKind::BadAnswer, what);
        Self::target(error.concluding(Conclusion::NotDone))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Source => "source",
            Side::Target => "target",
        };
        write!(f, "{side}: {}", self.error)
    }
}

/// What to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reaction {
    /// The answer will not change.
    Record(Outcome),
    /// The source's object is another one now: take that, from the start.
    Changed,
    /// Something is under the key: find out whether it is what was to be put there.
    LookAtTarget,
    /// The upload is not there any more.
    UploadGone,
    /// The target holds, or was sent, other bytes than the source's: take them again.
    WrongBytes,
    /// Try again. Writing the same bytes twice is harmless.
    Again,
    /// There is no time left for it.
    Back,
    /// No object will fare better.
    StopPass,
}

/// The one place where errors become decisions.
pub(crate) fn reaction(trouble: &Trouble) -> Reaction {
    let error = &trouble.error;
    if error.kind.concerns_every_object() {
        return Reaction::StopPass;
    }
    match (trouble.side, error.kind) {
        (Side::Source, ErrorKind::NoSuchKey) => Reaction::Record(Outcome::Gone),
        (Side::Source, ErrorKind::Archived) => Reaction::Record(Outcome::Archived),
        (Side::Source, ErrorKind::PreconditionFailed) => Reaction::Changed,
        (Side::Target, ErrorKind::Unsupported) => Reaction::Record(Outcome::Unsupported),
        (Side::Target, ErrorKind::AlreadyExists) => Reaction::LookAtTarget,
        (Side::Target, ErrorKind::NoSuchUpload) => Reaction::UploadGone,
        (_, ErrorKind::DigestMismatch) => Reaction::WrongBytes,
        (_, ErrorKind::Deadline) => Reaction::Back,
        _ if error.is_transient() => Reaction::Again,
        _ => Reaction::Record(Outcome::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_one_consequence() {
        use ErrorKind as K;
        use Reaction as R;
        use Side::{Source, Target};
        for (side, kind, want) in [
            (Source, K::NoSuchKey, R::Record(Outcome::Gone)),
            (Source, K::Archived, R::Record(Outcome::Archived)),
            (Source, K::PreconditionFailed, R::Changed),
            (Source, K::AccessDenied, R::Record(Outcome::Failed)),
            (Source, K::AccountRefused, R::StopPass),
            (Source, K::NoSuchBucket, R::StopPass),
            (Source, K::BadAnswer, R::Again),
            (Source, K::Storage, R::Again),
            (Source, K::Other, R::Record(Outcome::Failed)),
            (Target, K::Unsupported, R::Record(Outcome::Unsupported)),
            (Target, K::AlreadyExists, R::LookAtTarget),
            (Target, K::NoSuchUpload, R::UploadGone),
            (Target, K::DigestMismatch, R::WrongBytes),
            (Target, K::Throttled, R::Again),
            (Target, K::Timeout, R::Again),
            (Target, K::ServerError, R::Again),
            (Target, K::Deadline, R::Back),
            (Target, K::ClockSkew, R::StopPass),
            (Target, K::NoSuchKey, R::Record(Outcome::Failed)),
            (Target, K::AccessDenied, R::Record(Outcome::Failed)),
        ] {
            let trouble = Trouble { side, error: PortError::new(kind, "get") };
            assert_eq!(reaction(&trouble), want, "{side:?} {kind:?}");
        }
    }
}
