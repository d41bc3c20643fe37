//! Reads the answer of ListObjects and ListObjectsV2.

use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::time::Timestamp;
use ossferry_http::ListedKeys;
use ossferry_http::percent::{Plus, decode};
use ossferry_http::xml::{Visitor, XmlError, walk};

use crate::kind::S3Kind;

/// One answer, keys decoded.
#[derive(Debug, Default)]
pub(crate) struct ListAnswer {
    /// In the store's order.
    pub(crate) entries: Vec<Entry>,
    /// Whether the store says that more follows.
    pub(crate) truncated: bool,
    /// ListObjectsV2: where the next page begins.
    pub(crate) next_token: Option<String>,
    /// ListObjects: where the next page begins. Many stores give it only with a delimiter.
    pub(crate) next_marker: Option<Key>,
}

/// Reads one answer. Keys are decoded only if the answer says that they are encoded: a store may
/// ignore the request's `encoding-type`.
pub(crate) fn read_list_answer(kind: S3Kind, body: &[u8]) -> Result<ListAnswer, XmlError> {
    let document =
        std::str::from_utf8(body).map_err(|_| XmlError::Broken("it is not utf-8".to_owned()))?;
    let mut reading = Reading::of(kind);
    walk(document, &mut reading)?;
    reading.finish()
}

struct Reading {
    kind: S3Kind,
    answer: ListAnswer,
    in_contents: bool,
    truncated: Option<bool>,
    encoded: bool,
    marker: Option<String>,
    keys: ListedKeys,
    has_key: bool,
    size: Option<u64>,
    entry: Entry,
    restore: Restore,
}

/// What a listing says of an archived object's restoration, where it was asked to.
#[derive(Clone, Copy, Default)]
struct Restore {
    in_progress: bool,
    has_expiry: bool,
}

impl Restore {
    /// A copy that can be read lasts until a date; one that is still awaited has none.
    fn is_done(self) -> bool {
        self.has_expiry && !self.in_progress
    }
}

impl Reading {
    fn of(kind: S3Kind) -> Self {
        Self {
            kind,
            answer: ListAnswer::default(),
            in_contents: false,
            truncated: None,
            encoded: false,
            marker: None,
            keys: ListedKeys::default(),
            has_key: false,
            size: None,
            entry: nameless_entry(),
            restore: Restore::default(),
        }
    }

    fn read_page_field(&mut self, name: &str, text: &str) -> Result<(), XmlError> {
        match name {
            "IsTruncated" => self.truncated = Some(truth(text)?),
            "NextContinuationToken" => self.answer.next_token = some_text(text),
            "NextMarker" => self.marker = some_text(text),
            "EncodingType" => self.encoded = text.trim().eq_ignore_ascii_case("url"),
            _ => {}
        }
        Ok(())
    }

    fn read_entry_field(&mut self, name: &str, text: &str) -> Result<(), XmlError> {
        match name {
            "Key" if self.has_key => return Err(missing("an entry with two keys")),
            "Key" => {
                self.keys.push(text);
                self.has_key = true;
            }
            "Size" => {
                let size = text.trim().parse();
                self.size = Some(size.map_err(|_| unexpected("size", text))?);
            }
            "ETag" => self.entry.etag = (!text.is_empty()).then(|| ETag::new(text)),
            "LastModified" => {
                let time = Timestamp::from_rfc3339(text.trim());
                self.entry.last_modified =
                    Some(time.ok_or_else(|| unexpected("last-modified", text))?);
            }
            "StorageClass" => {
                self.entry.storage_class = some_text(text);
                self.entry.archived = self.kind.is_archived(text);
            }
            _ => {}
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreStatus.html>
    fn read_restore_field(&mut self, name: &str, text: &str) -> Result<(), XmlError> {
        match name {
            "IsRestoreInProgress" => self.restore.in_progress = truth(text)?,
            "RestoreExpiryDate" => self.restore.has_expiry = !text.trim().is_empty(),
            // Owners stand as deep.
            _ => {}
        }
        Ok(())
    }

    fn finish_entry(&mut self) -> Result<(), XmlError> {
        if !std::mem::take(&mut self.has_key) {
            return Err(missing("an entry without a key"));
        }
        let mut entry = std::mem::replace(&mut self.entry, nameless_entry());
        entry.size = self.size.take().ok_or_else(|| missing("an entry without a size"))?;
        // The class stays that of the archive while the restored copy can be read.
        entry.archived &= !std::mem::take(&mut self.restore).is_done();
        self.answer.entries.push(entry);
        Ok(())
    }

    fn finish(mut self) -> Result<ListAnswer, XmlError> {
        self.answer.truncated =
            self.truncated.ok_or_else(|| missing("a listing that does not say whether it ends"))?;
        if self.encoded {
            self.keys.decode(Plus::Space).map_err(|error| missing(&error.to_string()))?;
        }
        for (entry, key) in self.answer.entries.iter_mut().zip(self.keys.into_keys()) {
            entry.key = key;
        }
        if let Some(marker) = self.marker {
            self.answer.next_marker = match decoded_marker(marker, self.encoded) {
                Some(marker) => Some(marker),
                // A page with keys goes on from the last of them, and not every store encodes the
                // marker as it does the keys.
                None if !self.answer.entries.is_empty() => None,
                None => return Err(missing("a marker with a broken escape")),
            };
        }
        Ok(self.answer)
    }
}

impl Visitor for Reading {
    fn open(&mut self, depth: usize, name: &str) -> Result<(), XmlError> {
        match depth {
            1 if name != "ListBucketResult" => Err(unexpected("listing", name)),
            2 => {
                self.in_contents = name == "Contents";
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, depth: usize, name: &str, text: &str) -> Result<(), XmlError> {
        match (depth, self.in_contents) {
            (4, true) => self.read_restore_field(name, text),
            (3, true) => self.read_entry_field(name, text),
            (2, true) => self.finish_entry(),
            (2, false) => self.read_page_field(name, text),
            _ => Ok(()),
        }
    }
}

fn nameless_entry() -> Entry {
    Entry {
        key: Key::default(),
        size: 0,
        etag: None,
        last_modified: None,
        storage_class: None,
        archived: false,
    }
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn truth(text: &str) -> Result<bool, XmlError> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(unexpected("truth value", other)),
    }
}

fn missing(what: &str) -> XmlError {
    XmlError::Unexpected(what.to_owned())
}

fn unexpected(what: &str, found: &str) -> XmlError {
    let found: String = found.chars().take(64).collect();
    XmlError::Unexpected(format!("not a {what}: {found:?}"))
}

/// `None` where an escape in it is broken.
fn decoded_marker(marker: String, is_encoded: bool) -> Option<Key> {
    if !is_encoded {
        return Some(Key::new(marker.into_bytes()));
    }
    decode(marker.as_bytes(), Plus::Space).map(Key::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_http::percent::encode_component;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_back_as_they_were_before_the_store_encoded_them(keys: Vec<Vec<u8>>) {
            let all: String =
                keys.iter().map(|key| contents(&encode_component(key).replace("%20", "+"))).collect();
            let document = page("<EncodingType>url</EncodingType>", &all);
            let answer = read_list_answer(S3Kind::S3, document.as_bytes()).unwrap();
            prop_assert_eq!(super::tests::keys(&answer), keys);
        }
    }

    fn page(encoding: &str, contents: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"x\"><Name>b</Name>\
             <Prefix></Prefix><Marker>nothing</Marker><MaxKeys>1000</MaxKeys>{contents}{encoding}\
             <IsTruncated>true</IsTruncated><NextMarker>a%2Bb</NextMarker>\
             <NextContinuationToken>1/%2B+=</NextContinuationToken></ListBucketResult>"
        )
    }

    fn contents(key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-22T10:00:00.000Z</LastModified>\
             <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>5368709121</Size>\
             <Owner><ID>Key</ID><DisplayName>Size</DisplayName></Owner>\
             <StorageClass>DEEP_ARCHIVE</StorageClass></Contents>\n"
        )
    }

    fn keys(answer: &ListAnswer) -> Vec<&[u8]> {
        answer.entries.iter().map(|entry| entry.key.as_bytes()).collect()
    }

    #[test]
    fn every_field_of_an_entry_is_read_and_its_owner_is_not_mistaken_for_one() {
        let document = page("", &contents("a/b"));
        let answer = read_list_answer(S3Kind::S3, document.as_bytes()).unwrap();
        assert_eq!(
            answer.entries,
            [Entry {
                key: Key::from("a/b"),
                size: 5_368_709_121,
                etag: Some(ETag::new("d41d8cd98f00b204e9800998ecf8427e")),
                last_modified: Timestamp::from_rfc3339("2026-11-22T10:00:00Z"),
                storage_class: Some("DEEP_ARCHIVE".to_owned()),
                archived: true,
            }]
        );
        assert!(answer.truncated);
    }

    #[test]
    fn an_archived_object_is_readable_once_it_is_restored() {
        let in_progress = |text: &str| format!("<IsRestoreInProgress>{text}</IsRestoreInProgress>");
        let expiry = "<RestoreExpiryDate>2026-12-01T00:00:00.000Z</RestoreExpiryDate>";
        for (status, archived) in [
            (String::new(), true),
            ("<RestoreStatus/>".to_owned(), true),
            (format!("<RestoreStatus>{}</RestoreStatus>", in_progress("true")), true),
            (format!("<RestoreStatus>{}</RestoreStatus>", in_progress("false")), true),
            (format!("<RestoreStatus>{}{expiry}</RestoreStatus>", in_progress("true")), true),
            (format!("<RestoreStatus>{}{expiry}</RestoreStatus>", in_progress("false")), false),
        ] {
            for place in ["<StorageClass>", "</Contents>"] {
                let restored = contents("a").replace(place, &format!("{status}{place}"));
                let document = page("", &(restored + &contents("b")));
                let answer = read_list_answer(S3Kind::S3, document.as_bytes()).unwrap();
                let found: Vec<_> = answer.entries.iter().map(|entry| entry.archived).collect();
                assert_eq!(found, [archived, true], "{document}");
            }
        }
        let broken = format!("<RestoreStatus>{}</RestoreStatus></Contents>", in_progress("soon"));
        let document = page("", &contents("a").replace("</Contents>", &broken));
        assert!(read_list_answer(S3Kind::S3, document.as_bytes()).is_err());
    }

    #[test]
    fn keys_are_decoded_when_the_answer_says_so_even_at_its_end() {
        let spelled = "a+b%2B%25c%01%e4%BD%a0";
        let document =
            page("<EncodingType>url</EncodingType>", &(contents("first") + &contents(spelled)));
        let answer = read_list_answer(S3Kind::S3, document.as_bytes()).unwrap();
        assert_eq!(keys(&answer), [&b"first"[..], "a b+%c\u{1}\u{4f60}".as_bytes()]);
        assert_eq!(answer.next_marker, Some(Key::from("a+b")));
        assert_eq!(answer.next_token.as_deref(), Some("1/%2B+="));
    }

    #[test]
    fn a_marker_that_is_not_encoded_is_no_matter_where_there_are_keys() {
        let encoding = "<EncodingType>url</EncodingType>";
        let raw = |contents: &str| page(encoding, contents).replace("a%2Bb", "100%");
        let answer = read_list_answer(S3Kind::S3, raw(&contents("100%25")).as_bytes()).unwrap();
        assert_eq!(keys(&answer), [b"100%"]);
        assert_eq!(answer.next_marker, None);
        assert!(read_list_answer(S3Kind::S3, raw("").as_bytes()).is_err());
    }

    #[test]
    fn a_store_that_ignores_the_encoding_is_taken_at_its_word() {
        let document = page("", &contents("a+b%2B&amp;\u{1}&#x2;"));
        let answer = read_list_answer(S3Kind::S3, document.as_bytes()).unwrap();
        assert_eq!(keys(&answer), ["a+b%2B&\u{1}\u{2}".as_bytes()]);
        assert_eq!(answer.next_marker, Some(Key::from("a%2Bb")));
    }

    #[test]
    fn an_answer_that_is_no_whole_listing_is_refused() {
        let whole = page("", &contents("k"));
        let cut = &whole[..whole.len() - 4];
        for document in [
            cut,
            "<ListBucketResult></ListBucketResult>",
            "<Error><Code>SlowDown</Code></Error>",
            "<html><body>hello</body></html>",
            &whole.replace("<Key>k</Key>", ""),
            &whole.replace("<Size>5368709121</Size>", ""),
            &whole.replace("5368709121", "-1"),
            &whole.replace("<IsTruncated>true", "<IsTruncated>perhaps"),
            &whole.replace("2026-11-22T10", "yesterday"),
            &page("<EncodingType>url</EncodingType>", &contents("a%zz")),
            &page("<EncodingType>url</EncodingType>", &contents("a%2")),
        ] {
            assert!(read_list_answer(S3Kind::S3, document.as_bytes()).is_err(), "{document}");
        }
        assert!(read_list_answer(S3Kind::S3, b"<ListBucketResult>\xff").is_err());
    }
}
