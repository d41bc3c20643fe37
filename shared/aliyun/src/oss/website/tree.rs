//! A document as a tree that loses nothing: elements that are not known here are written again as they
//! were read.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::xml::push_escaped;

/// An element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Element {
    /// As it is spelled, prefix included.
    pub(super) name: String,
    /// Everything between the name and the end of the tag, as it was written.
    attributes: String,
    /// In order.
    pub(super) children: Vec<Node>,
}

/// What stands in an element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Node {
    /// An element.
    Element(Element),
    /// Text, entities resolved. White space between elements is not kept.
    Text(String),
}

impl Element {
    /// An element of these children.
    pub(super) fn new(name: &str, children: Vec<Self>) -> Self {
        let children = children.into_iter().map(Node::Element).collect();
        Self { name: name.to_owned(), attributes: String::new(), children }
    }

    /// An element that holds text.
    pub(super) fn leaf(name: &str, text: impl Into<String>) -> Self {
        let children = vec![Node::Text(text.into())];
        Self { name: name.to_owned(), attributes: String::new(), children }
    }

    /// Reads a document; `None` where it is not well formed.
    pub(super) fn parse(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        // What is open, the outermost first, below a place for the root.
        let mut open = vec![Self::new("", Vec::new())];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(Self::opened(&start)),
                Event::Empty(start) => {
                    let element = Self::opened(&start);
                    open.last_mut()?.children.push(Node::Element(element));
                }
                Event::End(_) => {
                    let mut element = open.pop()?;
                    element.drop_space();
                    open.last_mut()?.children.push(Node::Element(element));
                }
                Event::Text(text) => open.last_mut()?.push_text(&text),
                Event::CData(text) => open.last_mut()?.push_text(&text),
                Event::GeneralRef(name) => {
                    let entity = format!("&{};", &*name);
                    let text = quick_xml::escape::unescape(&entity).ok()?;
                    open.last_mut()?.push_text(&text);
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty())?;
        document.drop_space();
        match <[Node; 1]>::try_from(document.children) {
            Ok([Node::Element(root)]) => Some(root),
            _ => None,
        }
    }

    fn opened(start: &quick_xml::events::BytesStart<'_>) -> Self {
        Self {
            name: start.name().0.to_owned(),
            attributes: start.attributes_raw().trim_end().to_owned(),
            children: Vec::new(),
        }
    }

    fn push_text(&mut self, text: &str) {
        match self.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.children.push(Node::Text(text.to_owned())),
        }
    }

    /// Space between elements says nothing; a text that is only space stays where it stands alone.
    fn drop_space(&mut self) {
        if self.children.len() > 1 {
            let is_space = |node: &Node| matches!(node, Node::Text(text) if text.trim().is_empty());
            self.children.retain(|node| !is_space(node));
        }
    }

    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|child| child.name == name)
    }

    /// The children that are elements.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The text at the end of a path of names, trimmed; `None` where no such element is.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<String> {
        let mut element = self;
        for name in path {
            element = element.child(name)?;
        }
        let texts = element.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        Some(texts.collect::<String>().trim().to_owned())
    }

    /// Whether an element of that name is anywhere in it.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.name == name || self.elements().any(|child| child.holds(name))
    }

    /// Writes it without space between elements. The text of elements named `hidden` is left out.
    pub(super) fn write(&self, to: &mut String, hidden: Option<&str>) {
        to.extend(["<", &self.name, &self.attributes]);
        if self.children.is_empty() {
            to.push_str("/>");
            return;
        }
        to.push('>');
        for node in &self.children {
            match node {
                Node::Element(element) => element.write(to, hidden),
                Node::Text(_) if hidden == Some(self.name.as_str()) => {}
                Node::Text(text) => push_escaped(to, text),
            }
        }
        to.extend(["</", &self.name, ">"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(document: &str) -> Option<String> {
        let mut text = String::new();
        Element::parse(document)?.write(&mut text, Some("Secret"));
        Some(text)
    }

    #[test]
    fn what_is_not_known_is_written_as_it_was_read() {
        let same = "<A xmlns=\"http://x/?a=1&amp;b\" b='c'><B>a &amp; &lt;b</B><n:C n:d=\"e\"/><D> \
                    </D><E>x<F>y</F>z</E></A>";
        assert_eq!(written(same).unwrap(), same);
        let spaced = "<?xml version=\"1.0\"?>\n<!-- c -->\n<A>\n  <B>1</B>\n  <C><![CDATA[a&b]]></C>\n\
                      </A>\n";
        assert_eq!(written(spaced).unwrap(), "<A><B>1</B><C>a&amp;b</C></A>");
        assert_eq!(written("<A><Secret>s</Secret></A>").unwrap(), "<A><Secret></Secret></A>");
        for wrong in ["", "text", "<A>", "<A></B>", "<A/><B/>", "<A/>x", "<A>&nope;</A>"] {
            assert_eq!(written(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_text_is_found_by_its_path() {
        let tree = Element::parse("<A><B><C> x </C></B><B><D/></B></A>").unwrap();
        assert_eq!(tree.text_at(&["B", "C"]).as_deref(), Some("x"));
        assert_eq!(tree.text_at(&["B", "D"]), None, "the first of the name");
        assert!(tree.holds("D") && !tree.holds("E"));
    }
}
