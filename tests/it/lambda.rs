//! The functions of AWS Lambda as processes, over queues of SQS and a table of `DynamoDB`.

mod events;
mod faults;
mod limits;
pub(crate) mod passes;
mod secrets;
mod triggers;
