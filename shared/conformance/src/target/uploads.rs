use bytes::Bytes;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::Digests;
use ossferry_core::ports::{ListedPart, PutAnswer, PutOptions, Target, UploadedPart};
use ossferry_core::proof::{Grade, Held, Streamed, Verified, check};

use super::{assert_headers, head, headers, put};
use crate::objects::{
    body, broken_body, crc64_ecma, crc64_ecma_of_both, fresh_prefix, key, some_bytes, sorted,
};
use crate::special_keys;

/// OSS takes parts of at least 100 KB, save the last.
const PART_BYTES: usize = 102_400;

/// Three parts, the last one short.
const OBJECT_BYTES: usize = 2 * PART_BYTES + 1_000;

async fn initiate(target: &dyn Target, key: &Key) -> String {
    target.initiate_upload(key, &PutOptions::default()).await.expect("initiate upload")
}

async fn upload(
    target: &dyn Target,
    key: &Key,
    upload_id: &str,
    part_number: u32,
    bytes: &Bytes,
) -> PutAnswer {
    let length = bytes.len() as u64;
    target
        .upload_part(key, upload_id, part_number, length, body(bytes))
        .await
        .unwrap_or_else(|error| panic!("upload part {part_number}: {error}"))
}

/// The parts of an object with their numbers.
fn parts_of(bytes: &Bytes) -> Vec<(u32, Bytes)> {
    let starts = (0..bytes.len()).step_by(PART_BYTES);
    let parts = starts.map(|start| bytes.slice(start..bytes.len().min(start + PART_BYTES)));
    (1..).zip(parts).collect()
}

/// What the target's own digests of its parts prove of an object.
fn prove(bytes: &Bytes, parts: &[ListedPart]) -> Verified {
    let folded = parts.iter().fold((0, 0), |(crc, length), part| {
        let part_crc = part.crc64_ecma.expect("a part has a CRC");
        (crc64_ecma_of_both(crc, part_crc, part.size), length + part.size)
    });
    prove_sum(bytes, folded)
}

fn prove_sum(bytes: &Bytes, (crc64_ecma_held, bytes_held): (u64, u64)) -> Verified {
    let length = bytes.len() as u64;
    let streamed = Streamed { bytes: length, crc64_ecma: crc64_ecma(bytes), crc64_nvme: None };
    let digests = Digests { crc64_ecma: Some(crc64_ecma_held), ..Digests::default() };
    let held = Held { bytes: bytes_held, digests };
    let verified = check(length, &Digests::default(), &streamed, &held).expect("the same bytes");
    assert_eq!(verified.grade(), Grade::C);
    verified
}

async fn list_parts(target: &dyn Target, key: &Key, upload_id: &str) -> Vec<ListedPart> {
    target.list_parts(key, upload_id).await.expect("list parts")
}

/// Completes an upload of all that the target holds of it, proved.
async fn complete(
    target: &dyn Target,
    key: &Key,
    upload_id: &str,
    bytes: &Bytes,
    options: &PutOptions,
) -> Result<PutAnswer, PortError> {
    let held = list_parts(target, key, upload_id).await;
    let proof = prove(bytes, &held);
    let parts: Vec<_> = held
        .into_iter()
        .map(|part| UploadedPart { part_number: part.part_number, etag: part.etag })
        .collect();
    target.complete_upload(key, upload_id, &parts, options, &proof).await
}

async fn upload_ids(target: &dyn Target, key: &Key) -> Vec<String> {
    let uploads = target.list_uploads(key).await.expect("list uploads");
    assert!(uploads.iter().all(|upload| upload.key == *key), "another key's: {uploads:?}");
    uploads.into_iter().map(|upload| upload.upload_id).collect()
}

async fn abort(target: &dyn Target, key: &Key, upload_id: &str) {
    target.abort_upload(key, upload_id).await.expect("abort upload");
}

pub async fn parts_written_in_any_order_become_one_object(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(20, OBJECT_BYTES));
    let upload_id = initiate(target, &object).await;
    let mut parts = parts_of(&bytes);
    parts.rotate_left(1);
    for (number, part) in &parts {
        upload(target, &object, &upload_id, *number, part).await;
    }
    let options = PutOptions::default();
    let answer = complete(target, &object, &upload_id, &bytes, &options).await.expect("complete");
    if let Some(crc) = answer.crc64_ecma {
        assert_eq!(crc, crc64_ecma(&bytes));
    }
    let info = head(target, &object).await.expect("the object is there");
    assert_eq!((info.size, info.etag), (OBJECT_BYTES as u64, Some(answer.etag)));
    assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(&bytes)));
    assert_eq!(info.digests.md5, None, "the ETag of an upload is no MD5");
    assert_eq!(upload_ids(target, &object).await, [""; 0]);
}

pub async fn an_upload_is_not_visible_before_it_is_completed(target: &dyn Target) {
    let prefix = fresh_prefix();
    let (object, bytes) = (key(&prefix, "object"), some_bytes(21, PART_BYTES));
    let upload_id = initiate(target, &object).await;
    upload(target, &object, &upload_id, 1, &bytes).await;
    assert_eq!(head(target, &object).await, None);
    assert_eq!(super::list(target, &prefix, 10).await, []);
    assert_eq!(upload_ids(target, &object).await, [upload_id.as_str()]);
    abort(target, &object, &upload_id).await;
}

pub async fn listed_parts_carry_their_numbers_sizes_and_digests(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(22, OBJECT_BYTES));
    let upload_id = initiate(target, &object).await;
    assert_eq!(list_parts(target, &object, &upload_id).await, []);
    let mut expected = Vec::new();
    for (number, part) in parts_of(&bytes) {
        let answer = upload(target, &object, &upload_id, number, &part).await;
        assert_eq!(answer.crc64_ecma, Some(crc64_ecma(&part)), "part {number}");
        expected.push(ListedPart {
            part_number: number,
            size: part.len() as u64,
            etag: answer.etag,
            crc64_ecma: answer.crc64_ecma,
        });
    }
    assert_eq!(list_parts(target, &object, &upload_id).await, expected);
    abort(target, &object, &upload_id).await;
}

pub async fn a_part_written_again_is_replaced(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(23, PART_BYTES));
    let upload_id = initiate(target, &object).await;
    upload(target, &object, &upload_id, 1, &some_bytes(24, PART_BYTES + 7)).await;
    upload(target, &object, &upload_id, 1, &bytes).await;
    let held = list_parts(target, &object, &upload_id).await;
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].crc64_ecma, Some(crc64_ecma(&bytes)));
    let options = PutOptions::default();
    complete(target, &object, &upload_id, &bytes, &options).await.expect("complete");
    let info = head(target, &object).await.expect("the object is there");
    assert_eq!(info.digests.crc64_ecma, Some(crc64_ecma(&bytes)));
}

pub async fn a_part_whose_body_fails_is_not_held(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(25, PART_BYTES));
    let upload_id = initiate(target, &object).await;
    let longer = PART_BYTES as u64 + 50_000;
    let broken = target.upload_part(&object, &upload_id, 1, longer, broken_body(&bytes)).await;
    broken.expect_err("the body breaks");
    let short = target.upload_part(&object, &upload_id, 2, longer, body(&bytes)).await;
    short.expect_err("the body ends early");
    assert_eq!(list_parts(target, &object, &upload_id).await, []);
    abort(target, &object, &upload_id).await;
}

pub async fn headers_given_when_an_upload_begins_are_kept(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(26, 1_000));
    let options = PutOptions { headers: headers(), ..PutOptions::default() };
    let upload_id = target.initiate_upload(&object, &options).await.expect("initiate upload");
    upload(target, &object, &upload_id, 1, &bytes).await;
    complete(target, &object, &upload_id, &bytes, &options).await.expect("complete");
    assert_headers(head(target, &object).await.expect("the object is there"));
}

pub async fn completing_replaces_the_object_unless_that_is_forbidden(target: &dyn Target) {
    let (object, first) = (key(&fresh_prefix(), "object"), some_bytes(27, 500));
    put(target, &object, &first).await;
    let second = some_bytes(28, 1_000);
    let upload_id = initiate(target, &object).await;
    upload(target, &object, &upload_id, 1, &second).await;
    let forbid = PutOptions { forbid_overwrite: true, ..PutOptions::default() };
    let error = complete(target, &object, &upload_id, &second, &forbid).await;
    assert_eq!(error.expect_err("it is there").kind, ErrorKind::AlreadyExists);
    let standing = head(target, &object).await.expect("the object is there");
    assert_eq!(standing.digests.crc64_ecma, Some(crc64_ecma(&first)));
    let options = PutOptions::default();
    complete(target, &object, &upload_id, &second, &options).await.expect("complete");
    let replaced = head(target, &object).await.expect("the object is there");
    assert_eq!(replaced.digests.crc64_ecma, Some(crc64_ecma(&second)));
}

pub async fn an_aborted_upload_leaves_nothing_and_may_be_aborted_again(target: &dyn Target) {
    let object = key(&fresh_prefix(), "object");
    let upload_id = initiate(target, &object).await;
    upload(target, &object, &upload_id, 1, &some_bytes(29, 1_000)).await;
    abort(target, &object, &upload_id).await;
    abort(target, &object, &upload_id).await;
    assert_eq!(head(target, &object).await, None);
    assert_eq!(upload_ids(target, &object).await, [""; 0]);
}

pub async fn an_upload_that_is_gone_is_no_such_upload(target: &dyn Target) {
    let (object, bytes) = (key(&fresh_prefix(), "object"), some_bytes(30, 1_000));
    let aborted = initiate(target, &object).await;
    let etag = upload(target, &object, &aborted, 1, &bytes).await.etag;
    abort(target, &object, &aborted).await;
    let completed = initiate(target, &object).await;
    upload(target, &object, &completed, 1, &bytes).await;
    let options = PutOptions::default();
    complete(target, &object, &completed, &bytes, &options).await.expect("complete");
    let proof = prove_sum(&bytes, (crc64_ecma(&bytes), 1_000));
    let parts = [UploadedPart { part_number: 1, etag }];
    for gone in [aborted, completed] {
        let error = target.complete_upload(&object, &gone, &parts, &options, &proof).await;
        assert_eq!(error.expect_err("complete").kind, ErrorKind::NoSuchUpload);
        let error = target.list_parts(&object, &gone).await;
        assert_eq!(error.expect_err("list parts").kind, ErrorKind::NoSuchUpload);
        let error = target.upload_part(&object, &gone, 1, 1_000, body(&bytes)).await;
        assert_eq!(error.expect_err("upload part").kind, ErrorKind::NoSuchUpload);
        abort(target, &object, &gone).await;
    }
    assert!(head(target, &object).await.is_some(), "aborting took the completed object away");
}

pub async fn uploads_are_listed_by_exactly_their_key(target: &dyn Target) {
    let prefix = fresh_prefix();
    let objects = ["a", "a/b", "a.b", "a0"].map(|rest| key(&prefix, rest));
    let mut begun = Vec::new();
    for object in objects.iter().chain([&objects[0]]) {
        begun.push((object, initiate(target, object).await));
    }
    for object in &objects {
        let mut expected: Vec<_> =
            begun.iter().filter(|(key, _)| *key == object).map(|(_, id)| id.clone()).collect();
        let mut found = upload_ids(target, object).await;
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{object}");
    }
    let listed = target.list_uploads(&objects[0]).await.expect("list uploads");
    let now = target.now().await.expect("now");
    let margin = std::time::Duration::from_mins(10);
    assert!(listed.iter().all(|upload| upload.initiated < now.plus(margin)));
    assert_eq!(upload_ids(target, &key(&prefix, "")).await, [""; 0]);
    for (object, upload_id) in begun {
        abort(target, object, &upload_id).await;
    }
}

pub async fn uploads_of_special_keys_are_listed_and_completed(target: &dyn Target) {
    let (prefix, bytes) = (fresh_prefix(), some_bytes(31, 100));
    let specials = sorted(special_keys(&prefix));
    for key in &specials {
        let upload_id = initiate(target, key).await;
        assert_eq!(upload_ids(target, key).await, [upload_id.as_str()], "{key}");
        upload(target, key, &upload_id, 1, &bytes).await;
        let options = PutOptions::default();
        let completed = complete(target, key, &upload_id, &bytes, &options).await;
        completed.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    let entries = super::list(target, &prefix, 1_000).await;
    assert_eq!(crate::objects::keys(&entries), specials);
}

pub async fn a_long_list_of_parts_is_given_whole(target: &dyn Target) {
    let object = key(&fresh_prefix(), "object");
    let upload_id = initiate(target, &object).await;
    // OSS lists at most 1,000 parts a page. They are small, because they are never completed.
    let bytes = some_bytes(32, 10);
    for first in (1..=1_050).step_by(50) {
        let parts =
            (first..first + 50).map(|number| upload(target, &object, &upload_id, number, &bytes));
        futures::future::join_all(parts).await;
    }
    let held = list_parts(target, &object, &upload_id).await;
    assert!(held.iter().map(|part| part.part_number).eq(1..=1_050));
    abort(target, &object, &upload_id).await;
}
