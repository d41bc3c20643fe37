//! Lists a tree in the order of its keys, from any key on.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::Entry;

use super::failure;
use super::left_out::NoObject;
use super::names::{NO_OBJECT, Names};
use super::tree::{FileState, Seen, Tree, open_folder};

/// A folder that the walk is in.
struct Frame {
    folder: OwnedFd,
    names: Arc<Names>,
    /// Index of the next name.
    next: usize,
    /// Length of the folder's own key, with its last `/`.
    key_bytes: usize,
}

/// The first `keys_max` objects whose keys begin with `prefix` and sort after `after`. Fewer only
/// where no more are there.
///
/// Memory is that of the folders from the root to where the walk stands, and of the page.
pub(super) fn page(
    tree: &Tree,
    prefix: &[u8],
    after: Option<&[u8]>,
    keys_max: usize,
) -> Result<Vec<Entry>, PortError> {
    let bounds = Bounds { prefix, after };
    let mut entries = Vec::new();
    let mut key = Vec::new();
    let mut stack = vec![enter(tree, tree.open_root()?, &key, bounds)?];
    while let Some(frame) = stack.last_mut()
        && entries.len() < keys_max
    {
        key.truncate(frame.key_bytes);
        let Some(name) = frame.names.get(frame.next) else {
            stack.pop();
            continue;
        };
        key.extend_from_slice(name);
        frame.next += 1;
        if !bounds.may_hold(&key) {
            // The walk began at the first key of the prefix, so this is beyond its last.
            break;
        }
        if name.ends_with(NO_OBJECT) {
            key.pop();
            tree.left_out().note(NoObject::Special, &key);
        } else if let Some(name) = name.strip_suffix(b"/") {
            match open_folder(&frame.folder, name, &key).and_then(|folder| {
                folder.map(|folder| enter(tree, folder, &key, bounds)).transpose()
            }) {
                Ok(None) => {}
                Ok(Some(frame)) if frame.names.is_empty() => {
                    tree.left_out().note(NoObject::EmptyFolder, &key);
                }
                Ok(Some(frame)) => stack.push(frame),
                Err(error) => entries.extend(bounds.hole(&key, error)?),
            }
        } else {
            match tree.look_at(&frame.folder, name, &key) {
                Ok(Seen::File(state)) => entries.push(entry(&key, &state)),
                Ok(Seen::No(kind)) => tree.left_out().note(kind, &key),
                Ok(Seen::Gone) => {}
                Err(error) => entries.extend(bounds.hole(&key, error)?),
            }
        }
    }
    Ok(entries)
}

fn enter(tree: &Tree, folder: OwnedFd, key: &[u8], bounds: Bounds<'_>) -> Result<Frame, PortError> {
    let names = tree
        .names()
        .names(&folder, tree.now())
        .map_err(|error| failure("list", key, &error.into()))?;
    let next = names.first_not(|name| bounds.is_before(key, name));
    Ok(Frame { folder, names, next, key_bytes: key.len() })
}

fn entry(key: &[u8], state: &FileState) -> Entry {
    Entry {
        key: Key::new(key.to_vec()),
        size: state.size,
        etag: Some(state.etag()),
        last_modified: Some(state.last_modified()),
        storage_class: None,
        archived: false,
    }
}

/// Which keys are asked for.
#[derive(Clone, Copy)]
struct Bounds<'a> {
    prefix: &'a [u8],
    after: Option<&'a [u8]>,
}

impl Bounds<'_> {
    /// Whether nothing asked for can be at or below `name` of the folder `folder`, because it all
    /// sorts later. Never true again after it was false, so that the first can be searched by halves.
    fn is_before(self, folder: &[u8], name: &[u8]) -> bool {
        // A bound that does not lead through this folder lies before it: else we were not here.
        let is_folder = name.ends_with(b"/");
        let leads_into = |rest: &[u8]| is_folder && rest.starts_with(name);
        let before_after = |after: &[u8]| {
            after.strip_prefix(folder).is_some_and(|rest| name <= rest && !leads_into(rest))
        };
        let before_prefix =
            self.prefix.strip_prefix(folder).is_some_and(|rest| name < rest && !leads_into(rest));
        before_prefix || self.after.is_some_and(before_after)
    }

    /// What stands in the listing for something that may not be read: an object that cannot be opened,
    /// so that the rest is walked and the hole ends in the report by its name. It has neither `ETag` nor
    /// date, so that nothing at the target can pass for it. `None` where a page before had it.
    ///
    /// Fails with `error` where it is another, and where no such object would lie within the bounds.
    fn hole(self, key: &[u8], error: PortError) -> Result<Option<Entry>, PortError> {
        let is_within = |after: &[u8]| key >= after;
        if error.kind != ErrorKind::AccessDenied
            || !key.starts_with(self.prefix)
            || !self.after.is_none_or(is_within)
        {
            return Err(error);
        }
        if self.after == Some(key) {
            return Ok(None);
        }
        tracing::warn!(%error, "this cannot be read, and will be reported as failed");
        Ok(Some(Entry {
            key: Key::new(key.to_vec()),
            size: 0,
            etag: None,
            last_modified: None,
            storage_class: None,
            archived: false,
        }))
    }

    /// Whether keys of the prefix can be at or below this key, a folder's where it ends in `/`.
    fn may_hold(self, key: &[u8]) -> bool {
        key.starts_with(self.prefix) || (key.ends_with(b"/") && self.prefix.starts_with(key))
    }
}
