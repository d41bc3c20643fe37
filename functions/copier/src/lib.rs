//! The copier function: moves a task, proves it, records it.
