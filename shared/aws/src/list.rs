//! Listings page by page: what is asked, and whether the answer is the next page.

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, ListingOrder, Page};
use ossferry_http::percent::push_query;

use crate::continuation::{Damaged, whole_token};
use crate::error::{LIST_OBJECTS, LIST_OBJECTS_V2};
use crate::list_xml::ListAnswer;

/// Keys that the services return at most.
pub(crate) const PAGE_KEYS_MAX: u32 = 1_000;

/// A page of 1,000 keys of 1,024 bytes each, every byte written as `%XX` or `&#xXX;`, with room for
/// owners and checksums.
pub(crate) const PAGE_BYTES_MAX: usize = 32 << 20;

/// Which listing operation a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListVersion {
    /// ListObjects: goes on from a marker, which is a key.
    V1,
    /// ListObjectsV2: goes on from a continuation token, or after a key.
    V2,
}

impl ListVersion {
    /// As the service and the meter name it.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::V1 => LIST_OBJECTS,
            Self::V2 => LIST_OBJECTS_V2,
        }
    }
}

/// How a bucket is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    pub(crate) version: ListVersion,
    pub(crate) order: ListingOrder,
    /// Whether the store is asked to encode the keys that it lists.
    pub(crate) encodes_keys: bool,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Beginning,
    After(Key),
    /// Where an earlier page ended.
    Next {
        /// The last key listed so far. Not sent: the next page is checked against it.
        last: Key,
        /// The service's own: a continuation token, or a marker as [`Key::to_text`] spells it.
        token: String,
    },
}

impl Position {
    /// The port's token: the last key, a line feed (which no spelled key holds), the service's token.
    fn to_token(last: &Key, token: &str) -> String {
        format!("{}\n{token}", last.to_text())
    }

    fn of_token(text: &str) -> Option<Self> {
        let (last, token) = text.split_once('\n')?;
        Some(Self::Next { last: Key::from_text(last), token: token.to_owned() })
    }
}

impl Listing {
    /// Where the request wants its page to begin.
    pub(crate) fn position(self, start: &ListStart) -> Result<Position, PortError> {
        let refuse = |what: &str| {
            let message = format!("{}: {what}", self.version.operation());
            Err(PortError::new(ErrorKind::Unsupported, message))
        };
        match start {
            ListStart::Beginning => Ok(Position::Beginning),
            ListStart::After(_) if self.order == ListingOrder::Serial => {
                refuse("this store is not known to list by bytes, so nothing begins after a key")
            }
            ListStart::After(key) => Ok(Position::After(key.clone())),
            ListStart::Token(text) => match Position::of_token(text) {
                Some(position) => Ok(position),
                None => refuse("not a continuation token of this source"),
            },
        }
    }

    /// The query, sorted by name as the signature wants it.
    pub(crate) fn query(self, request: &ListRequest, position: &Position) -> String {
        let keys_max = request.keys_max.clamp(1, PAGE_KEYS_MAX).to_string();
        let mut query = String::with_capacity(256);
        let mut push = |name: &str, value: &[u8]| push_query(&mut query, name, Some(value));
        match self.version {
            ListVersion::V1 => {
                if self.encodes_keys {
                    push("encoding-type", b"url");
                }
                match position {
                    Position::Beginning => {}
                    Position::After(key) => push("marker", key.as_bytes()),
                    Position::Next { token, .. } => {
                        push("marker", Key::from_text(token).as_bytes());
                    }
                }
                push("max-keys", keys_max.as_bytes());
                push("prefix", request.prefix.as_bytes());
            }
            ListVersion::V2 => {
                if let Position::Next { token, .. } = position {
                    push("continuation-token", token.as_bytes());
                }
                if self.encodes_keys {
                    push("encoding-type", b"url");
                }
                push("list-type", b"2");
                push("max-keys", keys_max.as_bytes());
                push("prefix", request.prefix.as_bytes());
                if let Position::After(key) = position {
                    push("start-after", key.as_bytes());
                }
            }
        }
        query
    }

    /// The page, once it is known to be the one that follows `position`.
    ///
    /// Fails with `PageRepeated` where it is the page before once more, or leads back to where this
    /// one was asked for; with `OutOfOrder` where a store that lists by bytes does not; with
    /// `BadAnswer` where a key is not under `prefix`, or more is promised and nothing leads there.
    pub(crate) fn page(
        self,
        prefix: &Key,
        position: &Position,
        answer: ListAnswer,
    ) -> Result<Page, PortError> {
        let fail = |kind, what: String| {
            Err(PortError::new(kind, format!("{}: {what}", self.version.operation())))
        };
        let last = answer.entries.last().map(|entry| entry.key.clone());
        if let (Position::Next { last: before, .. }, Some(last)) = (position, &last)
            && last == before
        {
            return fail(ErrorKind::PageRepeated, format!("the page that ends at {last} again"));
        }
        let next = match self.next(position, &answer, last) {
            Ok(next) => next,
            Err((kind, what)) => return fail(kind, what.to_owned()),
        };
        let misplaced = |key: &Key| !key.starts_with(prefix.as_bytes());
        if let Some(entry) = answer.entries.iter().find(|entry| misplaced(&entry.key)) {
            return fail(ErrorKind::BadAnswer, format!("{} is not under {prefix}", entry.key));
        }
        if self.order == ListingOrder::Bytes {
            let mut before = match position {
                Position::Beginning => None,
                Position::After(key) | Position::Next { last: key, .. } => Some(key),
            };
            for entry in &answer.entries {
                if let Some(before) = before.filter(|before| **before >= entry.key)
                    // The empty key stands for no key listed yet.
                    && !before.is_empty()
                {
                    return fail(ErrorKind::OutOfOrder, format!("{} after {before}", entry.key));
                }
                before = Some(&entry.key);
            }
        }
        Ok(Page { entries: answer.entries, next })
    }

    fn next(
        self,
        position: &Position,
        answer: &ListAnswer,
        last: Option<Key>,
    ) -> Result<Option<String>, (ErrorKind, &'static str)> {
        if !answer.truncated {
            return Ok(None);
        }
        let token = match self.version {
            ListVersion::V2 => match answer.next_token.clone() {
                Some(token) => Some(whole_token(token, last.as_ref()).map_err(|Damaged| {
                    let what = "the continuation token holds U+FFFD, which no key explains; \
                                list_version = 1 needs none";
                    (ErrorKind::BadAnswer, what)
                })?),
                None => None,
            },
            // Without a delimiter the marker is the last key, and S3 leaves it out. Stores that give
            // it do not agree on whether it is encoded as the keys are.
            ListVersion::V1 => last
                .as_ref()
                .or(answer.next_marker.as_ref())
                .map(|marker| marker.to_text().into_owned()),
        };
        let token = token.ok_or((ErrorKind::BadAnswer, "more is promised, but not where"))?;
        let asked = match position {
            Position::Next { token, .. } => Some(token.as_str().into()),
            Position::After(key) if self.version == ListVersion::V1 => Some(key.to_text()),
            _ => None,
        };
        if asked.is_some_and(|asked| asked == token) {
            return Err((ErrorKind::PageRepeated, "the next page is the one just asked for"));
        }
        let last = last.unwrap_or_else(|| match position {
            Position::Beginning => Key::default(),
            Position::After(key) | Position::Next { last: key, .. } => key.clone(),
        });
        Ok(Some(Position::to_token(&last, &token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::object::Entry;

    const BYTES: Listing =
        Listing { version: ListVersion::V2, order: ListingOrder::Bytes, encodes_keys: true };
    const SERIAL: Listing =
        Listing { version: ListVersion::V2, order: ListingOrder::Serial, encodes_keys: true };
    const MARKER: Listing =
        Listing { version: ListVersion::V1, order: ListingOrder::Bytes, encodes_keys: true };

    fn answer(keys: &[&str], next: Option<&str>) -> ListAnswer {
        let entry = |key: &&str| Entry {
            key: Key::from(*key),
            size: 1,
            etag: None,
            last_modified: None,
            storage_class: None,
            archived: false,
        };
        ListAnswer {
            entries: keys.iter().map(entry).collect(),
            truncated: next.is_some(),
            next_token: next.map(str::to_owned),
            next_marker: None,
        }
    }

    fn after(listing: Listing, start: &ListStart, answer: ListAnswer) -> Result<Page, ErrorKind> {
        let position = listing.position(start).unwrap();
        listing.page(&Key::default(), &position, answer).map_err(|error| error.kind)
    }

    fn next(page: Result<Page, ErrorKind>) -> ListStart {
        ListStart::Token(page.unwrap().next.unwrap())
    }

    fn request(start: ListStart) -> ListRequest {
        ListRequest { prefix: Key::from("p/"), start, keys_max: 5_000 }
    }

    #[test]
    fn the_query_is_sorted_and_says_where_to_begin() {
        for (listing, start, query) in [
            (
                BYTES,
                ListStart::Beginning,
                "encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F",
            ),
            (
                BYTES,
                ListStart::After(Key::from("p/a b")),
                "encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F&start-after=p%2Fa%20b",
            ),
            (
                SERIAL,
                ListStart::Token("last\n1/+=".to_owned()),
                "continuation-token=1%2F%2B%3D&encoding-type=url&list-type=2&max-keys=1000&\
                 prefix=p%2F",
            ),
            (
                MARKER,
                ListStart::Token("p/%01\np/%01".to_owned()),
                "encoding-type=url&marker=p%2F%01&max-keys=1000&prefix=p%2F",
            ),
        ] {
            let position = listing.position(&start).unwrap();
            assert_eq!(listing.query(&request(start), &position), query);
        }
    }

    #[test]
    fn nothing_begins_after_a_key_in_a_store_of_unknown_order() {
        let refused = SERIAL.position(&ListStart::After(Key::from("k"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported);
        let foreign = BYTES.position(&ListStart::Token("foreign".to_owned())).unwrap_err();
        assert_eq!(foreign.kind, ErrorKind::Unsupported);
    }

    #[test]
    fn keys_ascend_within_a_page_and_across_pages_or_the_listing_is_out_of_order() {
        let start = ListStart::Beginning;
        let out_of_order = Err(ErrorKind::OutOfOrder);
        let kind = |page: Result<Page, ErrorKind>| page.map(|page| page.entries.len());
        assert_eq!(kind(after(BYTES, &start, answer(&["a/b", "a-b"], None))), out_of_order);
        assert_eq!(kind(after(BYTES, &start, answer(&["a", "a"], None))), out_of_order);
        assert_eq!(kind(after(SERIAL, &start, answer(&["a/b", "a-b"], None))), Ok(2));
        let second = next(after(BYTES, &start, answer(&["a", "m"], Some("t"))));
        assert_eq!(kind(after(BYTES, &second, answer(&["b", "z"], None))), out_of_order);
        assert_eq!(kind(after(BYTES, &second, answer(&["n", "z"], None))), Ok(2));
        let from = ListStart::After(Key::from("m"));
        assert_eq!(kind(after(BYTES, &from, answer(&["m", "n"], None))), out_of_order);
    }

    #[test]
    fn a_token_that_xml_could_not_carry_is_set_right_by_the_last_key_or_named() {
        let page = after(SERIAL, &ListStart::Beginning, answer(&["a\u{1f}"], Some("a\u{FFFD}")));
        assert_eq!(next(page), ListStart::Token("a%1F\na\u{1f}".to_owned()));
        let page = after(SERIAL, &ListStart::Beginning, answer(&["a"], Some("\u{FFFD}")));
        assert_eq!(page.map(|page| page.entries.len()), Err(ErrorKind::BadAnswer));
    }

    #[test]
    fn the_last_key_is_known_over_pages_that_are_empty() {
        let first = next(after(BYTES, &ListStart::Beginning, answer(&[], Some("1"))));
        let second = next(after(BYTES, &first, answer(&["m"], Some("2"))));
        let third = next(after(BYTES, &second, answer(&[], Some("3"))));
        let back = after(BYTES, &third, answer(&["a"], None));
        assert_eq!(back.map(|page| page.entries.len()), Err(ErrorKind::OutOfOrder));
    }

    #[test]
    fn a_page_that_comes_again_is_named_in_either_order() {
        for listing in [BYTES, SERIAL] {
            let second =
                next(after(listing, &ListStart::Beginning, answer(&["a", "m"], Some("t"))));
            for again in [
                answer(&["n"], Some("t")),
                answer(&["a", "m"], Some("another token")),
                answer(&["a", "m"], None),
                answer(&[], Some("t")),
            ] {
                let page = after(listing, &second, again);
                assert_eq!(page.map(|page| page.entries.len()), Err(ErrorKind::PageRepeated));
            }
        }
    }

    #[test]
    fn a_marker_is_the_last_key_where_there_is_one_and_a_sticky_one_is_named() {
        let mut first = answer(&["a", "b\u{1}"], Some("ignored"));
        first.next_marker = Some(Key::from("b%2501"));
        let page = after(MARKER, &ListStart::Beginning, first);
        assert_eq!(page.unwrap().next.as_deref(), Some("b%01\nb%01"));
        first = answer(&[], Some("ignored"));
        first.next_marker = Some(Key::from("b"));
        let from = ListStart::After(Key::from("b"));
        let sticky = after(MARKER, &from, first);
        assert_eq!(sticky.map(|page| page.entries.len()), Err(ErrorKind::PageRepeated));
        let nowhere = after(MARKER, &ListStart::Beginning, answer(&[], Some("ignored")));
        assert_eq!(nowhere.map(|page| page.entries.len()), Err(ErrorKind::BadAnswer));
    }

    #[test]
    fn a_key_outside_the_prefix_is_no_answer_to_the_request() {
        let page = BYTES.page(&Key::from("p/"), &Position::Beginning, answer(&["p/a", "q"], None));
        assert_eq!(page.unwrap_err().kind, ErrorKind::BadAnswer);
    }
}
