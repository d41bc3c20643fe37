//! The planner over SQLite, a scripted source and a scripted target.

mod ahead;
mod auditing;
mod beginning;
mod crash;
mod crashes;
mod letting_go;
mod opening;
mod retrying;
mod serial;
mod source;
mod splitting;
mod target;
mod walking;
mod world;
