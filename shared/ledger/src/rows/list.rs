//! The row of a compressed list: the objects of a task, or what one claim recorded of them.

use serde::{Deserialize, Serialize};

use crate::codec::TypedRow;
use crate::lease::{Change, LeaseLost};

/// `objects` and `result/<fence>`: a compressed list stands in the blob.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ListRow {
    /// The planner's or copier's fence: a list written under a lower one may be written over.
    pub fence: u64,
    /// Entries in it.
    pub entries: u64,
}

impl TypedRow for ListRow {}

impl ListRow {
    /// Puts this list: over one of a lower or the same fence, never over a higher one.
    pub fn put_over(&self, stored: Option<&Self>) -> Result<Change<Self, ()>, LeaseLost> {
        match stored {
            Some(stored) if stored.fence > self.fence => Err(LeaseLost { fence: stored.fence }),
            _ => Ok(Change::Write(self.clone(), ())),
        }
    }
}
