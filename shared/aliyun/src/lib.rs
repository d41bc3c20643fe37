//! Alibaba Cloud: OSS as target and as source, and roles that are taken without a stored key.

pub mod oss;
mod source;
pub mod sts;
mod target;

pub use source::OssSource;
pub use target::OssTarget;
