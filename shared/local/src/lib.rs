//! One machine: a folder as source, SQLite as table and queue.
