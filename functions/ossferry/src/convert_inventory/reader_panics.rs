//! Panics of a reader that takes a damaged file at its word.

use std::cell::Cell;
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` answers; where it panics, an error that says that the file is damaged. The panic's own words are
/// logged, and nothing goes to standard error.
///
/// The reader of ORC slices by the lengths that stand in a file, and unwraps what does not unpack. Whoever calls
/// this must not use again what a panic may have left half done. Every profile unwinds: Cargo.toml says why.
pub(super) fn contained<T, E: Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CONTAINED.get() {
                usual(panic);
            }
        }));
    });
    IS_CONTAINED.set(true);
    let read = panic::catch_unwind(AssertUnwindSafe(read));
    IS_CONTAINED.set(false);
    match read {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            tracing::debug!(said, "a reader panicked");
            Err("it is damaged".to_owned())
        }
    }
}
