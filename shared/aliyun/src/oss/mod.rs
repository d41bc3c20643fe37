//! OSS: its signatures and its operations.

mod along;
mod bucket;
mod client;
mod error;
mod list;
mod metadata;
mod multipart;
mod object;
mod restore;
pub mod sign;
pub mod sign_v1;
mod website;

pub use bucket::{BucketInfo, Versioning};
pub use client::{OssClient, OssOptions};
pub use error::classify;
pub(crate) use list::PAGE_KEYS_MAX;
pub use website::{MirrorAuth, MirrorRule, ROUTING_RULES_MAX, Website, WebsiteRefusal};
