//! OSS: its signatures and its operations.

pub mod sign;
pub mod sign_v1;
