//! What a port's error lets its caller conclude.

use std::fmt;
use std::time::Duration;

/// What is known about the world after a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The service said no. Asking again gets the same answer.
    Refused,
    /// Nothing changed. A later attempt may succeed.
    NotDone,
    /// The request may have taken effect. Only a read can tell.
    Unknown,
}

/// What went wrong, in words that every store shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object is not there (404).
    NoSuchKey,
    /// The bucket is not there. Concerns every object.
    NoSuchBucket,
    /// The upload id is unknown: completed, aborted or never begun.
    NoSuchUpload,
    /// This request was refused for lack of rights (403).
    AccessDenied,
    /// The account was refused: unknown or disabled key, wrong signature, overdue. Concerns every object.
    AccountRefused,
    /// A pin or condition did not hold (412): the object is not the one that was asked for.
    PreconditionFailed,
    /// The object is archived and must be restored before it can be read.
    Archived,
    /// The object is archived, and being restored since somebody asked for it (409).
    Restoring,
    /// The object exists and the request forbade overwriting it (409).
    AlreadyExists,
    /// The store cannot hold this key or this size.
    Unsupported,
    /// The store computed another digest than the one sent with the bytes.
    DigestMismatch,
    /// A part list, part size or part order was refused.
    InvalidPart,
    /// Too many requests or bytes (429, 503).
    Throttled,
    /// No answer in time, or the stream stood still.
    Timeout,
    /// The connection was refused, reset or ended early.
    Connection,
    /// The service failed (5xx).
    ServerError,
    /// The local clock is too far from the service's.
    ClockSkew,
    /// The answer breaks the protocol: short body, ignored range, another object's `ETag`, unreadable XML.
    BadAnswer,
    /// A listing was not in the order its store promises.
    OutOfOrder,
    /// A listing returned the same page again.
    PageRepeated,
    /// The local disk or database failed.
    Storage,
    /// The handler's deadline came before the request could be made.
    Deadline,
    /// Anything else the service refused.
    Other,
}

impl ErrorKind {
    /// The conclusion where the adapter knows nothing better.
    pub fn usual_conclusion(self) -> Conclusion {
        match self {
            Self::NoSuchKey
            | Self::NoSuchBucket
            | Self::NoSuchUpload
            | Self::AccessDenied
            | Self::AccountRefused
            | Self::PreconditionFailed
            | Self::Archived
            | Self::Restoring
            | Self::AlreadyExists
            | Self::Unsupported
            | Self::InvalidPart
            | Self::OutOfOrder
            | Self::PageRepeated
            | Self::Other => Conclusion::Refused,
            Self::DigestMismatch | Self::Throttled | Self::ClockSkew | Self::Deadline => {
                Conclusion::NotDone
            }
            Self::Timeout
            | Self::Connection
            | Self::ServerError
            | Self::BadAnswer
            | Self::Storage => Conclusion::Unknown,
        }
    }

    /// Whether the refusal concerns the whole account or bucket, so that going on is pointless.
    pub fn concerns_every_object(self) -> bool {
        matches!(self, Self::NoSuchBucket | Self::AccountRefused | Self::ClockSkew)
    }
}

/// A call of a port that failed. Never holds a secret: adapters put in codes, not requests.
#[derive(Clone, Debug, thiserror::Error)]
pub struct PortError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What the caller may conclude.
    pub conclusion: Conclusion,
    /// A lower-case fragment: operation, then the service's own code or cause.
    pub message: String,
    /// The service's request id, for its support desk.
    pub request_id: Option<String>,
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl PortError {
    /// An error with the usual conclusion of its kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            conclusion: kind.usual_conclusion(),
            message: message.into(),
            request_id: None,
            retry_after: None,
        }
    }

    /// The same error with another conclusion.
    #[must_use]
    pub fn concluding(mut self, conclusion: Conclusion) -> Self {
        self.conclusion = conclusion;
        self
    }

    /// The same error with the service's request id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.request_id = request_id;
        self
    }

    /// Whether a later attempt of an idempotent request may succeed.
    pub fn is_transient(&self) -> bool {
        self.conclusion != Conclusion::Refused
    }

    /// Whether the request was refused for good, and only of the object that it was for.
    pub fn concerns_one_object(&self) -> bool {
        !self.is_transient() && !self.kind.concerns_every_object()
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_refusal_is_final_and_a_throttle_is_not() {
        assert!(!PortError::new(ErrorKind::AccountRefused, "sign").is_transient());
        assert!(PortError::new(ErrorKind::Throttled, "put").is_transient());
        assert_eq!(ErrorKind::Connection.usual_conclusion(), Conclusion::Unknown);
    }
}
