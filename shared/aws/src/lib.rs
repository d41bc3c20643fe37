//! Sources of the S3 family: Amazon S3, Tencent COS, and every store that speaks like S3. And what AWS
//! holds a ledger in: SQS as queue, `DynamoDB` as table.
//!
//! Listings, HEADs and GETs are signed here and sent over the common HTTP lane, because the SDK costs
//! several times as much for small objects and listings. So are the few rare calls to other services
//! ([`api`]). The SDK finds credentials, asks what is asked once a job, and speaks to queue and table.

mod along;
mod answer;
pub mod api;
mod continuation;
mod error;
mod kind;
mod list;
mod list_xml;
mod place;
mod preflight;
mod queue;
mod sdk;
mod sdk_client;
mod settings;
mod signer;
pub mod sigv4;
mod source;
mod table;
mod tool_settings;
mod usage;
mod wire;

pub use error::classify;
pub use kind::S3Kind;
pub use list::ListVersion;
pub use preflight::{Preflight, Versioning};
pub use queue::SqsQueue;
pub use sdk_client::http_client;
pub use settings::{AwsSettings, FunctionSettings, Variables};
pub use source::{S3Options, S3Source};
pub use table::{DynamoTable, item_bytes, read_units, write_units};
pub use tool_settings::ToolSettings;
pub use usage::queue_requests;
