//! A bucket of Google Cloud Storage as source, by its JSON interface and with a service account's key.
//!
//! Two operations are needed, and stand on the lane that carries every other store's objects; the key
//! signs by the cryptography that TLS links already.

mod account;
mod error;
mod list;
mod resource;
mod source;
mod token;
mod wire;

pub use source::{GcsOptions, GcsSource};
pub use token::ServiceAccountTokens;
