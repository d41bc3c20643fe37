//! Alibaba Cloud: OSS as target and as source, Simple Message Queue as queue.

mod account;
mod mac;
pub mod oss;
mod queue;
mod sentence;
pub mod smq;
mod source;
mod target;
mod xml;

pub use queue::SmqQueue;
pub use source::OssSource;
pub use target::OssTarget;
