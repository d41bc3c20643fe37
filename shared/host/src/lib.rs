//! What every host of planner and copier needs, whatever invokes them.
//!
//! - [`Workshop`]: one planner or copier for each definition of a job, and their messages dealt with.
//! - [`Passes`]: passes begun on a trigger, and swept.
//! - [`RateKeeper`]: this process's share of a job's rates.
//! - [`Station`]: the loop over a queue of a host that receives by itself.
//!
//! A host only translates: this crate knows neither what invokes it nor what it makes.

mod answer;
mod asked;
mod call;
pub mod logs;
mod metrics;
mod passes;
mod rates;
mod slots;
mod station;
mod work;
mod workshop;

pub use answer::{SweepAnswer, SweptPass, TriggerAnswer, TriggerOutcome};
pub use asked::{AskError, Asked, TriggerEvent};
pub use call::Call;
pub use metrics::{Metric, Metrics};
pub use passes::{AskedPass, PassMaker, Passes};
pub use rates::{RateKeeper, Rated};
pub use slots::Slots;
pub use station::{Activity, Station, Terms};
pub use workshop::{Found, Made, Make, Parts, Workshop, WorkshopError};
