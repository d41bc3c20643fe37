//! A list of URLs as source: each object is what its URL gives, under the key that the list names.
//!
//! What a list names may lead anywhere, so that every host's addresses are looked up once, judged, and
//! kept: nothing is asked of a private network, this machine, or a cloud's metadata service unless the
//! job file allows it by name.

mod addresses;
mod answer;
mod fetched;
mod hosts;
mod index;
mod lines;
mod manifest;
mod pin;
mod source;
mod url;

pub use source::{UrlOptions, UrlSource};
