//! What a request asks for.

use std::collections::BTreeMap;

use http::Method;
use http::request::Parts;
use oss_emulator::xml::{Element, elements};
use ossferry_http::percent::{Plus, decode};

use crate::smq::errors::{INVALID_URL, MALFORMED_XML, Refusal};

/// A request, read.
#[derive(Debug)]
pub(crate) struct Request {
    /// As the manual names it.
    pub(crate) operation: &'static str,
    pub(crate) queue: String,
    query: BTreeMap<String, String>,
    /// Elements of the body, in the order in which they end.
    pub(crate) body: Vec<Element>,
}

impl Request {
    pub(crate) fn read(parts: &Parts, body: &[u8]) -> Result<Self, Refusal> {
        let path = parts.uri.path();
        let rest = path.strip_prefix("/queues/").ok_or(INVALID_URL)?;
        let (queue, of_messages) = match rest.split_once('/') {
            None => (rest, false),
            Some((queue, "messages")) => (queue, true),
            Some(_) => return Err(INVALID_URL),
        };
        let query = query(parts.uri.query().unwrap_or_default()).ok_or(INVALID_URL)?;
        let body = match body {
            [] => Vec::new(),
            body => elements(body).map_err(|_| MALFORMED_XML)?,
        };
        let root = body.last().map_or("", |element| element.path.as_str());
        let has = |name: &str| query.contains_key(name);
        let operation = match (&parts.method, of_messages, root) {
            (&Method::PUT, false, _) if has("metaoverride") => "SetQueueAttributes",
            (&Method::PUT, false, _) => "CreateQueue",
            (&Method::GET, false, _) => "GetQueueAttributes",
            (&Method::DELETE, false, _) => "DeleteQueue",
            (&Method::POST, true, "Message") => "SendMessage",
            (&Method::POST, true, "Messages") => "BatchSendMessage",
            (&Method::POST, true, _) => return Err(MALFORMED_XML),
            (&Method::GET, true, _) if has("peekonly") => "PeekMessage",
            (&Method::GET, true, _) if has("numOfMessages") => "BatchReceiveMessage",
            (&Method::GET, true, _) => "ReceiveMessage",
            (&Method::DELETE, true, "ReceiptHandles") => "BatchDeleteMessage",
            (&Method::DELETE, true, _) => "DeleteMessage",
            (&Method::PUT, true, _) => "ChangeMessageVisibility",
            _ => return Err(INVALID_URL),
        };
        Ok(Self { operation, queue: queue.to_owned(), query, body })
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A number of the query in its range.
    pub(crate) fn number(&self, name: &str, low: u64, high: u64) -> Result<Option<u64>, Refusal> {
        self.parameter(name).map(|text| in_range(name, text, low, high)).transpose()
    }

    /// The text of each element of this path.
    pub(crate) fn texts<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.body
            .iter()
            .filter(move |element| element.path == path)
            .map(|element| element.text.as_str())
    }
}

/// A number in its range.
pub(crate) fn in_range(name: &str, text: &str, low: u64, high: u64) -> Result<u64, Refusal> {
    let number = text.trim().parse().ok().filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| Refusal::out_of_range(name, low, high))
}

fn query(raw: &str) -> Option<BTreeMap<String, String>> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = String::from_utf8(decode(value.as_bytes(), Plus::Plus)?).ok()?;
            Some((name.to_owned(), value))
        })
        .collect()
}
