//! ListObjectsV2.

use http::Method;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::ports::{ListRequest, ListStart, Page};
use ossferry_core::time::Timestamp;
use ossferry_http::percent::{Plus, decode};
use ossferry_http::xml::{Visitor, XmlError, walk};
use ossferry_http::{ListedKeys, retry};

use crate::oss::client::{Call, OssClient};
use crate::xml::{parsed, unreadable};

const OPERATION: &str = "ListObjectsV2";

/// Entries in one page at most (OSS manual, ListObjectsV2).
pub(crate) const PAGE_KEYS_MAX: u32 = 1_000;

impl OssClient {
    /// One page of keys in the order of their bytes.
    ///
    /// Fails with `PageRepeated`, `OutOfOrder` and `BadAnswer` where the page is not what was asked.
    pub async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX).to_string();
        let mut query: Vec<(&[u8], &[u8])> = vec![
            (b"list-type", b"2"),
            (b"encoding-type", b"url"),
            (b"max-keys", keys_max.as_bytes()),
        ];
        if !request.prefix.is_empty() {
            query.push((b"prefix", request.prefix.as_bytes()));
        }
        match &request.start {
            ListStart::Beginning => {}
            ListStart::After(key) => query.push((b"start-after", key.as_bytes())),
            ListStart::Token(token) => query.push((b"continuation-token", token.as_bytes())),
        }
        let page = retry(self.policy(), || async {
            let call = Call { query: &query, ..Call::new(OPERATION, Method::GET, None) };
            parse(&self.document(call).await?).ok_or_else(|| unreadable(OPERATION))
        })
        .await?;
        check(&page, request)?;
        Ok(page)
    }

    /// The service's clock, to the second.
    pub async fn now(&self) -> Result<Timestamp, PortError> {
        let query: &[(&[u8], &[u8])] = &[(b"list-type", b"2"), (b"max-keys", b"1")];
        retry(self.policy(), || async {
            let call = Call { query, ..Call::new(OPERATION, Method::GET, None) };
            self.send(call).await?.date().ok_or_else(|| {
                PortError::new(ErrorKind::BadAnswer, format!("{OPERATION}: an answer without date"))
            })
        })
        .await
    }
}

/// A page while it is read.
#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    keys: ListedKeys,
    is_encoded: bool,
    is_truncated: Option<bool>,
    next: Option<String>,
    contents: Option<Contents>,
}

/// An element `Contents` while it is read. Its key is among those of the page.
#[derive(Default)]
struct Contents {
    has_key: bool,
    size: Option<u64>,
    etag: Option<ETag>,
    last_modified: Option<Timestamp>,
    storage_class: Option<String>,
    is_restored: bool,
}

impl Contents {
    fn read(&mut self, name: &str, text: &str) -> Result<(), XmlError> {
        match name {
            "Size" => self.size = Some(parsed(text).ok_or_else(|| no_page("a size"))?),
            "ETag" => self.etag = Some(ETag::new(text)),
            "LastModified" => {
                let time = Timestamp::from_rfc3339(text);
                self.last_modified = Some(time.ok_or_else(|| no_page("a date"))?);
            }
            "StorageClass" => self.storage_class = Some(text.to_owned()),
            "RestoreInfo" => self.is_restored = text.contains("ongoing-request=\"false\""),
            _ => {}
        }
        Ok(())
    }

    /// Without its key.
    fn entry(self) -> Option<Entry> {
        let is_cold = self
            .storage_class
            .as_deref()
            .is_some_and(|class| matches!(class, "Archive" | "ColdArchive" | "DeepColdArchive"));
        Some(Entry {
            key: self.has_key.then(Key::default)?,
            size: self.size?,
            etag: self.etag,
            last_modified: self.last_modified,
            archived: is_cold && !self.is_restored,
            storage_class: self.storage_class,
        })
    }
}

impl Visitor for Reading {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        match (depth, name) {
            (1, "ListBucketResult") => {}
            (1, _) => return Err(no_page("a listing")),
            (2, "Contents") => self.contents = Some(Contents::default()),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
        match (depth, &mut self.contents) {
            (3, Some(contents)) if name == "Key" && !contents.has_key => {
                contents.has_key = true;
                self.keys.push(text);
            }
            (3, Some(contents)) => contents.read(name, text)?,
            (2, Some(_)) => {
                let entry = self.contents.take().and_then(Contents::entry);
                self.entries.push(entry.ok_or_else(|| no_page("an entry"))?);
            }
            (2, None) => match name {
                "EncodingType" => self.is_encoded = text == "url",
                "IsTruncated" => self.is_truncated = parsed(text),
                "NextContinuationToken" => self.next = Some(text.to_owned()),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

impl Reading {
    fn page(mut self) -> Option<Page> {
        if self.is_encoded {
            self.keys.decode(Plus::Space).ok()?;
            if let Some(token) = &mut self.next {
                *token = String::from_utf8(decode(token.as_bytes(), Plus::Space)?).ok()?;
            }
        }
        for (entry, key) in self.entries.iter_mut().zip(self.keys.into_keys()) {
            entry.key = key;
        }
        let next = self.next.filter(|token| !token.is_empty());
        let next = if self.is_truncated? { Some(next?) } else { None };
        Some(Page { entries: self.entries, next })
    }
}

/// The cause stays here: [`parse`] says only that there is no page.
fn no_page(what: &str) -> XmlError {
    XmlError::Unexpected(what.to_owned())
}

/// Reads an answer. `None` where it is no page of a listing.
fn parse(document: &[u8]) -> Option<Page> {
    let mut reading = Reading::default();
    walk(std::str::from_utf8(document).ok()?, &mut reading).ok()?;
    reading.page()
}

/// A key of a listing with `encoding-type=url`. `None` where an escape is broken.
pub(crate) fn decoded(key: &Key) -> Option<Key> {
    if key.as_bytes().iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return decode(key.as_bytes(), Plus::Space).map(Key::new);
    }
    Some(key.clone())
}

/// A listing that went wrong loses objects without a word: it is checked as it comes.
fn check(page: &Page, request: &ListRequest) -> Result<(), PortError> {
    let wrong = |kind, what: String| Err(PortError::new(kind, format!("{OPERATION}: {what}")));
    let mut before = match &request.start {
        ListStart::After(key) => Some(key),
        ListStart::Beginning | ListStart::Token(_) => None,
    };
    for Entry { key, .. } in &page.entries {
        if let Some(before) = before.filter(|before| *before >= key) {
            let what = format!("key {key} after key {before}");
            return wrong(ErrorKind::OutOfOrder, what);
        }
        if !key.starts_with(request.prefix.as_bytes()) {
            return wrong(ErrorKind::BadAnswer, format!("key {key} is not of the prefix"));
        }
        before = Some(key);
    }
    if let (Some(next), ListStart::Token(token)) = (&page.next, &request.start)
        && next == token
    {
        return wrong(ErrorKind::PageRepeated, "the same page again".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>\
        <Name>bucket</Name><Prefix></Prefix><MaxKeys>2</MaxKeys><EncodingType>url</EncodingType>\
        <IsTruncated>true</IsTruncated><NextContinuationToken>CgJi%2B</NextContinuationToken>\
        <Contents><Key>a%2F%2F..%2F%01+%2B</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
        <ETag>\"5B3C1A2E053D763E1B002CC607C5A0FE\"</ETag><Type>Normal</Type><Size>344606</Size>\
        <StorageClass>Archive</StorageClass><RestoreInfo>ongoing-request=\"true\"</RestoreInfo>\
        <Owner><ID>1</ID><DisplayName>x</DisplayName></Owner></Contents>\
        <Contents><Key>b</Key><Size>0</Size></Contents><KeyCount>2</KeyCount></ListBucketResult>";

    fn request(start: ListStart) -> ListRequest {
        ListRequest { prefix: Key::default(), start, keys_max: 1_000 }
    }

    #[test]
    fn a_page_is_read_with_its_keys_decoded() {
        let page = parse(PAGE.as_bytes()).unwrap();
        assert_eq!(page.next.as_deref(), Some("CgJi+"));
        let first = &page.entries[0];
        assert_eq!(first.key.as_bytes(), b"a//../\x01 +");
        assert_eq!(first.size, 344_606);
        assert_eq!(first.last_modified, Timestamp::from_rfc3339("2026-01-02T03:04:05Z"));
        assert_eq!(first.etag.as_ref().unwrap().as_str(), "5B3C1A2E053D763E1B002CC607C5A0FE");
        assert!(first.archived);
        assert_eq!(page.entries[1].key, Key::from("b"));
        assert!(!page.entries[1].archived);

        let plain = PAGE.replace("<EncodingType>url</EncodingType>", "");
        let page = parse(plain.as_bytes()).unwrap();
        assert_eq!(page.entries[0].key.as_bytes(), b"a%2F%2F..%2F%01+%2B", "nothing says encoded");
        let restored = PAGE.replace("\"true\"", "\"false\"");
        assert!(!parse(restored.as_bytes()).unwrap().entries[0].archived);
    }

    #[test]
    fn what_is_no_whole_page_is_not_read() {
        for broken in [
            PAGE.replace("<IsTruncated>true</IsTruncated>", ""),
            PAGE.replace("<NextContinuationToken>CgJi%2B</NextContinuationToken>", ""),
            PAGE.replace("CgJi%2B", "CgJi%2"),
            PAGE.replace("<Size>0</Size>", ""),
            PAGE.replace("a%2F", "a%zz"),
            PAGE.replace("</ListBucketResult>", ""),
            "<Html><IsTruncated>false</IsTruncated></Html>".to_owned(),
        ] {
            assert!(parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }

    #[test]
    fn a_page_out_of_order_or_repeated_is_an_error_by_name() {
        let page = parse(PAGE.as_bytes()).unwrap();
        let kind = |page: &Page, request: &ListRequest| check(page, request).map_err(|e| e.kind);
        assert_eq!(kind(&page, &request(ListStart::Beginning)), Ok(()));
        let after = |text| request(ListStart::After(Key::from(text)));
        assert_eq!(kind(&page, &after("a/")), Ok(()));
        assert_eq!(kind(&page, &after("b")), Err(ErrorKind::OutOfOrder));
        let token = |text: &str| request(ListStart::Token(text.to_owned()));
        assert_eq!(kind(&page, &token("other")), Ok(()));
        assert_eq!(kind(&page, &token("CgJi+")), Err(ErrorKind::PageRepeated));
        let prefix = ListRequest { prefix: Key::from("a"), ..request(ListStart::Beginning) };
        assert_eq!(kind(&page, &prefix), Err(ErrorKind::BadAnswer));
        let mut turned = page;
        turned.entries.reverse();
        assert_eq!(kind(&turned, &request(ListStart::Beginning)), Err(ErrorKind::OutOfOrder));
        let twice = Page { entries: vec![turned.entries[0].clone(); 2], next: None };
        assert_eq!(kind(&twice, &request(ListStart::Beginning)), Err(ErrorKind::OutOfOrder));
    }
}
