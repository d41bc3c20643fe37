//! XML of answers and of request bodies.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use quick_xml::Reader;
use quick_xml::events::Event;

/// What `encoding-type=url` leaves as it is: letters, digits and `-_.~`.
const URL_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes as `encoding-type=url` asks.
pub(crate) fn url_encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, URL_ENCODED).to_string()
}

/// Writes one document, front to back.
pub struct XmlWriter {
    text: String,
    encode_urls: bool,
}

impl XmlWriter {
    /// Begins a document. `encode_urls`: [`XmlWriter::name`] percent-encodes.
    pub fn new(encode_urls: bool) -> Self {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        Self { text, encode_urls }
    }

    /// An element around what `inside` writes.
    pub fn within(&mut self, tag: &str, inside: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{tag}>");
        inside(self);
        let _ = write!(self.text, "</{tag}>");
    }

    /// The root element of a namespace around what `inside` writes.
    pub fn within_namespace(&mut self, tag: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{tag} xmlns=\"{namespace}\">");
        inside(self);
        let _ = write!(self.text, "</{tag}>");
    }

    /// An element that holds text.
    pub fn text(&mut self, tag: &str, value: &str) {
        let _ = write!(self.text, "<{tag}>");
        push_escaped(&mut self.text, value);
        let _ = write!(self.text, "</{tag}>");
    }

    /// An element that holds a number or another plain value.
    pub fn value(&mut self, tag: &str, value: impl std::fmt::Display) {
        let _ = write!(self.text, "<{tag}>{value}</{tag}>");
    }

    /// An element that holds a key, a prefix, a marker or a delimiter.
    pub(crate) fn name(&mut self, tag: &str, bytes: &[u8]) {
        if self.encode_urls {
            let _ = write!(self.text, "<{tag}>{}</{tag}>", percent_encode(bytes, URL_ENCODED));
        } else {
            self.text(tag, &String::from_utf8_lossy(bytes));
        }
    }

    /// An ETag in quotes, as listings carry it.
    pub(crate) fn etag(&mut self, etag: &str) {
        let _ = write!(self.text, "<ETag>\"{etag}\"</ETag>");
    }

    /// The document.
    pub fn finish(self) -> String {
        self.text
    }
}

fn push_escaped(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// An element of a request body, in the order in which elements end.
#[derive(PartialEq, Eq, Debug)]
pub struct Element {
    /// Names from the root, joined with `/`.
    pub path: String,
    /// Its own text, entities resolved. Empty where it holds elements.
    pub text: String,
}

/// The body is not XML that OSS would read.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Every element of a request body. White space around text is dropped only between elements.
pub fn elements(body: &[u8]) -> Result<Vec<Element>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
    let mut reader = Reader::from_str(text);
    let (mut found, mut path, mut texts) = (Vec::new(), String::new(), Vec::new());
    loop {
        match reader.read_event().map_err(|_| Malformed)? {
            Event::Start(start) => {
                enter(&mut path, start.name().0);
                texts.push(String::new());
            }
            Event::Empty(start) => {
                enter(&mut path, start.name().0);
                found.push(Element { path: path.clone(), text: String::new() });
                leave(&mut path);
            }
            Event::End(_) => {
                let text = texts.pop().ok_or(Malformed)?;
                let text = if text.trim().is_empty() { String::new() } else { text };
                found.push(Element { path: path.clone(), text });
                leave(&mut path);
            }
            Event::Text(piece) => push_text(&mut texts, &piece)?,
            Event::CData(piece) => push_text(&mut texts, &piece)?,
            Event::GeneralRef(name) => {
                let entity = format!("&{};", &*name);
                let piece = quick_xml::escape::unescape(&entity).map_err(|_| Malformed)?;
                push_text(&mut texts, &piece)?;
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if texts.is_empty() && !found.is_empty() { Ok(found) } else { Err(Malformed) }
}

fn push_text(texts: &mut [String], piece: &str) -> Result<(), Malformed> {
    match texts.last_mut() {
        Some(text) => text.push_str(piece),
        None if piece.trim().is_empty() => {}
        None => return Err(Malformed),
    }
    Ok(())
}

fn enter(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(name);
}

fn leave(path: &mut String) {
    path.truncate(path.rfind('/').unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_with_its_entities_and_its_order() {
        let body =
            b"<?xml version=\"1.0\"?>\n<A>\n <B><K>a &amp; b</K><V/></B> <C>&#x31; 2</C>\n</A>\n";
        let found = elements(body).unwrap();
        let seen: Vec<_> = found.iter().map(|e| (e.path.as_str(), e.text.as_str())).collect();
        assert_eq!(
            seen,
            [("A/B/K", "a & b"), ("A/B/V", ""), ("A/B", ""), ("A/C", "1 2"), ("A", "")]
        );
        for wrong in [&b""[..], b"text", b"<A>", b"<A></B>", b"<A>\xff</A>", b"<A/>x"] {
            assert_eq!(elements(wrong), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_escaped_or_encoded_as_the_listing_asks() {
        for (encode, written) in
            [(true, "<Key>a%2F%26%01%2B~</Key>"), (false, "<Key>a/&amp;&#1;+~</Key>")]
        {
            let mut xml = XmlWriter::new(encode);
            xml.name("Key", b"a/&\x01+~");
            assert!(xml.finish().ends_with(written), "{written}");
        }
    }
}
