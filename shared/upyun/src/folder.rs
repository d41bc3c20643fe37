//! One page of a folder, as the service lists it.

use ossferry_core::key::Key;
use serde::Deserialize;

/// Stands where the next page would begin, after the last one.
const END: &str = "g2gCZAAEbmV4dGQAA2VvZg";

/// What is in a folder, or in a part of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) files: Vec<Key>,
    /// Each with a slash at its end.
    pub(crate) folders: Vec<Key>,
    /// Where the next page of the folder begins.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    files: Vec<Child>,
    #[serde(default)]
    iter: String,
}

#[derive(Deserialize)]
struct Child {
    name: String,
    /// `folder`, or the type of the file's content.
    #[serde(rename = "type")]
    kind: String,
}

impl Folder {
    /// Reads the answer of a listing of `parent`, which is empty or ends with a slash.
    pub(crate) fn read(parent: &Key, body: &[u8]) -> Result<Self, String> {
        let listed: Listed = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for Child { name, kind } in listed.files {
            if name.is_empty() || name.contains('/') {
                return Err(format!("{name:?} is no name in a folder"));
            }
            let is_folder = kind == "folder";
            let mut key = parent.as_bytes().to_vec();
            key.extend_from_slice(name.as_bytes());
            if is_folder {
                key.push(b'/');
            }
            if is_folder { &mut folders } else { &mut files }.push(Key::new(key));
        }
        let next = Some(listed.iter).filter(|iter| !iter.is_empty() && iter != END);
        Ok(Self { files, folders, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_and_the_last_page_is_known() {
        let body = r#"{"files":[{"type":"folder","length":0,"name":"sub","last_modified":1},
            {"type":"image/png","length":7,"name":"b c.png","last_modified":2}],"iter":"x="}"#;
        let folder = Folder::read(&Key::from("a/"), body.as_bytes()).unwrap();
        assert_eq!(folder.files, [Key::from("a/b c.png")]);
        assert_eq!(folder.folders, [Key::from("a/sub/")]);
        assert_eq!(folder.next.as_deref(), Some("x="));
        for iter in ["", END] {
            let body = format!("{{\"files\":[],\"iter\":\"{iter}\"}}");
            assert_eq!(Folder::read(&Key::default(), body.as_bytes()).unwrap().next, None);
        }
        for body in ["<html>", r#"{"files":[{"type":"a/b","name":"../x"}],"iter":""}"#] {
            Folder::read(&Key::default(), body.as_bytes()).unwrap_err();
        }
    }
}
