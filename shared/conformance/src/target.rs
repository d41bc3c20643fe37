//! Every [`Target`] must pass each function here.

#![expect(missing_docs, reason = "the name of a case is the sentence it proves")]

mod objects;
mod uploads;

use bytes::Bytes;
use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::object::{Entry, ObjectHeaders, ObjectInfo};
use ossferry_core::ports::{ListRequest, PutAnswer, PutOptions, Target};

use crate::objects::{body, list_all};

pub use objects::*;
pub use uploads::*;

#[doc(hidden)]
#[macro_export]
macro_rules! target_cases {
    ($run:ident $given:tt) => {
        $crate::$run! { target $given [
            an_object_put_is_found_by_head_and_list
            put_answers_with_the_digests_of_the_bytes
            an_empty_object_is_put
            a_key_without_an_object_is_none
            putting_again_replaces_the_object
            a_wrong_content_md5_is_refused_and_nothing_is_published
            an_object_is_not_overwritten_where_that_is_forbidden
            headers_and_user_metadata_are_kept
            special_keys_are_put_and_listed_byte_for_byte
            a_body_that_breaks_publishes_nothing
            a_body_that_ends_early_publishes_nothing
            a_broken_body_leaves_the_object_that_was_there
            every_key_is_listed_once_in_the_order_of_its_bytes
            a_listing_begins_after_any_key
            objects_are_put_side_by_side
            the_clock_agrees_with_the_dates_of_new_objects
            requests_are_counted
            parts_written_in_any_order_become_one_object
            an_upload_is_not_visible_before_it_is_completed
            listed_parts_carry_their_numbers_sizes_and_digests
            a_part_written_again_is_replaced
            a_part_whose_body_fails_is_not_held
            headers_given_when_an_upload_begins_are_kept
            completing_replaces_the_object_unless_that_is_forbidden
            an_aborted_upload_leaves_nothing_and_may_be_aborted_again
            an_upload_that_is_gone_is_no_such_upload
            uploads_are_listed_by_exactly_their_key
            uploads_of_special_keys_are_listed_and_completed
            a_long_list_of_parts_is_given_whole
        ] }
    };
}

/// Runs every case and names the one that fails.
pub async fn every(target: &dyn Target) {
    target_cases! { run_cases (target) }
}

async fn put(target: &dyn Target, key: &Key, bytes: &Bytes) -> PutAnswer {
    put_with(target, key, bytes, &PutOptions::default()).await.expect("put object")
}

async fn put_with(
    target: &dyn Target,
    key: &Key,
    bytes: &Bytes,
    options: &PutOptions,
) -> Result<PutAnswer, PortError> {
    target.put(key, options, bytes.len() as u64, body(bytes)).await
}

async fn head(target: &dyn Target, key: &Key) -> Option<ObjectInfo> {
    target.head(key).await.expect("head object")
}

async fn list(target: &dyn Target, prefix: &str, keys_max: u32) -> Vec<Entry> {
    list_all(prefix, keys_max, |request: ListRequest| async move { target.list(&request).await })
        .await
}

/// Every header that is carried over, as a client may set it.
fn headers() -> ObjectHeaders {
    ObjectHeaders {
        content_type: Some("text/html; charset=utf-8".to_owned()),
        cache_control: Some("max-age=60, public".to_owned()),
        content_disposition: Some("attachment; filename=\"a b.html\"".to_owned()),
        content_encoding: Some("identity".to_owned()),
        content_language: Some("de, en".to_owned()),
        expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".to_owned()),
        user_metadata: vec![
            ("colour".to_owned(), "blue + green %41".to_owned()),
            ("ossferry-source".to_owned(), "d41d8cd98f00b204-7".to_owned()),
        ],
    }
}

fn assert_headers(info: ObjectInfo) {
    let mut found = info.headers;
    found.user_metadata.sort_unstable();
    assert_eq!(found, headers());
}
