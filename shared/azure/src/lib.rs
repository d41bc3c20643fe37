//! A container of Azure Blob Storage as source, by its REST interface.
//!
//! Four operations are needed, and stand on the lane that carries every other store's objects: the
//! official crate brings a pipeline, a client and an XML reader of its own, and its URL type folds the
//! dot segments of a blob's name.

mod answer;
mod error;
mod list;
mod sign;
mod source;
mod wire;

pub use source::{AzureOptions, AzureSource};
