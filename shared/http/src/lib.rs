//! The one HTTP lane for listings and object bytes, at both ends: a request goes out byte for byte
//! as it was signed, bodies stream with their length proved, and an adaptive pace stands before it.

mod answered;
mod credentials;
mod date;
mod endpoint;
mod lane;
mod listed_keys;
mod named;
mod pace;
pub mod percent;
mod refreshed;
mod request_body;
mod resolver;
mod response;
mod retry;
mod secure;
mod tag_set;
mod token_bucket;
pub mod xml;

pub use answered::{Answered, kind_of_status};
pub use credentials::{Credentials, CredentialsProvider, Identity, StaticCredentials};
pub use date::{format_http_date, parse_http_date};
pub use endpoint::Endpoint;
pub use lane::{Lane, LaneBody, LaneOptions, LaneRequest};
pub use listed_keys::{BrokenEscape, ListedKeys};
pub use named::named;
pub use pace::{Pace, PaceOptions, Permit, Usage};
pub use refreshed::{FetchCredentials, Fetched, RefreshedCredentials};
pub use response::{LaneResponse, content_range};
pub use retry::{RetryPolicy, asked_pause, retry, retry_while};
pub use tag_set::{TAG_SET_BYTES_MAX, read_tag_set};
