//! What every adapter of a port must do: behaviour written once, run for each adapter.
//!
//! Each case is a function whose name is the sentence it proves. A port's `every` runs all of them
//! one after another and names the one that fails; [`conformance!`] makes a test of each. The cases
//! keep apart by random names, so they may share a table, a bucket or a folder, and run at once;
//! only a queue belongs to one case at a time.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

pub mod memory;
mod objects;
pub mod queue;
pub mod source;
mod special_keys;
pub mod table;
pub mod target;

pub use special_keys::special_keys;

/// Makes one `#[tokio::test]` for each case of a port (`table`, `queue`, `source` or `target`).
///
/// The expression is evaluated in each test. It gives a pair: what must live as long as the test,
/// and the adapter (a source's fixture) in an `Arc` or `Box`; it may `.await`.
///
/// ```ignore
/// ossferry_conformance::conformance!(sqlite_table, table, temporary_table());
/// ```
#[macro_export]
macro_rules! conformance {
    ($module:ident, table, $subject:expr) => {
        $crate::table_cases! { test_cases ($module, $subject) }
    };
    ($module:ident, queue, $subject:expr) => {
        $crate::queue_cases! { test_cases ($module, $subject) }
    };
    ($module:ident, source, $subject:expr) => {
        $crate::source_cases! { test_cases ($module, $subject) }
    };
    ($module:ident, target, $subject:expr) => {
        $crate::target_cases! { test_cases ($module, $subject) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! test_cases {
    ($port:ident ($module:ident, $subject:expr) [$($case:ident)*]) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (_kept, subject) = $subject;
                    $crate::$port::$case(&*subject).await;
                }
            )*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! run_cases {
    ($port:ident ($subject:expr) [$($case:ident)*]) => {
        $( $crate::named(stringify!($port), stringify!($case), $crate::$port::$case($subject)).await; )*
    };
}

/// Runs every case of a port at once, each with a subject of its own: for adapters whose cases mostly
/// wait. The expression is as for [`conformance!`].
#[macro_export]
macro_rules! all_at_once {
    (table, $subject:expr) => {
        $crate::table_cases! { run_at_once ($subject) }
    };
    (queue, $subject:expr) => {
        $crate::queue_cases! { run_at_once ($subject) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! run_at_once {
    ($port:ident ($subject:expr) [$($case:ident)*]) => {
        $crate::join_all(vec![ $( $crate::boxed(async {
            let (_kept, subject) = $subject;
            $crate::named(stringify!($port), stringify!($case), $crate::$port::$case(&*subject))
                .await;
        }) ),* ])
        .await
    };
}

#[doc(hidden)]
pub use futures::future::join_all;

#[doc(hidden)]
pub fn boxed<'a>(case: impl Future<Output = ()> + 'a) -> LocalBoxFuture<'a, ()> {
    case.boxed_local()
}

/// Runs one case and, where it fails, fails with its name.
#[doc(hidden)]
pub async fn named(port: &str, case: &str, run: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(run).catch_unwind().await {
        panic!("{port}: {}: {}", case.replace('_', " "), words_of(panic.as_ref()));
    }
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked without words")
}

/// A name that no other case has.
fn fresh(name: &str) -> String {
    format!("{name}-{:016x}", fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_case_that_fails_is_named() {
        let failing = named("table", "a_row_is_found", async { panic!("it was not") });
        let panic = AssertUnwindSafe(failing).catch_unwind().await.unwrap_err();
        assert_eq!(words_of(panic.as_ref()), "table: a row is found: it was not");
    }
}
