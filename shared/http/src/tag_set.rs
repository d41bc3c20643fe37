//! Reads the tags of an object: S3, OSS and Azure answer them in the same elements.

use ossferry_core::along::Tag;

use crate::xml::{Visitor, XmlError, walk};

/// More than ten tags of any of them take.
pub const TAG_SET_BYTES_MAX: usize = 64 << 10;

/// Reads `Root/TagSet/Tag/{Key, Value}`, whatever the root is called.
pub fn read_tag_set(body: &[u8]) -> Result<Vec<Tag>, XmlError> {
    let document =
        std::str::from_utf8(body).map_err(|_| XmlError::Broken("it is not utf-8".to_owned()))?;
    let mut reading = Reading::default();
    walk(document, &mut reading)?;
    Ok(reading.tags)
}

#[derive(Default)]
struct Reading {
    tags: Vec<Tag>,
    tag: Tag,
}

impl Visitor for Reading {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        match (depth, name) {
            (1, "Tagging" | "Tags") => Ok(()),
            (1, _) => Err(XmlError::Unexpected(format!("not the tags of an object: {name:?}"))),
            _ => Ok(()),
        }
    }

    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
        match (depth, name) {
            (4, "Key") => text.clone_into(&mut self.tag.0),
            (4, "Value") => text.clone_into(&mut self.tag.1),
            (3, "Tag") => self.tags.push(std::mem::take(&mut self.tag)),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_under_either_root_with_empty_values_and_references() {
        let tags = "<TagSet><Tag><Key>team</Key><Value>a &amp; b</Value></Tag>\
                    <Tag><Key>bare</Key><Value/></Tag></TagSet>";
        for root in ["Tagging", "Tags"] {
            let document = format!("<{root} xmlns=\"x\">{tags}</{root}>");
            let read = read_tag_set(document.as_bytes()).unwrap();
            let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
            assert_eq!(read, [pair("team", "a & b"), pair("bare", "")]);
        }
        assert_eq!(read_tag_set(b"<Tagging><TagSet/></Tagging>").unwrap(), []);
        for wrong in [&b"<Error/>"[..], b"<Tagging><TagSet>", b"\xff"] {
            assert!(read_tag_set(wrong).is_err());
        }
    }
}
