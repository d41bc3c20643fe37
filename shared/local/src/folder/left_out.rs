//! What a listing meets that is no object: counted, and told at its end.

use std::sync::{Mutex, PoisonError};

use ossferry_core::key::Key;

/// Why something in the folder is no object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoObject {
    EmptyFolder,
    LinkToFolder,
    LinkOutside,
    DanglingLink,
    /// A pipe, a socket or a device.
    Special,
}

impl NoObject {
    const ALL: [Self; 5] = [
        Self::EmptyFolder,
        Self::LinkToFolder,
        Self::LinkOutside,
        Self::DanglingLink,
        Self::Special,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::EmptyFolder => "empty folders",
            Self::LinkToFolder => "links to folders",
            Self::LinkOutside => "links out of the folder",
            Self::DanglingLink => "links to nothing",
            Self::Special => "pipes, sockets and devices",
        }
    }
}

/// What was met since it was told last, by kind.
#[derive(Default)]
pub(super) struct LeftOut(Mutex<[Option<Met>; NoObject::ALL.len()]>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Met {
    count: u64,
    /// The first.
    example: Key,
}

impl LeftOut {
    pub(super) fn note(&self, kind: NoObject, key: &[u8]) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met[kind as usize]
            .get_or_insert_with(|| Met { count: 0, example: Key::new(key.to_vec()) })
            .count += 1;
    }

    /// One line a kind, however many were met, and none of what was told before.
    pub(super) fn tell(&self) {
        for (kind, Met { count, example }) in self.take() {
            tracing::warn!(kind = kind.as_str(), count, %example, "left out: these are no objects");
        }
    }

    pub(super) fn take(&self) -> Vec<(NoObject, Met)> {
        let met = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        NoObject::ALL.into_iter().zip(met).filter_map(|(kind, met)| Some((kind, met?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::Arc;

    use ossferry_core::time::Timestamp;

    use crate::folder::{tree::Tree, walk};

    #[test]
    fn what_is_no_object_is_counted_by_kind_with_its_first_key_however_small_the_pages() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("empty/deeper")).unwrap();
        fs::create_dir(at("full")).unwrap();
        for name in ["full/a", "full/b", "z"] {
            fs::write(at(name), b"1").unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(at("full/socket")).unwrap();
        for (to, name) in
            [("full", "f1"), (".", "f2"), ("no", "d1"), ("full/d", "d2"), ("d3", "d3")]
        {
            symlink(to, at(name)).unwrap();
        }
        symlink(Path::new("/"), at("out")).unwrap();
        let tree = Tree::open(root.path(), Arc::new(|| Timestamp(0))).unwrap();
        for keys_max in [1, 2, 100] {
            let mut after: Option<Key> = None;
            loop {
                let from = after.as_ref().map(Key::as_bytes);
                let page = walk::page(&tree, b"", from, keys_max).unwrap();
                let is_last = page.len() < keys_max;
                after = page.last().map(|entry| entry.key.clone()).or(after);
                if is_last {
                    break;
                }
            }
            let met = |count, example| Met { count, example: Key::from(example) };
            let expected = [
                (NoObject::EmptyFolder, met(1, "empty/deeper/")),
                (NoObject::LinkToFolder, met(2, "f1")),
                (NoObject::LinkOutside, met(1, "out")),
                (NoObject::DanglingLink, met(3, "d1")),
                (NoObject::Special, met(1, "full/socket")),
            ];
            assert_eq!(tree.left_out().take(), expected, "{keys_max}");
        }
        assert!(tree.left_out().take().is_empty(), "nothing is told twice");
    }
}
