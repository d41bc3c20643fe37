//! Alibaba Cloud: OSS as target and as source.

mod account;
mod mac;
pub mod oss;
mod sentence;
mod source;
mod target;
mod xml;

pub use source::OssSource;
pub use target::OssTarget;
