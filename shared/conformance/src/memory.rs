//! Adapters in memory that pass every suite here: for tests in which nothing may depend on a socket, a
//! disk or a thread.

mod bucket;
mod ends;
mod table;

pub use bucket::{MemoryBucket, Published};
pub use table::MemoryTable;
