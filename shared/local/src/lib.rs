//! One machine: a folder as source, SQLite as table and queue.

pub mod database;
pub mod folder;
pub mod presence;
pub mod queue;
pub mod table;

pub use database::Database;
pub use folder::FolderSource;
pub use presence::Presence;
pub use queue::SqliteQueue;
pub use table::SqliteTable;
