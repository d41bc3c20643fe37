//! A bucket of UPYUN as source, by its REST interface, which knows files in folders.
//!
//! It is written by the interface's documents and by what UPYUN's own SDKs do; no such bucket was at hand.
//! <https://help.upyun.com/knowledge-base/rest_api/>

mod answer;
mod error;
mod folder;
mod position;
mod sign;
mod source;
mod wire;

pub use source::{UpyunOptions, UpyunSource};
