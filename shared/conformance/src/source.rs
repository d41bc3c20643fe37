//! Every [`Source`] must pass each function here.

#![expect(missing_docs, reason = "the name of a case is the sentence it proves")]

mod listing;
mod reading;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::object::{Entry, ObjectHeaders};
use ossferry_core::ports::{ListRequest, Source};

use crate::objects::{key, list_all};

pub use listing::*;
pub use reading::*;

/// A source together with the means to put objects there, which the port has not.
#[async_trait]
pub trait SourceFixture: Send + Sync {
    /// The adapter.
    fn source(&self) -> Arc<dyn Source>;

    /// Whether an object of this key can exist there at all.
    fn can_hold(&self, key: &Key) -> bool;

    /// Whether the store takes a folder for an object, and a key that it cannot hold for another.
    fn folds_keys(&self) -> bool {
        false
    }

    /// Requests that a page of one key costs.
    fn page_requests(&self) -> u64 {
        1
    }

    /// Whether its clock stands at the beginning of time, so that no date is trusted.
    fn is_undated(&self) -> bool {
        false
    }

    /// Requests that a whole object costs.
    fn object_requests(&self) -> u64 {
        1
    }

    /// What the source says of an object of this key that was put with these headers.
    fn carried(&self, key: &Key, headers: &ObjectHeaders) -> ObjectHeaders;

    /// Makes or overwrites an object.
    async fn put(&self, key: &Key, bytes: Bytes, headers: &ObjectHeaders);

    /// Deletes an object.
    async fn delete(&self, key: &Key);
}

#[doc(hidden)]
#[macro_export]
macro_rules! source_cases {
    ($run:ident $given:tt) => {
        $crate::$run! { source $given [
            every_key_is_listed_once_over_small_pages
            a_prefix_without_objects_lists_nothing
            a_listing_holds_only_its_prefix
            keys_come_in_the_order_of_their_bytes
            a_listing_begins_after_any_key
            pages_begin_after_the_last_key_as_they_do_by_token
            special_keys_are_listed_and_read_byte_for_byte
            size_and_etag_agree_in_list_head_and_open
            an_object_is_read_whole
            ranges_of_an_object_are_read
            an_empty_object_is_read
            another_pin_is_refused
            an_overwritten_object_is_refused_under_its_old_pin
            what_is_not_there_is_no_such_key
            headers_are_carried
            objects_are_read_side_by_side
            the_clock_agrees_with_the_dates_of_new_objects
            requests_are_counted
        ] }
    };
}

/// Runs every case and names the one that fails.
pub async fn every(fixture: &dyn SourceFixture) {
    source_cases! { run_cases (fixture) }
}

async fn put(fixture: &dyn SourceFixture, prefix: &str, rest: &str, bytes: Bytes) -> Key {
    let key = key(prefix, rest);
    fixture.put(&key, bytes, &ObjectHeaders::default()).await;
    key
}

async fn list(fixture: &dyn SourceFixture, prefix: &str, keys_max: u32) -> Vec<Entry> {
    let source = fixture.source();
    let list = |request: ListRequest| {
        let source = source.clone();
        async move { source.list(&request).await }
    };
    list_all(prefix, keys_max, list).await
}
