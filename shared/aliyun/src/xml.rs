//! Walks an answer's XML once, without a tree.

use std::str::FromStr;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_http::xml::{self, Visitor, XmlError};

/// Calls `visit` when an element ends, with the names of the elements around it and its own
/// (`Root/Child/Leaf`), and with its text where it has no children. `None` where the document is not
/// well formed or ends early, or as soon as `visit` gives it.
pub(crate) fn walk(
    document: &[u8],
    visit: impl FnMut(&str, Option<&str>) -> Option<()>,
) -> Option<()> {
    let mut paths = Paths { path: String::with_capacity(64), is_leaf: false, visit };
    xml::walk(std::str::from_utf8(document).ok()?, &mut paths).ok()
}

/// Where a walk stands.
struct Paths<F> {
    path: String,
    is_leaf: bool,
    visit: F,
}

impl<F: FnMut(&str, Option<&str>) -> Option<()>> Visitor for Paths<F> {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        if depth > 1 {
            self.path.push('/');
        }
        self.path.push_str(name);
        self.is_leaf = true;
        Ok(())
    }

    fn close(&mut self, _: usize, _: &str, text: &str) -> Result<(), XmlError> {
        let visited = (self.visit)(&self.path, self.is_leaf.then_some(text));
        self.is_leaf = false;
        self.path.truncate(self.path.rfind('/').unwrap_or(0));
        visited.ok_or_else(|| XmlError::Unexpected("another answer".to_owned()))
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
            // A reader turns it into a line feed where it stands for itself.
            '\r' => xml.push_str("&#13;"),
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
