//! One page of a listing: keys by bytes, rolled up at a delimiter.

use std::collections::BTreeMap;
use std::ops::Bound;

use ossferry_core::key::Key;

/// What a page is asked to hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageQuery {
    /// Only keys that begin with these bytes.
    pub(crate) prefix: Vec<u8>,
    /// Keys that go on to this after the prefix are rolled up. Empty: none is.
    pub(crate) delimiter: Vec<u8>,
    /// Only names that sort after these bytes.
    pub(crate) after: Vec<u8>,
    /// Most entries on the page, common prefixes counted.
    pub(crate) entries_max: usize,
}

/// A line of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry<V> {
    /// A key and what it holds.
    Object(Key, V),
    /// Keys rolled up: the bytes they share, the delimiter included.
    CommonPrefix(Vec<u8>),
}

impl<V> Entry<V> {
    fn name(&self) -> &[u8] {
        match self {
            Self::Object(key, _) => key.as_bytes(),
            Self::CommonPrefix(prefix) => prefix,
        }
    }
}

/// A page, and where the next one goes on.
#[derive(Debug)]
pub(crate) struct Page<V> {
    /// In byte order.
    pub(crate) entries: Vec<Entry<V>>,
    /// The name after which the next page begins; absent on the last page.
    pub(crate) next_after: Option<Vec<u8>>,
}

/// The page of `objects` that `query` asks for.
pub(crate) fn page<V: Clone>(objects: &BTreeMap<Key, V>, query: &PageQuery) -> Page<V> {
    let mut entries: Vec<Entry<V>> = Vec::new();
    let Some(mut lower) = first_bound(query) else { return Page { entries, next_after: None } };
    'range: loop {
        for (key, value) in objects.range((lower.as_ref(), Bound::Unbounded)) {
            if !key.starts_with(&query.prefix) {
                break 'range;
            }
            if entries.len() >= query.entries_max {
                let next_after = entries.last().map(|entry| entry.name().to_vec());
                return Page { entries, next_after };
            }
            match common_prefix(key.as_bytes(), query) {
                None => entries.push(Entry::Object(key.clone(), value.clone())),
                Some(rolled) => {
                    let end = end_of(rolled);
                    entries.push(Entry::CommonPrefix(rolled.to_vec()));
                    match end {
                        None => break 'range,
                        Some(end) => lower = Bound::Included(end),
                    }
                    continue 'range;
                }
            }
        }
        break;
    }
    Page { entries, next_after: None }
}

/// Where the walk begins. `None` where nothing can follow.
fn first_bound(query: &PageQuery) -> Option<Bound<Key>> {
    let rolled = common_prefix(&query.after, query).filter(|prefix| *prefix == query.after);
    if let Some(rolled) = rolled {
        // The page before ended with this roll-up: none of its keys is listed again.
        return end_of(rolled).map(Bound::Included);
    }
    Some(if query.after.as_slice() >= query.prefix.as_slice() && !query.after.is_empty() {
        Bound::Excluded(Key::new(query.after.clone()))
    } else {
        Bound::Included(Key::new(query.prefix.clone()))
    })
}

/// What `key` is rolled up to, if it is.
pub(crate) fn common_prefix<'a>(key: &'a [u8], query: &PageQuery) -> Option<&'a [u8]> {
    let delimiter = query.delimiter.as_slice();
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(query.prefix.as_slice())?;
    let at = rest.windows(delimiter.len()).position(|window| window == delimiter)?;
    Some(&key[..query.prefix.len() + at + delimiter.len()])
}

/// The least key that sorts after every key which begins with `prefix`.
fn end_of(prefix: &[u8]) -> Option<Key> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(Key::new(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(keys: &[&str]) -> BTreeMap<Key, usize> {
        keys.iter().map(|key| (Key::from(*key), key.len())).collect()
    }

    fn query(prefix: &str, delimiter: &str, after: &str, entries_max: usize) -> PageQuery {
        PageQuery {
            prefix: prefix.into(),
            delimiter: delimiter.into(),
            after: after.into(),
            entries_max,
        }
    }

    fn names(page: &Page<usize>) -> Vec<String> {
        page.entries.iter().map(|e| String::from_utf8_lossy(e.name()).into_owned()).collect()
    }

    #[test]
    fn keys_are_listed_by_bytes_and_not_by_directories() {
        let objects = objects(&["a/b", "a-b", "é", "a", "Z", "a//b"]);
        let page = page(&objects, &query("", "", "", 100));
        assert_eq!(names(&page), ["Z", "a", "a-b", "a//b", "a/b", "é"]);
        assert_eq!(page.next_after, None);
    }

    #[test]
    fn a_delimiter_rolls_keys_up_and_counts_the_roll_up_once() {
        let objects = objects(&["a", "p/1", "p/2", "p/q/1", "p/q/2", "z"]);
        assert_eq!(names(&page(&objects, &query("", "/", "", 100))), ["a", "p/", "z"]);
        assert_eq!(names(&page(&objects, &query("p/", "/", "", 100))), ["p/1", "p/2", "p/q/"]);
        assert_eq!(names(&page(&objects, &query("p/1", "/", "", 100))), ["p/1"]);
    }

    #[test]
    fn pages_of_every_size_put_together_are_the_whole_listing() {
        let objects = objects(&["a", "b/1", "b/2", "b0", "c/", "c/1", "d\u{10FFFF}/x", "e"]);
        for delimiter in ["", "/"] {
            let whole = names(&page(&objects, &query("", delimiter, "", 1_000)));
            for entries_max in 1..=whole.len() + 1 {
                let (mut seen, mut after) = (Vec::new(), Vec::new());
                loop {
                    let mut asked = query("", delimiter, "", entries_max);
                    asked.after = after;
                    let page = page(&objects, &asked);
                    seen.extend(names(&page));
                    match page.next_after {
                        Some(next) => after = next,
                        None => break,
                    }
                }
                assert_eq!(seen, whole, "delimiter {delimiter:?}, pages of {entries_max}");
            }
        }
    }

    #[test]
    fn a_page_that_ends_with_the_last_key_is_the_last() {
        let objects = objects(&["a", "b"]);
        assert_eq!(page(&objects, &query("", "", "", 2)).next_after, None);
        assert_eq!(page(&objects, &query("", "", "", 1)).next_after, Some(b"a".to_vec()));
    }

    #[test]
    fn start_after_inside_a_roll_up_still_shows_what_is_left_of_it() {
        let objects = objects(&["p/1", "p/2", "q"]);
        assert_eq!(names(&page(&objects, &query("", "/", "p/1", 100))), ["p/", "q"]);
        assert_eq!(names(&page(&objects, &query("", "", "p/1", 100))), ["p/2", "q"]);
        assert_eq!(names(&page(&objects, &query("p", "", "a", 100))), ["p/1", "p/2"]);
        assert_eq!(names(&page(&objects, &query("p", "", "q", 100))), [""; 0]);
    }
}
