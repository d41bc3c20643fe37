//! Where a walk through folders is: what is still to be listed, the next one last.

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use serde::{Deserialize, Serialize};

use crate::error::LIST_FOLDER;
use crate::folder::Folder;

/// A position stands in a row of the ledger, which holds some hundred KB.
const POSITION_BYTES_MAX: usize = 128 << 10;

/// A folder, or the rest of one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// Empty, or with a slash at its end.
    pub(crate) folder: Key,
    /// From where on; from its beginning where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iter: Option<String>,
}

/// Folders that are still to be listed, deepest last, so that few wait at once.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Position(Vec<Rest>);

impl Position {
    /// Before the first key that begins with `prefix`: at the folder in which that key must be.
    pub(crate) fn beginning(prefix: &Key) -> Self {
        let bytes = prefix.as_bytes();
        let end = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        Self(vec![Rest { folder: Key::new(bytes[..end].to_vec()), iter: None }])
    }

    /// As [`Self::token`] gave it.
    pub(crate) fn read(token: &str) -> Result<Self, PortError> {
        let unreadable = |_| {
            let message = format!("{LIST_FOLDER}: no position of a walk");
            PortError::new(ErrorKind::Unsupported, message)
        };
        serde_json::from_str(token).map_err(unreadable)
    }

    /// What is to be listed next.
    pub(crate) fn take(&mut self) -> Option<Rest> {
        self.0.pop()
    }

    /// Notes what a listing of `listed` has shown, as far as it may hold keys that begin with `prefix`.
    pub(crate) fn go_on(&mut self, listed: &Rest, found: &Folder, prefix: &Key) {
        let rest = |folder: &Key, iter| Rest { folder: folder.clone(), iter };
        self.0.extend(found.next.clone().map(|iter| rest(&listed.folder, Some(iter))));
        let may_hold = |folder: &&Key| {
            folder.starts_with(prefix.as_bytes()) || prefix.starts_with(folder.as_bytes())
        };
        self.0.extend(found.folders.iter().filter(may_hold).map(|folder| rest(folder, None)));
    }

    /// For whoever asks for the next page; `None` after the last.
    pub(crate) fn token(&self) -> Result<Option<String>, PortError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let token = serde_json::to_string(&self.0).expect("keys and texts");
        if token.len() > POSITION_BYTES_MAX {
            let what = "folders in folders are more than a position holds: move them by a job each, \
                        with a longer prefix";
            let message = format!("{LIST_FOLDER}: {what}");
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        Ok(Some(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str], next: Option<&str>) -> Folder {
        let folders = names.iter().map(|name| Key::from(*name)).collect();
        Folder { files: Vec::new(), folders, next: next.map(str::to_owned) }
    }

    #[test]
    fn a_walk_begins_in_the_folder_of_its_prefix_and_leaves_out_what_lies_beside_it() {
        for (prefix, begins) in [("", ""), ("a", ""), ("a/", "a/"), ("a/b/c", "a/b/")] {
            let found = Position::beginning(&Key::from(prefix)).take().unwrap();
            assert_eq!(found, Rest { folder: Key::from(begins), iter: None }, "{prefix}");
        }
        let prefix = Key::from("ab");
        let mut position = Position::beginning(&prefix);
        let root = position.take().unwrap();
        position.go_on(&root, &folder(&["a/", "ab/", "abc/", "b/"], None), &prefix);
        assert_eq!(position.take().unwrap().folder, Key::from("abc/"));
        assert_eq!(position.take().unwrap().folder, Key::from("ab/"));
        assert_eq!(position.take(), None);
    }

    #[test]
    fn a_position_is_read_back_and_what_no_row_holds_is_refused() {
        let mut position = Position::beginning(&Key::default());
        let root = position.take().unwrap();
        position.go_on(&root, &folder(&["a/", "\u{1}%/"], Some("i=")), &Key::default());
        let token = position.token().unwrap().unwrap();
        assert_eq!(Position::read(&token).unwrap(), position);
        assert_eq!(Position::read("x").unwrap_err().kind, ErrorKind::Unsupported);
        let wide: Vec<String> = (0..200).map(|n| format!("{n}{}/", "w".repeat(1_000))).collect();
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        position.go_on(&root, &folder(&wide, None), &Key::default());
        assert!(position.token().unwrap_err().to_string().contains("a longer prefix"));
        while position.take().is_some() {}
        assert_eq!(position.token().unwrap(), None);
    }
}
