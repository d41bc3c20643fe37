//! One page of a listing.
//!
//! <https://cloud.google.com/storage/docs/json_api/v1/objects/list>

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::Entry;
use ossferry_core::ports::{ListRequest, ListStart, Page};
use serde::Deserialize;

use crate::error::LIST_OBJECTS;
use crate::resource::Resource;

/// Objects that one answer lists at most.
pub(crate) const PAGE_KEYS_MAX: u32 = 1_000;

/// More than a page of as many names of 1,024 bytes takes, each byte of them escaped.
pub(crate) const PAGE_BYTES_MAX: usize = 32 << 20;

/// What is read of each object; all else would be sent for nothing.
const FIELDS: &[u8] = b"items(generation,name,size,storageClass,updated),nextPageToken";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    /// Absent where there are none.
    #[serde(default)]
    items: Vec<Resource>,
    next_page_token: Option<String>,
}

/// A page that is being asked for.
///
/// A page of ours ends and begins at a key, and its token is that key. Google's own token is used only
/// where an answer holds no key though more follow. `startOffset` lists its own key as well; what follows
/// that key by a byte of zero is not asked for, because nothing says that Google takes such a name.
pub(crate) struct Asking<'a> {
    request: &'a ListRequest,
    /// The key after which it begins.
    after: Option<Key>,
    /// Google's own token, after an answer without keys.
    token: Option<String>,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(request: &'a ListRequest) -> Self {
        let after = match &request.start {
            ListStart::Beginning => None,
            ListStart::After(key) => Some(key.clone()),
            ListStart::Token(token) => Some(Key::from_text(token)),
        };
        // No key sorts before the empty one, nor before the prefix.
        let after = after.filter(|after| *after >= request.prefix && !after.is_empty());
        Self { request, after, token: None }
    }

    /// Names and values, not encoded yet.
    pub(crate) fn query(&self) -> Vec<(&'static str, Vec<u8>)> {
        let more = u32::from(self.after.is_some());
        let keys_max = self.request.keys_max.clamp(1, PAGE_KEYS_MAX) + more;
        let mut query = vec![
            ("fields", FIELDS.to_vec()),
            ("maxResults", keys_max.min(PAGE_KEYS_MAX).to_string().into_bytes()),
            ("prefix", self.request.prefix.as_bytes().to_vec()),
        ];
        if let Some(token) = &self.token {
            query.push(("pageToken", token.clone().into_bytes()));
        }
        if let Some(after) = &self.after {
            query.push(("startOffset", after.as_bytes().to_vec()));
        }
        query
    }

    /// The page, once it is known to be the one that was asked for; `None` where it is to be asked on.
    ///
    /// Fails with `OutOfOrder` and `PageRepeated` as the port says.
    pub(crate) fn page(&mut self, answer: Answer) -> Result<Option<Page>, PortError> {
        let fail =
            |kind, what: String| Err(PortError::new(kind, format!("{LIST_OBJECTS}: {what}")));
        let mut entries: Vec<Entry> = Vec::with_capacity(answer.items.len());
        for item in answer.items {
            let entry = match item.entry() {
                Ok(entry) => entry,
                Err(what) => return fail(ErrorKind::BadAnswer, what.to_owned()),
            };
            let last = entries.last().map(|entry| &entry.key);
            if last.is_none() && self.after.as_ref() == Some(&entry.key) {
                continue;
            }
            if let Some(before) = last.or(self.after.as_ref()).filter(|last| **last >= entry.key) {
                return fail(ErrorKind::OutOfOrder, format!("{} after {before}", entry.key));
            }
            let prefix = &self.request.prefix;
            if !entry.key.starts_with(prefix.as_bytes()) {
                return fail(ErrorKind::BadAnswer, format!("{} is not under {prefix}", entry.key));
            }
            entries.push(entry);
        }
        if let (true, Some(token)) = (entries.is_empty(), &answer.next_page_token) {
            if self.token.as_ref() == Some(token) {
                let what = "the next page is the one just asked for".to_owned();
                return fail(ErrorKind::PageRepeated, what);
            }
            self.token = answer.next_page_token;
            return Ok(None);
        }
        let keys_max = usize::try_from(self.request.keys_max.max(1)).unwrap_or(usize::MAX);
        let is_more = answer.next_page_token.is_some() || entries.len() > keys_max;
        entries.truncate(keys_max);
        let last = entries.last().filter(|_| is_more);
        let next = last.map(|entry| entry.key.to_text().into_owned());
        Ok(Some(Page { entries, next }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(names: &[&str], token: Option<&str>) -> Answer {
        let item = |name: &&str| serde_json::json!({"name": name, "size": "1", "generation": "5"});
        let items: Vec<_> = names.iter().map(item).collect();
        let answer = serde_json::json!({"items": items, "nextPageToken": token});
        serde_json::from_value(answer).unwrap()
    }

    fn request(start: ListStart, keys_max: u32) -> ListRequest {
        ListRequest { prefix: Key::from("p/"), start, keys_max }
    }

    fn value(asking: &Asking<'_>, name: &str) -> Option<String> {
        let found = asking.query().into_iter().find(|(named, _)| *named == name);
        found.map(|(_, value)| String::from_utf8(value).unwrap())
    }

    fn keys(page: &Page) -> Vec<String> {
        page.entries.iter().map(|entry| entry.key.to_string()).collect()
    }

    #[test]
    fn a_page_begins_after_its_key_whether_that_is_there_or_not() {
        for start in [ListStart::After(Key::from("p/b")), ListStart::Token("p/b".to_owned())] {
            let request = request(start, 2);
            let mut asking = Asking::new(&request);
            assert_eq!(value(&asking, "startOffset").as_deref(), Some("p/b"));
            assert_eq!(value(&asking, "maxResults").as_deref(), Some("3"));
            let page = asking.page(answer(&["p/b", "p/c", "p/d"], Some("T"))).unwrap().unwrap();
            assert_eq!(
                (keys(&page), page.next.as_deref()),
                (vec!["p/c".into(), "p/d".into()], Some("p/d"))
            );
            let page = asking.page(answer(&["p/c", "p/d", "p/e"], None)).unwrap().unwrap();
            assert_eq!(
                (keys(&page), page.next.as_deref()),
                (vec!["p/c".into(), "p/d".into()], Some("p/d"))
            );
            let page = asking.page(answer(&["p/b", "p/c"], None)).unwrap().unwrap();
            assert_eq!((keys(&page), page.next), (vec!["p/c".into()], None));
        }
    }

    #[test]
    fn a_page_goes_on_after_its_own_token_whatever_the_key_is_made_of() {
        for name in ["p/%", "p/%2F", "p/a\u{1}", "p/ +&", "p/\u{1F680}"] {
            let first = request(ListStart::Beginning, 1);
            let page = Asking::new(&first).page(answer(&[name], Some("T"))).unwrap().unwrap();
            let second = request(ListStart::Token(page.next.unwrap()), 1);
            assert_eq!(value(&Asking::new(&second), "startOffset").as_deref(), Some(name));
        }
    }

    #[test]
    fn a_beginning_before_the_prefix_is_none() {
        for start in ["", "a", "p"] {
            let request = request(ListStart::After(Key::from(start)), 2_000);
            let asking = Asking::new(&request);
            assert_eq!(value(&asking, "startOffset"), None, "{start:?}");
            assert_eq!(value(&asking, "maxResults").as_deref(), Some("1000"));
        }
    }

    #[test]
    fn an_answer_without_keys_is_followed_by_google_s_own_token() {
        let request = request(ListStart::After(Key::from("p/b")), 1);
        let mut asking = Asking::new(&request);
        assert!(asking.page(answer(&["p/b"], Some("T"))).unwrap().is_none());
        assert_eq!(value(&asking, "pageToken").as_deref(), Some("T"));
        let error = asking.page(answer(&[], Some("T"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PageRepeated);
        let page = asking.page(answer(&[], None)).unwrap().unwrap();
        assert!(page.entries.is_empty() && page.next.is_none());
    }

    #[test]
    fn what_is_no_page_of_this_listing_is_refused() {
        let request = request(ListStart::After(Key::from("p/b")), 5);
        let kind = |names: &[&str]| {
            let page = Asking::new(&request).page(answer(names, None));
            page.map(|_| ()).map_err(|error| error.kind)
        };
        assert_eq!(kind(&["p/a"]), Err(ErrorKind::OutOfOrder));
        assert_eq!(kind(&["p/d", "p/c"]), Err(ErrorKind::OutOfOrder));
        assert_eq!(kind(&["p/c", "p/c"]), Err(ErrorKind::OutOfOrder));
        assert_eq!(kind(&["q/c"]), Err(ErrorKind::BadAnswer));
        let answer =
            serde_json::json!({"items": [{"name": "p/c", "size": "x", "generation": "1"}]});
        let answer: Answer = serde_json::from_value(answer).unwrap();
        assert_eq!(Asking::new(&request).page(answer).unwrap_err().kind, ErrorKind::BadAnswer);
    }
}
