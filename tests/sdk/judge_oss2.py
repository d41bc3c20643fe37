"""Judges an OSS endpoint by oss2, the older Python SDK: every operation there and back, signed with
V1 and then with V4.

python judge_oss2.py --endpoint http://127.0.0.1:PORT --bucket B --access-key A --secret-key S --region R
"""

import base64
import hashlib
import logging
import os
import tempfile
import time
from unittest import mock

import oss2
import requests
from oss2 import exceptions, models

from checks import DOT_KEYS, SPECIAL_KEYS, equal, md5_etag, noise, parse_arguments, run

PART = 100 * 1024


class Judge:
    def __init__(self, arguments, version):
        self.arguments = arguments
        self.version = version
        self.label = f"{version}: "
        self.prefix = f"{arguments.prefix}{version}/"
        self.bucket = self.make_bucket()
        self.name = arguments.bucket

    def auth(self, access_key=None, secret_key=None):
        a = self.arguments
        return oss2.make_auth(
            access_key or a.access_key, secret_key or a.secret_key, self.version
        )

    def make_bucket(self, name=None, **credentials):
        a = self.arguments
        return oss2.Bucket(
            self.auth(**credentials),
            a.endpoint,
            name or a.bucket,
            region=a.region,
            # Whether a leading \\ or a long key is refused is for the server to say.
            is_verify_object_strict=False,
        )

    def key(self, name):
        return self.prefix + name


def refused(status, code, call):
    """Calls, and expects this error."""
    try:
        call()
    except exceptions.ServerError as error:
        equal((error.status, error.code), (status, code), "error")
        if not error.request_id:
            raise AssertionError("the error has no request id") from error
        return error
    raise AssertionError(f"accepted, expected {status} {code}")


def put_and_get_give_the_same_bytes(j):
    for size in (0, 1, 4096, 1 << 20, (1 << 20) + 1, 5_000_000):
        data, key = noise(size), j.key(f"bytes-{size}")
        put = j.bucket.put_object(key, data)
        equal(put.etag, md5_etag(data), "ETag")
        got = j.bucket.get_object(key)
        equal(got.read() == data, True, f"{size} bytes")
        equal((got.server_crc, put.crc), (put.crc, got.client_crc), "CRC-64")
        equal((got.content_length, got.object_type), (size, "Normal"))


def bodies_of_unknown_length_are_taken(j):
    pieces = [noise(70_000, seed) for seed in range(1, 30)]
    key = j.key("chunked")
    put = j.bucket.put_object(key, iter(pieces))
    equal(put.etag, md5_etag(b"".join(pieces)))
    equal(j.bucket.get_object(key).read() == b"".join(pieces), True, "bytes")


def headers_and_user_metadata_come_back(j):
    given = {
        "Cache-Control": "no-cache",
        "Content-Disposition": "attachment",
        "Content-Encoding": "identity",
        "Content-Type": "text/x-judge",
        "Expires": "Fri, 24 Feb 2032 17:03:43 GMT",
        "x-oss-meta-author": "alice",
        "x-oss-meta-two-words": "1 2",
        "x-oss-storage-class": "IA",
        "x-oss-server-side-encryption": "AES256",
    }
    j.bucket.put_object(j.key("headers"), b"x", headers={**given, "x-oss-tagging": "a=1&b=2"})
    head = j.bucket.head_object(j.key("headers"))
    for name, value in given.items():
        equal(head.headers[name], value, name)
    equal(head.headers["x-oss-tagging-count"], "2")
    meta = j.bucket.get_object_meta(j.key("headers"))
    equal((meta.content_length, meta.headers.get("x-oss-meta-author")), (1, None))
    refused(
        400,
        "InvalidArgument",
        lambda: j.bucket.put_object(j.key("h"), b"", headers={"x-oss-meta-a_b": "1"}),
    )


def archived_objects_must_be_restored_first(j):
    key = j.key("archived")
    j.bucket.put_object(key, b"x", headers={"x-oss-storage-class": "Archive"})
    equal(j.bucket.head_object(key).headers["x-oss-storage-class"], "Archive")
    refused(403, "InvalidObjectState", lambda: j.bucket.get_object(key))


def content_md5_and_forbid_overwrite_are_heeded(j):
    key = j.key("md5")
    bad = {"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}
    refused(400, "InvalidDigest", lambda: j.bucket.put_object(key, b"hello", headers=bad))
    equal(j.bucket.object_exists(key), False)
    once = {"x-oss-forbid-overwrite": "true"}
    j.bucket.put_object(key, b"first", headers=once)
    refused(409, "FileAlreadyExists", lambda: j.bucket.put_object(key, b"2", headers=once))
    equal(j.bucket.get_object(key).read(), b"first")


def ranges_are_those_of_oss(j):
    data, key = noise(1000), j.key("range")
    j.bucket.put_object(key, data)
    for byte_range, first, last in (((0, 499), 0, 499), ((500, None), 500, 999), ((None, 1), 999, 999)):
        got = j.bucket.get_object(key, byte_range=byte_range)
        equal((got.status, got.content_range), (206, f"bytes {first}-{last}/1000"))
        equal(got.read(), data[first : last + 1], str(byte_range))
    got = j.bucket.get_object(key, byte_range=(500, 2000))
    equal((got.status, got.read() == data), (200, True))
    standard = {"x-oss-range-behavior": "standard"}
    got = j.bucket.get_object(key, byte_range=(500, 2000), headers=standard)
    equal((got.status, got.read()), (206, data[500:]))
    refused(
        416,
        "InvalidRange",
        lambda: j.bucket.get_object(key, byte_range=(1000, 2000), headers=standard),
    )


def conditions_are_judged(j):
    key = j.key("conditions")
    etag = j.bucket.put_object(key, b"x").etag
    for call in (j.bucket.get_object, j.bucket.head_object):
        call(key, headers={"If-Match": f'"{etag}"'})
        refused(412, "PreconditionFailed", lambda: call(key, headers={"If-Match": '"0"'}))
        past = {"If-Unmodified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"}
        refused(412, "PreconditionFailed", lambda: call(key, headers=past))
        try:
            call(key, headers={"If-None-Match": f'"{etag}"'})
        except exceptions.NotModified as error:
            equal(error.status, 304)
        else:
            raise AssertionError("accepted If-None-Match")


def special_keys_are_kept_byte_for_byte(j):
    folder = j.key("special/")
    keys = [(folder + key)[:1023] for key in SPECIAL_KEYS + DOT_KEYS]
    for number, key in enumerate(keys):
        j.bucket.put_object(key, f"body {number}")
    for number, key in enumerate(keys):
        equal(j.bucket.get_object(key).read(), f"body {number}".encode(), key)
    listed = [entry.key for entry in oss2.ObjectIteratorV2(j.bucket, prefix=folder)]
    equal(listed, sorted(keys, key=str.encode))
    for key in ("/leading", "\\leading", "k" * 1024):
        refused(400, "InvalidObjectName", lambda: j.bucket.put_object(key, b""))


def keys_that_are_dots_are_kept(j):
    for key in (".", "..", "../x", "./"):
        with mock.patch("requests.models.PreparedRequest.prepare_url", raw_url):
            j.bucket.put_object(key, key)
            equal(j.bucket.get_object(key).read(), key.encode(), key)
            equal(j.bucket.list_objects(prefix=key, max_keys=1).object_list[0].key, key)
            j.bucket.delete_object(key)


def raw_url(request, url, params):
    """The URL as it is: requests would fold its dots."""
    query = "&".join(
        requests.utils.quote(name, safe="")
        + (("=" + requests.utils.quote(str(value), safe="")) if value != "" else "")
        for name, value in (params or {}).items()
    )
    request.url = url + ("?" + query if query else "")


def listings_page_by_bytes(j):
    names = ["a", "a-b", "a/1", "a/2", "b/x/1", "c d+e", "é"]
    for name in names:
        j.bucket.put_object(j.key("list/" + name), name)
    folder = j.key("list/")
    for limit in (1, 2, 100):
        for iterate in (oss2.ObjectIterator, oss2.ObjectIteratorV2):
            entries = iterate(j.bucket, prefix=folder, max_keys=limit)
            keys = [entry.key for entry in entries]
            equal(keys, [folder + name for name in names], f"{iterate.__name__} {limit}")
            entries = iterate(j.bucket, prefix=folder, delimiter="/", max_keys=limit)
            seen = [(entry.key, entry.is_prefix()) for entry in entries]
            rolled = [("a", False), ("a-b", False), ("a/", True), ("b/", True), ("c d+e", False), ("é", False)]
            equal(seen, [(folder + name, prefix) for name, prefix in rolled], f"delimiter {limit}")
    page = j.bucket.list_objects_v2(prefix=folder, start_after=folder + "a/1", fetch_owner=True)
    equal([entry.key for entry in page.object_list], [folder + name for name in names[3:]])
    equal(page.object_list[0].owner is not None, True, "owner")


def deletes_one_and_many(j):
    keys = [j.key(f"delete/{number} <&>") for number in range(3)]
    for key in keys:
        j.bucket.put_object(key, b"x")
    for _ in range(2):
        equal(j.bucket.delete_object(keys[0]).status, 204)
    equal(j.bucket.batch_delete_objects(keys).deleted_keys, keys)
    equal([j.bucket.object_exists(key) for key in keys], [False] * 3)


def copies_keep_or_replace_metadata(j):
    source, target = j.key("from +"), j.key("to")
    j.bucket.put_object(source, b"copied", headers={"x-oss-meta-a": "1"})
    equal(j.bucket.copy_object(j.name, source, target).etag, md5_etag(b"copied"))
    equal(j.bucket.head_object(target).headers["x-oss-meta-a"], "1")
    j.bucket.update_object_meta(target, {"x-oss-meta-b": "2", "Content-Type": "text/x"})
    head = j.bucket.head_object(target)
    equal((head.headers.get("x-oss-meta-a"), head.headers["x-oss-meta-b"]), (None, "2"))
    equal(j.bucket.get_object(target).read(), b"copied")
    refused(404, "NoSuchKey", lambda: j.bucket.copy_object(j.name, j.key("none"), target))


def multipart_uploads_become_objects(j):
    key = j.key("multi +")
    upload_id = j.bucket.init_multipart_upload(key, headers={"x-oss-meta-m": "1"}).upload_id
    pieces = [noise(PART, 1), noise(1_500_000, 2), b"end"]
    parts = []
    for number, piece in enumerate(pieces, 1):
        part = j.bucket.upload_part(key, upload_id, number, piece)
        equal(part.etag, md5_etag(piece), "part ETag")
        parts.append(models.PartInfo(number, part.etag, size=len(piece), part_crc=part.crc))
    listed = list(oss2.PartIterator(j.bucket, key, upload_id, max_parts=2))
    equal([(p.part_number, p.size) for p in listed], [(p.part_number, p.size) for p in parts])
    uploads = list(oss2.ObjectUploadIterator(j.bucket, key, max_uploads=1))
    equal([upload.upload_id for upload in uploads], [upload_id])
    done = j.bucket.complete_multipart_upload(key, upload_id, parts)
    equal(done.etag.endswith("-3"), True, done.etag)
    got = j.bucket.get_object(key)
    equal((got.read() == b"".join(pieces), got.client_crc), (True, done.crc))
    equal((got.object_type, got.headers["x-oss-meta-m"]), ("Multipart", "1"))
    refused(
        404, "NoSuchUpload", lambda: j.bucket.complete_multipart_upload(key, upload_id, parts)
    )


def complete_all_and_abort_work(j):
    key = j.key("all")
    upload_id = j.bucket.init_multipart_upload(key).upload_id
    j.bucket.upload_part(key, upload_id, 2, b"end")
    j.bucket.upload_part(key, upload_id, 1, noise(PART))
    everything = {"x-oss-complete-all": "yes"}
    j.bucket.complete_multipart_upload(key, upload_id, None, headers=everything)
    equal(j.bucket.head_object(key).content_length, PART + 3)
    upload_id = j.bucket.init_multipart_upload(key).upload_id
    j.bucket.upload_part(key, upload_id, 1, b"x")
    page = j.bucket.list_multipart_uploads(prefix=key)
    equal([upload.upload_id for upload in page.upload_list], [upload_id])
    page = j.bucket.list_multipart_uploads(prefix=j.prefix, delimiter="l")
    equal(page.prefix_list, [j.key("al")], "common prefixes")
    j.bucket.abort_multipart_upload(key, upload_id)
    refused(404, "NoSuchUpload", lambda: j.bucket.abort_multipart_upload(key, upload_id))


def parts_can_be_copied(j):
    source, target, data = j.key("part-source"), j.key("part-target"), noise(2 * PART)
    j.bucket.put_object(source, data)
    upload_id = j.bucket.init_multipart_upload(target).upload_id
    parts = []
    for number, byte_range in ((1, (0, PART - 1)), (2, (PART, 2 * PART - 1))):
        part = j.bucket.upload_part_copy(j.name, source, byte_range, target, upload_id, number)
        parts.append(models.PartInfo(number, part.etag))
    j.bucket.complete_multipart_upload(target, upload_id, parts)
    equal(j.bucket.get_object(target).read() == data, True, "bytes")


def files_are_uploaded_and_downloaded_in_parts(j):
    data, key = noise(3_300_000), j.key("resumable")
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "source"), os.path.join(folder, "target")
        with open(source, "wb") as file:
            file.write(data)
        settings = {"part_size": 500_000, "multiget_threshold": 100_000, "num_threads": 3}
        oss2.resumable_upload(
            j.bucket,
            key,
            source,
            store=oss2.ResumableStore(root=folder),
            multipart_threshold=100_000,
            part_size=500_000,
            num_threads=3,
        )
        equal(j.bucket.head_object(key).object_type, "Multipart")
        store = oss2.ResumableDownloadStore(root=folder)
        oss2.resumable_download(j.bucket, key, target, store=store, **settings)
        with open(target, "rb") as file:
            equal(file.read() == data, True, "bytes")


def an_interrupted_upload_is_taken_up_again(j):
    data, key = noise(1_000_000), j.key("interrupted")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "source")
        with open(source, "wb") as file:
            file.write(data)
        settings = {
            "store": oss2.ResumableStore(root=folder),
            "multipart_threshold": 100_000,
            "part_size": 200_000,
            "num_threads": 1,
        }
        sent, upload_part = [], oss2.Bucket.upload_part

        def failing(bucket, key, upload_id, number, *rest, **more):
            if len(sent) == 2:
                raise exceptions.RequestError(OSError("unplugged"))
            sent.append(number)
            return upload_part(bucket, key, upload_id, number, *rest, **more)

        with mock.patch.object(oss2.Bucket, "upload_part", failing):
            try:
                oss2.resumable_upload(j.bucket, key, source, **settings)
            except exceptions.RequestError:
                pass
            else:
                raise AssertionError("not interrupted")
        uploads = list(oss2.ObjectUploadIterator(j.bucket, key))
        equal(len(uploads), 1, "uploads left")
        oss2.resumable_upload(j.bucket, key, source, **settings)
        equal(list(oss2.ObjectUploadIterator(j.bucket, key)), [], "uploads left")
        equal(j.bucket.get_object(key).read() == data, True, "bytes")


def tags_are_put_read_and_deleted(j):
    key = j.key("tagged")
    j.bucket.put_object(key, b"x")
    rule = models.TaggingRule()
    rule.add("k 1", "v+&")
    rule.add("k2", "v2")
    j.bucket.put_object_tagging(key, models.Tagging(rule))
    seen = j.bucket.get_object_tagging(key).tag_set.tagging_rule
    equal(seen, {"k 1": "v+&", "k2": "v2"})
    equal(j.bucket.head_object(key).headers["x-oss-tagging-count"], "2")
    j.bucket.delete_object_tagging(key)
    equal(j.bucket.get_object_tagging(key).tag_set.tagging_rule, {})


def website_configurations_are_put_read_and_deleted(j):
    rule = models.RoutingRule(
        rule_num=1,
        condition=models.Condition(key_prefix_equals="p/", http_err_code_return_equals=404),
        redirect=models.Redirect(redirect_type="Mirror", mirror_url="https://source/"),
    )
    j.bucket.delete_bucket_website()
    refused(404, "NoSuchWebsiteConfiguration", j.bucket.get_bucket_website)
    j.bucket.put_bucket_website(models.BucketWebsite("index.html", "error.html", [rule]))
    seen = j.bucket.get_bucket_website()
    equal((seen.index_file, seen.rules[0].redirect.mirror_url), ("index.html", "https://source/"))
    j.bucket.delete_bucket_website()
    refused(404, "NoSuchWebsiteConfiguration", j.bucket.get_bucket_website)


def buckets_are_made_described_and_removed(j):
    info = j.bucket.get_bucket_info()
    equal((info.name, info.location), (j.name, f"oss-{j.arguments.region}"))
    equal(j.bucket.get_bucket_location().location, f"oss-{j.arguments.region}")
    equal(j.bucket.get_bucket_versioning().status, None, "versioning")
    equal(j.bucket.get_bucket_acl().acl, "private")
    equal(j.bucket.get_bucket_stat().object_count > 0, True)
    other = j.make_bucket(f"judge-{time.time_ns():x}")
    refused(404, "NoSuchBucket", other.get_bucket_info)
    other.create_bucket()
    service = oss2.Service(j.auth(), j.arguments.endpoint, region=j.arguments.region)
    names = {bucket.name for bucket in oss2.BucketIterator(service)}
    equal({j.name, other.bucket_name} <= names, True, "buckets")
    other.put_object("k", b"v")
    refused(409, "BucketNotEmpty", other.delete_bucket)
    other.delete_object("k")
    other.delete_bucket()


def signatures_are_verified(j):
    key = j.key("signed +é")
    j.bucket.put_object(key, b"x", headers={"x-oss-meta-a": "b"})
    wrong, nobody = j.make_bucket(secret_key="wrong"), j.make_bucket(access_key="nobody")
    for bucket, code in ((wrong, "SignatureDoesNotMatch"), (nobody, "InvalidAccessKeyId")):
        refused(403, code, lambda: bucket.get_object(key))
        refused(403, code, lambda: bucket.head_object(key))
        refused(403, code, lambda: bucket.put_object(key, noise(200_000)))
        refused(403, code, lambda: bucket.list_objects_v2())
    equal(j.bucket.get_object(key).read(), b"x")


def presigned_requests_are_verified(j):
    key = j.key("presigned +é")
    headers = {"Content-Type": "text/x-p", "x-oss-meta-a": "1"}
    url = j.bucket.sign_url("PUT", key, 300, headers=headers)
    equal(requests.put(url, data=b"presigned", headers=headers, timeout=30).status_code, 200)
    changed = {**headers, "x-oss-meta-a": "2"}
    equal(requests.put(url, data=b"no", headers=changed, timeout=30).status_code, 403)
    url = j.bucket.sign_url("GET", key, 300, params={"response-content-type": "text/y"})
    answer = requests.get(url, timeout=30)
    equal((answer.content, answer.headers["Content-Type"]), (b"presigned", "text/y"))
    equal(requests.get(url.replace("presigned", "another"), timeout=30).status_code, 403)
    equal(requests.delete(url, timeout=30).status_code, 403)
    url = j.bucket.sign_url("GET", key, 1)
    time.sleep(2.5)
    answer = requests.get(url, timeout=30)
    equal((answer.status_code, "expired" in answer.text), (403, True), answer.text)


def clocks_may_be_off_by_fifteen_minutes(j):
    key = j.key("skew")
    j.bucket.put_object(key, b"x")
    for minutes, taken in ((-14, True), (14, True), (-16, False), (16, False)):
        with clock_off(60 * minutes):
            if taken:
                equal(j.bucket.get_object(key).read(), b"x", f"{minutes} minutes")
            else:
                error = refused(403, "RequestTimeTooSkewed", lambda: j.bucket.get_object(key))
                equal("ServerTime" in error.details, True, "ServerTime")


def clock_off(seconds):
    """The SDK's idea of the time, `seconds` ahead, in both signature versions."""
    import datetime

    class Ahead(datetime.datetime):
        @classmethod
        def utcnow(cls):
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            return now + datetime.timedelta(seconds=seconds)

    http_date = oss2.utils.http_date
    patches = mock.patch.multiple("oss2.auth", datetime=Ahead)
    date = mock.patch("oss2.utils.http_date", lambda: http_date(time.time() + seconds))

    class Both:
        def __enter__(self):
            patches.start()
            date.start()

        def __exit__(self, *_):
            date.stop()
            patches.stop()

    return Both()


CHECKS = [
    put_and_get_give_the_same_bytes,
    bodies_of_unknown_length_are_taken,
    headers_and_user_metadata_come_back,
    archived_objects_must_be_restored_first,
    content_md5_and_forbid_overwrite_are_heeded,
    ranges_are_those_of_oss,
    conditions_are_judged,
    special_keys_are_kept_byte_for_byte,
    keys_that_are_dots_are_kept,
    listings_page_by_bytes,
    deletes_one_and_many,
    copies_keep_or_replace_metadata,
    multipart_uploads_become_objects,
    complete_all_and_abort_work,
    parts_can_be_copied,
    files_are_uploaded_and_downloaded_in_parts,
    an_interrupted_upload_is_taken_up_again,
    tags_are_put_read_and_deleted,
    website_configurations_are_put_read_and_deleted,
    buckets_are_made_described_and_removed,
    signatures_are_verified,
    presigned_requests_are_verified,
    clocks_may_be_off_by_fifteen_minutes,
]

if __name__ == "__main__":
    # One check interrupts an upload: the SDK's own account of that is noise.
    logging.getLogger("oss2").setLevel(logging.CRITICAL)
    ARGUMENTS = parse_arguments(__doc__)
    run(CHECKS, [Judge(ARGUMENTS, version) for version in (oss2.AUTH_VERSION_1, oss2.AUTH_VERSION_4)])
