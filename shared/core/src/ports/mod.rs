//! The four ports: where objects come from, where they go, what hands out work, what remembers it.
//!
//! Every adapter of a port passes the same suite in `ossferry-conformance`.

mod queue;
mod source;
mod table;
mod target;

pub use queue::{Delivery, Outgoing, Queue, Receipt, Sent};
pub use source::{
    ListRequest, ListStart, ListingOrder, ObjectBody, OpenObject, Page, Restoration, Source,
    SourceProfile,
};
pub use table::{Condition, Row, RowPage, Table, Value, Written};
pub use target::{
    ListedPart, ListedUpload, PutAnswer, PutOptions, Target, TargetProfile, UploadedPart,
};
