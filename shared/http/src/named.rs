//! What a request for an object needs first.

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;

/// The key, which must not be empty: without one a request would mean the bucket itself.
pub fn named<'a>(key: &'a Key, operation: &str) -> Result<&'a Key, PortError> {
    if key.is_empty() {
        let message = format!("{operation}: the key is empty");
        return Err(PortError::new(ErrorKind::Unsupported, message));
    }
    Ok(key)
}
