//! Alibaba Cloud: OSS as target and as source.

pub mod oss;
