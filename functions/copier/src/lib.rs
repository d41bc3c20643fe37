//! The copier: claims a batch of objects or a range of a large one, streams each from the source to the
//! target, proves what it moved, and records it.
//!
//! A host hands [`Copier::handle`] one message and the invocation's deadline. Nothing that the call
//! begins outlives it, and whatever it leaves undone stands in the ledger with a message of its own.

mod audit;
mod batch;
mod complete;
mod completion;
mod copier;
mod doubt;
mod flight;
mod giving_up;
mod hosted;
mod line;
mod object;
mod parts;
mod proof;
mod reaction;
mod reading;
mod session;
mod tap;

pub use copier::{Copier, CopierOptions, CopierParts, CopyError};
