//! Simple Message Queue (SMQ, formerly MNS): its signature and the operations on one queue.
//!
//! The REST interface of 2015-06-06 (Alibaba Cloud manual, "Simple Message Queue: API reference", 2026;
//! the official Python SDK 1.3.0).

mod client;
mod error;
mod message;
pub mod sign;

pub use client::SmqOptions;
pub(crate) use client::{Answer, Call, SmqClient};
pub use error::classify;
pub use message::BodyEncoding;
pub(crate) use message::{
    MessageAsReceived, MessageCounts, is_receipt_handle, pushed, read_counts, read_extended,
    read_received, read_sent, whole_seconds,
};
