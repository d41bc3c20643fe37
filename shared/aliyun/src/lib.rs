//! Alibaba Cloud: OSS as target and as source.

pub mod oss;
mod source;
mod target;

pub use source::OssSource;
pub use target::OssTarget;
