//! Lists as source. An inventory, or a list of keys, stands in for the listing of a bucket. A list of URLs names objects of any
//! server: each is what its URL gives, under the key that the list names.
//!
//! What a list of URLs names may lead anywhere, so that every host's addresses are looked up once, judged, and
//! kept: nothing is asked of a private network, this machine, or a cloud's metadata service unless the
//! job file allows it by name.

mod addresses;
mod answer;
mod fetched;
mod hosts;
mod index;
mod inventory;
mod key_list;
mod key_rows;
mod lines;
mod listed;
mod manifest;
mod pin;
mod source;
mod stored;
mod url;

pub use listed::ListedBucket;
pub use manifest::{ListFile, Manifest};
pub use source::{UrlOptions, UrlSource};
