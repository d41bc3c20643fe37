//! The rows of the ledger and the pure transitions of each: what may be written over what.

mod cutover;
mod job;
mod list;
mod mirror;
mod pass;
mod place;
mod range;
mod rate;
mod reminder;
mod slice;
mod task;
mod upload;

pub use cutover::{CutoverRow, CutoverStep, MirrorWish};
pub use job::{DeployedRow, JobRow, PassIndexRow, Switched};
pub use list::ListRow;
pub use mirror::{MirrorRow, MirrorState};
pub use pass::{OutstandingRow, PassKind, PassRow, PassState, PassTotals};
pub use place::PlaceRow;
pub use range::{PartResult, RangeRow, RangeState};
pub use rate::{ClosedWindows, RateRow, RatesRow};
pub use reminder::Reminder;
pub use slice::{
    Child, DirectoryRow, FAILED_HOPS_MAX, IDLE_HOPS_MAX, Progress, SliceClaim, SliceRow,
    SliceState, SplitRefused,
};
pub use task::{TaskKind, TaskRow, TaskState};
pub use upload::{
    AbortReason, AtTarget, Found, NextAttempt, Opened, OpeningTurn, RangeTurn, UploadDue,
    UploadRow, UploadState,
};
