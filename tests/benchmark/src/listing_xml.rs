//! Pages of a generated listing as S3 and OSS spell them.

use std::io::Write as _;
use std::ops::Range;

use crate::generated::{Bucket, push_decimal};

/// Whose answer it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    S3,
    Oss,
}

/// The places of one page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) places: Range<u64>,
    /// Whether others follow: the next page begins at the end of this one.
    pub(crate) more: bool,
}

/// What stands between two values of an entry, as each service orders them.
struct Words {
    after_key: &'static str,
    before_etag: &'static str,
    after_etag: &'static str,
    end: &'static str,
    /// OSS encodes the slashes of keys, S3 does not.
    encodes_slashes: bool,
}

const S3: Words = Words {
    after_key: "</Key><LastModified>",
    before_etag: "</LastModified><ETag>&quot;",
    after_etag: "&quot;</ETag><Size>",
    end: "</Size><StorageClass>STANDARD</StorageClass></Contents>",
    encodes_slashes: false,
};

const OSS: Words = Words {
    after_key: "</Key><LastModified>",
    before_etag: "</LastModified><ETag>\"",
    after_etag: "\"</ETag><Type>Normal</Type><Size>",
    end: "</Size><StorageClass>Standard</StorageClass></Contents>",
    encodes_slashes: true,
};

/// One page. `encodes`: keys percent-encoded, as `encoding-type=url` asks.
pub(crate) fn page(bucket: &Bucket, of: Dialect, span: &Span, encodes: bool) -> Vec<u8> {
    let words = if of == Dialect::S3 { &S3 } else { &OSS };
    let Span { places, more } = span;
    let count = places.end - places.start;
    let mut out = Vec::with_capacity(512 + usize::try_from(count).unwrap_or(0) * 280);
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>");
    if encodes {
        out.extend_from_slice(b"<EncodingType>url</EncodingType>");
    }
    write!(out, "<KeyCount>{count}</KeyCount><IsTruncated>{more}</IsTruncated>")
        .expect("a vector takes every write");
    if *more {
        let next = places.end;
        write!(out, "<NextContinuationToken>{next}</NextContinuationToken>")
            .expect("a vector takes every write");
    }
    let mut key = Vec::with_capacity(64);
    for place in places.clone() {
        let object = bucket.object(place);
        key.clear();
        object.push_key(&mut key);
        out.extend_from_slice(b"<Contents><Key>");
        for byte in &key {
            // Of what needs encoding, generated keys hold slashes only.
            if *byte == b'/' && encodes && words.encodes_slashes {
                out.extend_from_slice(b"%2F");
            } else {
                out.push(*byte);
            }
        }
        out.extend_from_slice(words.after_key.as_bytes());
        object.push_last_modified(&mut out);
        out.extend_from_slice(words.before_etag.as_bytes());
        object.push_etag(&mut out);
        out.extend_from_slice(words.after_etag.as_bytes());
        push_decimal(&mut out, object.size(), 7);
        out.extend_from_slice(words.end.as_bytes());
    }
    out.extend_from_slice(b"</ListBucketResult>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::Layout;

    fn text(of: Dialect, span: &Span, encodes: bool) -> String {
        let bucket = Bucket { layout: Layout::Flat, numbers: 9, every: 1 };
        String::from_utf8(page(&bucket, of, span, encodes)).unwrap()
    }

    #[test]
    fn a_page_that_others_follow_says_where_they_begin() {
        let first = text(Dialect::S3, &Span { places: 0..4, more: true }, true);
        assert!(first.contains("<IsTruncated>true</IsTruncated>"), "{first}");
        assert!(first.contains("<NextContinuationToken>4</NextContinuationToken>"), "{first}");
        assert_eq!(first.matches("<Contents>").count(), 4);
        let last = text(Dialect::S3, &Span { places: 4..9, more: false }, true);
        assert!(last.contains("<IsTruncated>false</IsTruncated>") && !last.contains("Token"));
    }

    #[test]
    fn slashes_are_encoded_by_oss_alone_and_only_where_that_was_asked() {
        let span = Span { places: 0..1, more: false };
        for (of, encodes, key) in [
            (Dialect::S3, true, "<Key>photos/0000000000-"),
            (Dialect::Oss, true, "<Key>photos%2F0000000000-"),
            (Dialect::Oss, false, "<Key>photos/0000000000-"),
        ] {
            let page = text(of, &span, encodes);
            assert!(page.contains(key), "{page}");
            assert_eq!(page.contains("<EncodingType>url</EncodingType>"), encodes);
        }
    }
}
