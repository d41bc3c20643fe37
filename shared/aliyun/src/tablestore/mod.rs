//! Tablestore (OTS): its signatures, messages and rows, and requests to one table.
//!
//! The interface of 2015-12-31 (Alibaba Cloud manual, "Tablestore: API reference", 2026; the official
//! Python SDK 6.4.8).

mod client;
mod error;
pub mod messages;
pub mod plain_buffer;
mod row;
pub mod sign;

pub use client::TablestoreOptions;
pub(crate) use client::{TablestoreClient, bad_answer};
pub use error::classify;
pub(crate) use row::{condition_of, key_of, objection, read_row, row_of};
