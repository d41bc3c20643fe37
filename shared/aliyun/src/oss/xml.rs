//! Walks an answer's XML once, without a tree.

use std::str::FromStr;

use ossferry_core::error::{ErrorKind, PortError};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Calls `visit` when an element ends, with the names of the elements around it and its own
/// (`Root/Child/Leaf`), and with its text where it has no children. `None` where the document is not
/// well formed or ends early, or as soon as `visit` gives it.
///
/// References to control characters are resolved though XML 1.0 forbids them: keys hold such.
pub(crate) fn walk(
    document: &[u8],
    mut visit: impl FnMut(&str, Option<&str>) -> Option<()>,
) -> Option<()> {
    let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = false;
    let mut path = String::with_capacity(64);
    let mut text = String::with_capacity(256);
    let mut is_leaf = false;
    let mut roots = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                if path.is_empty() {
                    roots += 1;
                } else {
                    path.push('/');
                }
                path.push_str(element.local_name().into_inner());
                text.clear();
                is_leaf = true;
            }
            Event::End(_) => {
                visit(&path, is_leaf.then_some(&text))?;
                is_leaf = false;
                path.truncate(path.rfind('/').unwrap_or(0));
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(reference) => text.push(resolved(&reference)?),
            Event::Eof => return (path.is_empty() && roots == 1).then_some(()),
            _ => {}
        }
    }
}

fn resolved(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok()?,
    }
}

/// A number or truth value; `None` where the text is none.
pub(crate) fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

/// The answer's body could not be read.
pub(crate) fn unreadable(operation: &'static str) -> PortError {
    PortError::new(ErrorKind::BadAnswer, format!("{operation}: unreadable answer"))
}

/// Appends text so that it stands for itself between tags.
pub(crate) fn push_escaped(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            c => xml.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_given_with_their_path_and_text_resolved() {
        let document = b"<?xml version=\"1.0\"?><A xmlns=\"x\"><B>1 &lt;&#x1;</B>\n<C><D/></C></A>";
        let mut seen = Vec::new();
        walk(document, |path, text| {
            seen.push((path.to_owned(), text.map(str::to_owned)));
            Some(())
        })
        .unwrap();
        let expected = [("A/B", Some("1 <\u{1}")), ("A/C/D", Some("")), ("A/C", None), ("A", None)];
        assert_eq!(seen, expected.map(|(path, text)| (path.to_owned(), text.map(str::to_owned))));
    }

    #[test]
    fn a_document_that_ends_early_is_not_read() {
        for broken in ["", "<A>", "<A><B></A>", "<A/><B/>", "<A>&nbsp;</A>"] {
            let read = walk(broken.as_bytes(), |_, _| Some(()));
            assert_eq!(read, None, "{broken}");
        }
    }

    #[test]
    fn escaped_text_reads_back() {
        let mut xml = String::from("<A>");
        push_escaped(&mut xml, "\"a\" <&>");
        xml.push_str("</A>");
        let mut read = String::new();
        walk(xml.as_bytes(), |_, text| {
            text?.clone_into(&mut read);
            Some(())
        })
        .unwrap();
        assert_eq!(read, "\"a\" <&>");
    }
}
