//! The lines of a list, by the bytes of their keys.

use ossferry_core::error::{ErrorKind, PortError};

/// Keys and URLs that one process holds, all together. A list of more is to be cut into several jobs.
pub(crate) const LIST_BYTES_MAX: usize = 1 << 30;

/// Keys with their URLs, sorted by key: one piece of memory, and twelve bytes a line.
#[derive(Debug, Default)]
pub(crate) struct Index {
    text: Vec<u8>,
    lines: Vec<Line>,
}

/// Where a key begins in the text, and how long it and the URL after it are.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: u32,
    key_bytes: u32,
    url_bytes: u32,
}

/// A list that is no list.
pub(crate) fn bad_list(what: impl std::fmt::Display) -> PortError {
    PortError::new(ErrorKind::Unsupported, format!("list: {what}"))
}

impl Index {
    /// Takes a line in. Its keys may come in any order.
    pub(crate) fn push(&mut self, key: &[u8], url: &[u8]) -> Result<(), PortError> {
        if self.text.len() + key.len() + url.len() > LIST_BYTES_MAX {
            return Err(bad_list("it has more than 1 GiB of keys and urls: cut it into several"));
        }
        let bytes = |length: usize| u32::try_from(length).map_err(|_| bad_list("it is too long"));
        let line = Line {
            start: bytes(self.text.len())?,
            key_bytes: bytes(key.len())?,
            url_bytes: bytes(url.len())?,
        };
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(url);
        self.lines.push(line);
        Ok(())
    }

    /// Sorts. The same line twice is one; a key with two URLs is refused: one of them would be lost.
    pub(crate) fn sorted(mut self) -> Result<Self, PortError> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.sort_unstable_by_key(|line| (self.key(*line), line.start));
        let mut twice = None;
        lines.dedup_by(|later, earlier| {
            let is_same_key = self.key(*later) == self.key(*earlier);
            if is_same_key && self.url(*later) != self.url(*earlier) {
                twice.get_or_insert(*later);
            }
            is_same_key
        });
        if let Some(line) = twice {
            let key = ossferry_core::key::Key::new(self.key(line).to_vec());
            return Err(bad_list(format_args!("it gives the key {key} two urls")));
        }
        lines.shrink_to_fit();
        self.lines = lines;
        Ok(self)
    }

    /// The URL of a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&[u8]> {
        let at = self.lines.binary_search_by(|line| self.key(*line).cmp(key)).ok()?;
        Some(self.url(self.lines[at]))
    }

    /// Keys with their URLs that begin with `prefix` and sort after `after`, in order.
    pub(crate) fn range<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let is_before = |line: &Line| {
            let key = self.key(*line);
            key < prefix || after.is_some_and(|after| key <= after)
        };
        let first = self.lines.partition_point(is_before);
        let lines = self.lines[first..].iter().map(|line| (self.key(*line), self.url(*line)));
        lines.take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn key(&self, line: Line) -> &[u8] {
        &self.text[line.start as usize..][..line.key_bytes as usize]
    }

    fn url(&self, line: Line) -> &[u8] {
        &self.text[(line.start + line.key_bytes) as usize..][..line.url_bytes as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_found_and_listed_by_the_bytes_of_their_keys(
            lines in prop::collection::btree_map("[ab/é]{1,4}", "[a-c]{1,3}", 0..40),
            rotate in 0_usize..40,
            prefix in "[ab]{0,2}",
            after in prop::option::of("[ab/é]{0,4}"),
        ) {
            let mut shuffled: Vec<_> = lines.iter().collect();
            shuffled.rotate_left(rotate % lines.len().max(1));
            let mut index = Index::default();
            for (key, url) in shuffled.iter().chain(shuffled.first()) {
                index.push(key.as_bytes(), url.as_bytes()).unwrap();
            }
            let index = index.sorted().unwrap();
            let lines: BTreeMap<&[u8], &[u8]> =
                lines.iter().map(|(key, url)| (key.as_bytes(), url.as_bytes())).collect();
            for (key, url) in &lines {
                prop_assert_eq!(index.find(key), Some(*url));
            }
            prop_assert_eq!(index.find(b"c"), None);
            let after = after.as_ref().map(String::as_bytes);
            let listed: Vec<_> = index.range(prefix.as_bytes(), after).collect();
            let wanted: Vec<_> = lines
                .into_iter()
                .filter(|(key, _)| key.starts_with(prefix.as_bytes()))
                .filter(|(key, _)| after.is_none_or(|after| *key > after))
                .collect();
            prop_assert_eq!(listed, wanted);
        }
    }

    #[test]
    fn a_key_with_two_urls_is_refused_by_name() {
        let mut index = Index::default();
        for (key, url) in [("b", "1"), ("a", "1"), ("b", "2")] {
            index.push(key.as_bytes(), url.as_bytes()).unwrap();
        }
        let error = index.sorted().unwrap_err();
        assert_eq!(error.to_string(), "list: it gives the key b two urls");
    }
}
