//! The completion table: rows, messages and every transition of pass, slice, task, upload and range.
//!
//! Transitions are pure functions of a row ([`rows`]); [`Ledger`] drives each as one conditional write
//! over the table port. A step commits by that write; what comes before it nobody sees, what comes
//! after it may be repeated.

mod beginning;
pub mod codec;
mod contents;
mod copied;
mod copying;
mod cutover;
mod deploying;
mod finishing;
pub mod ids;
mod invocation;
pub mod lease;
mod ledger;
pub mod lists;
pub mod messages;
mod moment;
mod observing;
mod places;
mod redriving;
pub mod rows;
mod sending;
mod settling;
mod sharing;
mod standing;
mod sweep;
mod uploading;
mod walking;

pub use beginning::{BeginPass, Begun};
pub use contents::{ObjectRecord, PassStatus, TaskWalk};
pub use copied::{CopiedBefore, EarlierCopy};
pub use copying::{ClaimedTask, Rest, TaskClaim, sum_of};
pub use deploying::Deployed;
pub use finishing::{Ending, check_tiling};
pub use invocation::{Handled, Handler, HandlerError, Invocation, LEASE_MARGIN};
pub use ledger::{Ledger, LedgerError};
pub use moment::Moment;
pub use observing::{Observer, Recorded};
pub use redriving::Due;
pub use settling::Branch;
pub use sharing::{Held, ShareHolder};
pub use sweep::Swept;
pub use uploading::{ClaimedRange, RangeClaim, UploadTurn};
