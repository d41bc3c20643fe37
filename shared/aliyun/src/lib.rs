//! Alibaba Cloud: OSS as target and as source, Simple Message Queue as queue, Tablestore as table,
//! roles that are taken without a stored key, and what starts functions and keeps secrets.

mod account;
mod mac;
pub mod openapi;
pub mod oss;
mod queue;
mod sentence;
pub mod smq;
mod source;
pub mod sts;
mod table;
pub mod tablestore;
mod target;
mod xml;

pub use queue::SmqQueue;
pub use source::OssSource;
pub use table::TablestoreTable;
pub use target::OssTarget;
