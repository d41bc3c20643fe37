//! Reads the answer of List Blobs.
//!
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs>

use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::Page;
use ossferry_http::parse_http_date;
use ossferry_http::xml::{Visitor, XmlError, walk};

/// Reads one page. Its token is the service's own marker.
pub(crate) fn read_page(body: &[u8]) -> Result<Page, XmlError> {
    let document =
        std::str::from_utf8(body).map_err(|_| XmlError::Broken("it is not utf-8".to_owned()))?;
    let mut reading = Reading::default();
    walk(document, &mut reading)?;
    Ok(reading.page)
}

/// `EnumerationResults / Blobs / Blob / Properties`.
const BLOB: usize = 3;

#[derive(Default)]
struct Reading {
    page: Page,
    blob: Option<Blob>,
}

#[derive(Default)]
struct Blob {
    name: Option<Key>,
    size: Option<u64>,
    etag: Option<ETag>,
    last_modified: Option<ossferry_core::time::Timestamp>,
    tier: Option<String>,
}

impl Blob {
    fn entry(self) -> Result<Entry, XmlError> {
        let missing = |what: &str| XmlError::Unexpected(format!("a blob without {what}"));
        Ok(Entry {
            key: self.name.ok_or_else(|| missing("a name"))?,
            size: self.size.ok_or_else(|| missing("a content-length"))?,
            etag: self.etag,
            last_modified: self.last_modified,
            archived: self.tier.as_deref() == Some("Archive"),
            storage_class: self.tier,
        })
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), XmlError> {
        let unexpected = |what: &str| XmlError::Unexpected(format!("{what} {text:?}"));
        match name {
            "Content-Length" => {
                self.size = Some(text.trim().parse().map_err(|_| unexpected("content-length"))?);
            }
            "Etag" => self.etag = (!text.is_empty()).then(|| ETag::new(text)),
            "Last-Modified" => {
                let date = parse_http_date(text.trim());
                self.last_modified = Some(date.ok_or_else(|| unexpected("last-modified"))?);
            }
            "AccessTier" => self.tier = (!text.is_empty()).then(|| text.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

impl Visitor for Reading {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        if depth == 1 && name != "EnumerationResults" {
            return Err(XmlError::Unexpected(format!("not a listing: {name:?}")));
        }
        if depth == BLOB && name == "Blob" {
            self.blob = Some(Blob::default());
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
        if depth == 2 && name == "NextMarker" {
            self.page.next = (!text.is_empty()).then(|| text.to_owned());
        }
        let Some(blob) = &mut self.blob else { return Ok(()) };
        if depth == BLOB + 1 && name == "Name" {
            blob.name = Some(Key::from(text));
        } else if depth == BLOB + 2 {
            blob.read(name, text)?;
        } else if depth == BLOB
            && let Some(blob) = self.blob.take()
        {
            self.page.entries.push(blob.entry()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ossferry_core::time::Timestamp;

    use super::*;

    fn page(blobs: &str, marker: &str) -> Result<Page, XmlError> {
        let document = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
             ServiceEndpoint=\"https://a/\" ContainerName=\"c\"><Prefix>p</Prefix>\
             <Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
        );
        read_page(document.as_bytes())
    }

    #[test]
    fn blobs_their_tiers_and_the_marker_are_read() {
        let blob = |name: &str, tier: &str| {
            format!(
                "<Blob><Name>{name}</Name><Properties><Creation-Time>x</Creation-Time>\
                 <Last-Modified>Sun, 06 Nov 1994 08:49:37 GMT</Last-Modified><Etag>0x8D1</Etag>\
                 <Content-Length>7</Content-Length><BlobType>AppendBlob</BlobType>{tier}\
                 </Properties><OrMetadata /></Blob>"
            )
        };
        let blobs = blob("p/a &amp; b", "") + &blob("p/c", "<AccessTier>Archive</AccessTier>");
        let found = page(&blobs, "2!72!MDAw").unwrap();
        assert_eq!(found.next.as_deref(), Some("2!72!MDAw"));
        let plain = Entry {
            key: Key::from("p/a & b"),
            size: 7,
            etag: Some(ETag::new("0x8D1")),
            last_modified: Some(Timestamp(784_111_777_000)),
            storage_class: None,
            archived: false,
        };
        assert_eq!(found.entries[0], plain);
        assert!(found.entries[1].archived);
        assert_eq!(page("", "").unwrap().next, None);
    }

    #[test]
    fn what_is_no_listing_is_refused() {
        assert!(page("<Blob><Name>a</Name></Blob>", "").is_err());
        assert!(read_page(b"<Error><Code>x</Code></Error>").is_err());
        assert!(read_page(b"<EnumerationResults><Blobs>").is_err());
    }
}
