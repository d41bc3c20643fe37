//! Walks an answer's XML once, without a tree and without copying.
//!
//! Listings are most of what is read, and reading them is most of what planning costs. So this reads
//! what answers are made of and no more: elements, text, references, sections, comments. Attributes and
//! declarations are passed over, entities of a document's own are refused.

/// Why an answer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well formed, or it ends early.
    #[error("unreadable xml: {0}")]
    Broken(String),
    /// Well formed, but not what the operation answers.
    #[error("{0}")]
    Unexpected(String),
}

/// What a walk calls. The root element has depth 1.
pub trait Visitor {
    /// An element begins. `name` is without the prefix of a namespace.
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError>;

    /// An element ends. `text` is what stood in it since the last element began: the whole text of
    /// an element without children.
    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError>;
}

/// Walks `document`, which must be whole: one root element that is closed.
///
/// Control characters, raw or as references, are passed on though XML 1.0 forbids them: stores write
/// them where keys hold them. Line ends are not changed, for the same reason. An `&` that begins no
/// reference stands for itself.
pub fn walk(document: &str, visitor: &mut impl Visitor) -> Result<(), XmlError> {
    let mut rest = document.strip_prefix('\u{feff}').unwrap_or(document);
    let mut elements: Vec<&str> = Vec::with_capacity(8);
    let mut text = Text::default();
    let mut roots = 0;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'<' | b'&')) {
        text.push_str(&rest[..at]);
        if rest.as_bytes()[at] == b'&' {
            rest = push_reference(&mut text, &rest[at..])?;
            continue;
        }
        let markup = &rest[at + 1..];
        rest = match markup.as_bytes().first() {
            Some(b'/') => {
                let depth = elements.len();
                let (name, after) = ended(&markup[1..], elements.pop())?;
                visitor.close(depth, local(name), text.as_str())?;
                after
            }
            Some(b'!') if markup.starts_with("![CDATA[") => {
                let (section, after) = cut(&markup["![CDATA[".len()..], "]]>")?;
                text.push_str(section);
                after
            }
            Some(b'!') if markup.starts_with("!--") => cut(&markup["!--".len()..], "-->")?.1,
            Some(b'!') => cut(markup, ">")?.1,
            Some(b'?') => cut(markup, "?>")?.1,
            _ => {
                let tag = StartTag::read(markup)?;
                elements.push(tag.name);
                let depth = elements.len();
                roots += usize::from(depth == 1);
                visitor.open(depth, local(tag.name))?;
                if tag.is_empty {
                    elements.pop();
                    visitor.close(depth, local(tag.name), "")?;
                }
                tag.after
            }
        };
        // Sections and comments stand within a text, tags end it.
        if !markup.starts_with('!') && !markup.starts_with('?') {
            text.clear();
        }
    }
    if !elements.is_empty() || roots != 1 {
        return Err(XmlError::Broken("it ends early".to_owned()));
    }
    Ok(())
}

/// A text of the document: as it stands there, or joined of several parts in memory that is used again.
#[derive(Default)]
struct Text<'a> {
    /// Empty once there is more than one part.
    whole: &'a str,
    joined: String,
}

impl<'a> Text<'a> {
    fn as_str(&self) -> &str {
        if self.joined.is_empty() { self.whole } else { &self.joined }
    }

    fn push_str(&mut self, part: &'a str) {
        if self.as_str().is_empty() {
            self.whole = part;
        } else {
            self.join();
            self.joined.push_str(part);
        }
    }

    fn push(&mut self, c: char) {
        self.join();
        self.joined.push(c);
    }

    fn join(&mut self) {
        self.joined.push_str(std::mem::take(&mut self.whole));
    }

    fn clear(&mut self) {
        self.whole = "";
        self.joined.clear();
    }
}

/// `<name …>` or `<name …/>`, without its `<`.
struct StartTag<'a> {
    name: &'a str,
    is_empty: bool,
    after: &'a str,
}

impl<'a> StartTag<'a> {
    fn read(markup: &'a str) -> Result<Self, XmlError> {
        let ends = |byte: &u8| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace();
        let name_bytes = markup.bytes().position(|byte| ends(&byte)).ok_or_else(early)?;
        let name = &markup[..name_bytes];
        if name.is_empty() {
            return Err(XmlError::Broken("an element without a name".to_owned()));
        }
        let mut quote = None;
        for (at, byte) in markup.bytes().enumerate().skip(name_bytes) {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'>') => {
                    let is_empty = markup.as_bytes()[at - 1] == b'/';
                    return Ok(Self { name, is_empty, after: &markup[at + 1..] });
                }
                _ => {}
            }
        }
        Err(early())
    }
}

/// Takes the end of the element that was opened last: its name, and what comes after its `>`.
fn ended<'a>(markup: &'a str, opened: Option<&'a str>) -> Result<(&'a str, &'a str), XmlError> {
    let after_name = opened.and_then(|name| Some((name, markup.strip_prefix(name)?)));
    let end = after_name
        .and_then(|(name, after)| Some((name, after.trim_ascii_start().strip_prefix('>')?)));
    end.ok_or_else(|| XmlError::Broken(format!("not the end of an element: {:?}", excerpt(markup))))
}

/// Appends what the reference at the beginning of `part` stands for. Answers what comes after it.
fn push_reference<'a>(text: &mut Text<'a>, part: &'a str) -> Result<&'a str, XmlError> {
    let reference = part[1..].split_once(';').filter(|(name, _)| is_reference(name));
    let Some((name, after)) = reference else {
        text.push('&');
        return Ok(&part[1..]);
    };
    text.push(resolved(name)?);
    Ok(after)
}

/// Whether what stands between `&` and `;` can be a reference's name.
fn is_reference(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte == b'#' || byte.is_ascii_alphanumeric())
}

fn resolved(name: &str) -> Result<char, XmlError> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok();
    let resolved = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#') {
            Some(hex) if hex.starts_with('x') => number(&hex[1..], 16).and_then(char::from_u32),
            Some(decimal) => number(decimal, 10).and_then(char::from_u32),
            None => None,
        },
    };
    resolved.ok_or_else(|| XmlError::Broken(format!("no entity is called {:?}", excerpt(name))))
}

/// What stands before `end`, and what after it.
fn cut<'a>(text: &'a str, end: &str) -> Result<(&'a str, &'a str), XmlError> {
    text.split_once(end).ok_or_else(early)
}

/// The name without the prefix of its namespace.
fn local(name: &str) -> &str {
    name.bytes().position(|byte| byte == b':').map_or(name, |at| &name[at + 1..])
}

fn early() -> XmlError {
    XmlError::Broken("it ends early".to_owned())
}

/// What of a broken answer is shown.
fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
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

    fn owned(leaves: &[(usize, &str, &str)]) -> Vec<(usize, String, String)> {
        leaves.iter().map(|(at, name, text)| (*at, (*name).into(), (*text).into())).collect()
    }

    #[test]
    fn references_sections_and_control_characters_come_out_as_text() {
        let document = "\u{feff}<?xml version=\"1.0\"?><!-- c --><r xmlns=\"u\"><n:k>&quot;a&#x1;b\
                        &#0;\u{2}\r\n&amp;<![CDATA[<&>]]></n:k><empty/></r>";
        let text = "\"a\u{1}b\0\u{2}\r\n&<&>";
        assert_eq!(
            leaves(document).unwrap(),
            owned(&[(2, "k", text), (2, "empty", ""), (1, "r", "")])
        );
    }

    #[test]
    fn a_comment_stands_within_a_text_and_an_attribute_may_hold_what_ends_a_tag() {
        let document = "<!DOCTYPE r><r a='>\"' b=\"/>\" >1<!-- > -->2<?p ?>3<k c = '' />x</r >";
        assert_eq!(leaves(document).unwrap(), owned(&[(2, "k", ""), (1, "r", "x")]));
        let leaf = leaves("<r>1<!-- > -->2<?p ?>3</r>").unwrap();
        assert_eq!(leaf, owned(&[(1, "r", "123")]));
    }

    #[test]
    fn an_ampersand_that_begins_no_reference_stands_for_itself() {
        let leaf = leaves("<r>a&b & c &lt;d&; é&</r>").unwrap();
        assert_eq!(leaf, owned(&[(1, "r", "a&b & c <d&; é&")]));
    }

    #[test]
    fn a_document_that_ends_early_is_broken() {
        for document in [
            "",
            "<r>",
            "<r",
            "<r a='>",
            "<r><k>a</k>",
            "<r><k>a",
            "<r></k>",
            "<r/><r/>",
            "<r></r",
            "</r>",
            "<r><></></r>",
            "<r><!-- </r>",
            "<r><![CDATA[</r>",
            "<r>&nbsp;</r>",
            "<r>&#xD800;</r>",
        ] {
            assert!(matches!(leaves(document), Err(XmlError::Broken(_))), "{document}");
        }
    }

    #[test]
    fn no_cut_of_a_document_is_read_as_a_whole_one() {
        let document = "<?xml version=\"1.0\"?><r><k>a&amp;é</k><!-- c --><e/><![CDATA[x]]></r>";
        for (at, _) in document.char_indices() {
            leaves(&document[..at]).unwrap_err();
        }
        leaves(document).unwrap();
    }
}
