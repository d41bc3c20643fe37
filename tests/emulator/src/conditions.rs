//! `If-Match` and its kin, on reads and on the source of a copy.

use http::HeaderMap;
use ossferry_core::time::Timestamp;

use crate::clock_text::from_http_date;

/// What the conditions of a request say about an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Go on.
    Met,
    /// The reader's copy is current: 304.
    NotModified,
    /// The named header is not met: 412.
    Failed(&'static str),
}

/// The names under which one kind of request carries its conditions.
pub(crate) struct ConditionNames {
    matches: &'static str,
    none_match: &'static str,
    modified_since: &'static str,
    unmodified_since: &'static str,
}

/// `GetObject` and `HeadObject`.
pub(crate) const READ: ConditionNames = ConditionNames {
    matches: "if-match",
    none_match: "if-none-match",
    modified_since: "if-modified-since",
    unmodified_since: "if-unmodified-since",
};

/// `CopyObject` and `UploadPartCopy`, about their source.
pub(crate) const COPY_SOURCE: ConditionNames = ConditionNames {
    matches: "x-oss-copy-source-if-match",
    none_match: "x-oss-copy-source-if-none-match",
    modified_since: "x-oss-copy-source-if-modified-since",
    unmodified_since: "x-oss-copy-source-if-unmodified-since",
};

impl ConditionNames {
    /// The verdict, in the order of RFC 9110 section 13.2.2. A date that cannot be read is ignored.
    pub(crate) fn verdict(&self, headers: &HeaderMap, etag: &str, modified: Timestamp) -> Verdict {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = |name: &str| text(name).and_then(from_http_date);
        if let Some(list) = text(self.matches) {
            if !names_etag(list, etag) {
                return Verdict::Failed(self.matches);
            }
        } else if date(self.unmodified_since).is_some_and(|date| modified > date) {
            return Verdict::Failed(self.unmodified_since);
        }
        if let Some(list) = text(self.none_match) {
            if names_etag(list, etag) {
                return Verdict::NotModified;
            }
        } else if date(self.modified_since).is_some_and(|date| modified <= date) {
            return Verdict::NotModified;
        }
        Verdict::Met
    }
}

fn names_etag(list: &str, etag: &str) -> bool {
    list.split(',')
        .map(|one| one.trim().trim_start_matches("W/").trim_matches('"'))
        .any(|one| one == "*" || one == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn conditions_are_judged_in_the_order_of_the_standard() {
        let modified = from_http_date("Wed, 28 Dec 2022 10:27:41 GMT").unwrap();
        let before = "Wed, 28 Dec 2022 10:27:40 GMT";
        let same = "Wed, 28 Dec 2022 10:27:41 GMT";
        let cases: [(&[(&str, &str)], Verdict); 12] = [
            (&[], Verdict::Met),
            (&[("if-match", "\"AB\"")], Verdict::Met),
            (&[("if-match", "AB")], Verdict::Met),
            (&[("if-match", "\"x\", \"AB\"")], Verdict::Met),
            (&[("if-match", "\"x\"")], Verdict::Failed("if-match")),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", "\"x\"")], Verdict::Met),
            (&[("if-modified-since", same)], Verdict::NotModified),
            (&[("if-modified-since", before)], Verdict::Met),
            (&[("if-unmodified-since", before)], Verdict::Failed("if-unmodified-since")),
            (&[("if-unmodified-since", same)], Verdict::Met),
            (&[("if-none-match", "\"x\""), ("if-modified-since", same)], Verdict::Met),
        ];
        for (given, verdict) in cases {
            let headers: HeaderMap = given
                .iter()
                .map(|(name, value)| {
                    (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
                })
                .collect();
            assert_eq!(READ.verdict(&headers, "AB", modified), verdict, "{given:?}");
        }
    }
}
