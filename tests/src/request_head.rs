//! The head of a request as it goes over a socket.

use std::fmt::Write as _;

use http::HeaderMap;

/// Everything up to the empty line, and that.
pub(crate) fn request_head(method: &str, target: &str, headers: &HeaderMap) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        let value = value.to_str().expect("a header of plain text");
        write!(head, "{name}: {value}\r\n").expect("a String takes every write");
    }
    head.push_str("\r\n");
    head
}
