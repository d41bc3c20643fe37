//! Walks an answer's XML once, without a tree.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Why an answer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    /// Not well formed, or it ends early.
    #[error("unreadable xml: {0}")]
    Broken(String),
    /// Well formed, but not what the operation answers.
    #[error("{0}")]
    Unexpected(String),
}

/// What a walk calls. The root element has depth 1.
pub(crate) trait Visitor {
    /// An element begins.
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError>;

    /// An element ends. `text` is what stood in it since the last element began: the whole text of
    /// an element without children.
    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError>;
}

/// Walks `document`, which must be whole: one root element that is closed.
///
/// Control characters, raw or as references, are passed on though XML 1.0 forbids them: stores write
/// them where keys hold them. Line ends are not changed, for the same reason.
pub(crate) fn walk(document: &str, visitor: &mut impl Visitor) -> Result<(), XmlError> {
    let mut reader = Reader::from_str(document);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = false;
    config.allow_dangling_amp = true;
    let mut text = String::with_capacity(256);
    let mut depth = 0;
    let mut roots = 0;
    loop {
        match reader.read_event().map_err(|error| XmlError::Broken(error.to_string()))? {
            Event::Start(element) => {
                depth += 1;
                roots += usize::from(depth == 1);
                text.clear();
                visitor.open(depth, element.local_name().into_inner())?;
            }
            Event::End(element) => {
                visitor.close(depth, element.local_name().into_inner(), &text)?;
                depth -= 1;
                text.clear();
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(reference) => push_reference(&mut text, &reference)?,
            Event::Eof => break,
            Event::Empty(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::Comment(_)
            | Event::DocType(_) => {}
        }
    }
    if depth != 0 || roots != 1 {
        return Err(XmlError::Broken("it ends early".to_owned()));
    }
    Ok(())
}

fn push_reference(text: &mut String, reference: &BytesRef<'_>) -> Result<(), XmlError> {
    let name: &str = reference;
    let resolved = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "#0" | "#x0" => Some('\0'),
        _ => reference.resolve_char_ref().ok().flatten(),
    };
    let character =
        resolved.ok_or_else(|| XmlError::Broken(format!("no entity is called {name:?}")))?;
    text.push(character);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Leaves(Vec<(usize, String, String)>);

    impl Visitor for Leaves {
        fn open(&mut self, _: usize, _: &str) -> Result<(), XmlError> {
            Ok(())
        }

        fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
            self.0.push((depth, name.to_owned(), text.to_owned()));
            Ok(())
        }
    }

    fn leaves(document: &str) -> Result<Vec<(usize, String, String)>, XmlError> {
        let mut visitor = Leaves::default();
        walk(document, &mut visitor)?;
        Ok(visitor.0)
    }

    #[test]
    fn references_sections_and_control_characters_come_out_as_text() {
        let document = "\u{feff}<?xml version=\"1.0\"?><!-- c --><r xmlns=\"u\"><n:k>&quot;a&#x1;b\
                        &#0;\u{2}\r\n&amp;<![CDATA[<&>]]></n:k><empty/></r>";
        assert_eq!(
            leaves(document).unwrap(),
            [
                (2, "k".to_owned(), "\"a\u{1}b\0\u{2}\r\n&<&>".to_owned()),
                (2, "empty".to_owned(), String::new()),
                (1, "r".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn a_document_that_ends_early_is_broken() {
        for document in
            ["", "<r>", "<r><k>a</k>", "<r><k>a", "<r></k>", "<r/><r/>", "<r>&nbsp;</r>"]
        {
            assert!(matches!(leaves(document), Err(XmlError::Broken(_))), "{document}");
        }
    }
}
