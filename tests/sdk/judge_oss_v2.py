"""Judges an OSS endpoint by alibabacloud-oss-v2: every operation there and back.

python judge_oss_v2.py --endpoint http://127.0.0.1:PORT --bucket B --access-key A --secret-key S --region R
"""

import base64
import datetime
import hashlib
import os
import tempfile
import time
from urllib.parse import quote

import alibabacloud_oss_v2 as oss
import requests
from alibabacloud_oss_v2 import exceptions
from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from alibabacloud_oss_v2.retry import NopRetryer
from alibabacloud_oss_v2.signer import SignerV4
from alibabacloud_oss_v2.types import Credentials, HttpRequest, SigningContext

from checks import SPECIAL_KEYS, equal, md5_etag, noise, parse_arguments, run

PART = 100 * 1024


class Judge:
    label = ""

    def __init__(self, arguments):
        self.arguments = arguments
        self.bucket = arguments.bucket
        self.prefix = arguments.prefix
        self.client = self.make_client()

    def make_client(self, **changes):
        a = self.arguments
        provider = StaticCredentialsProvider(
            changes.pop("access_key", a.access_key),
            changes.pop("secret_key", a.secret_key),
            changes.pop("token", None),
        )
        settings = {
            "region": a.region,
            "endpoint": a.endpoint,
            "credentials_provider": provider,
            "retryer": NopRetryer(),
        }
        return oss.Client(oss.config.Config(**{**settings, **changes}))

    def key(self, name):
        return self.prefix + name

    def put(self, name, body=b"hello", **more):
        return self.client.put_object(
            oss.PutObjectRequest(bucket=self.bucket, key=self.key(name), body=body, **more)
        )

    def get(self, name, **more):
        request = oss.GetObjectRequest(bucket=self.bucket, key=self.key(name), **more)
        return self.client.get_object(request)

    def head(self, name, **more):
        request = oss.HeadObjectRequest(bucket=self.bucket, key=self.key(name), **more)
        return self.client.head_object(request)


def refused(status, code, call, ec=None):
    """Calls, and expects this error."""
    try:
        call()
    except exceptions.OperationError as error:
        service = error.unwrap()
        if not isinstance(service, exceptions.ServiceError):
            raise
        equal((service.status_code, service.code), (status, code), "error")
        if ec is not None:
            equal(service.ec, ec, "EC")
        if not service.request_id:
            raise AssertionError("the error has no request id") from error
        return service
    raise AssertionError(f"accepted, expected {status} {code}")


def put_and_get_give_the_same_bytes(j):
    for size in (0, 1, 4096, 1 << 20, (1 << 20) + 1, 5_000_000):
        data = noise(size)
        put = j.put(f"bytes-{size}", data)
        equal(put.etag, f'"{md5_etag(data)}"', "ETag")
        equal(put.content_md5, base64.b64encode(hashlib.md5(data).digest()).decode(), "MD5")
        if put.hash_crc64 is None or put.request_id is None:
            raise AssertionError("no CRC-64 or no request id")
        got = j.get(f"bytes-{size}")
        equal(got.body.content == data, True, f"{size} bytes")
        equal(got.hash_crc64, put.hash_crc64, "CRC-64")
        equal(got.content_length, size, "Content-Length")
        equal(got.object_type, "Normal", "type")


def headers_and_user_metadata_come_back(j):
    j.put(
        "headers",
        cache_control="no-cache",
        content_disposition='attachment; filename="a.txt"',
        content_encoding="gzip",
        content_type="text/x-judge",
        expires="Fri, 24 Feb 2032 17:03:43 GMT",
        metadata={"author": "alice", "two-words": "1 2"},
        storage_class="IA",
        server_side_encryption="AES256",
        tagging="a=1&b=%20",
    )
    head = j.head("headers")
    equal(head.cache_control, "no-cache")
    equal(head.content_disposition, 'attachment; filename="a.txt"')
    equal(head.content_encoding, "gzip")
    equal(head.content_type, "text/x-judge")
    equal(head.expires, "Fri, 24 Feb 2032 17:03:43 GMT")
    equal(dict(head.metadata), {"author": "alice", "two-words": "1 2"})
    equal(head.storage_class, "IA")
    equal(head.server_side_encryption, "AES256")
    equal(head.tagging_count, 2)
    equal(head.headers["Server"], "AliyunOSS")


def get_object_meta_gives_identity_only(j):
    put = j.put("meta", b"0123456789", metadata={"a": "b"})
    meta = j.client.get_object_meta(
        oss.GetObjectMetaRequest(bucket=j.bucket, key=j.key("meta"))
    )
    equal((meta.content_length, meta.etag), (10, put.etag))
    equal(meta.headers.get("x-oss-meta-a"), None)
    if meta.last_modified is None:
        raise AssertionError("no Last-Modified")


def content_md5_is_checked(j):
    good = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    bad = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    j.put("md5", content_md5=good)
    refused(400, "InvalidDigest", lambda: j.put("md5-bad", content_md5=bad))
    refused(400, "InvalidDigest", lambda: j.put("md5-bad", content_md5="nonsense"))
    refused(404, "NoSuchKey", lambda: j.head("md5-bad"))


def forbid_overwrite_keeps_the_first(j):
    j.put("once", b"first", forbid_overwrite=True)
    refused(
        409,
        "FileAlreadyExists",
        lambda: j.put("once", b"second", forbid_overwrite=True),
        "0026-00000002",
    )
    equal(j.get("once").body.content, b"first")
    j.put("once", b"third")
    equal(j.get("once").body.content, b"third")


def ranges_are_those_of_oss(j):
    data = noise(1000)
    j.put("range", data)
    for header, first, last in (
        ("bytes=0-499", 0, 499),
        ("bytes=500-", 500, 999),
        ("bytes=-1", 999, 999),
    ):
        got = j.get("range", range_header=header)
        equal(got.status_code, 206, header)
        equal(got.content_range, f"bytes {first}-{last}/1000", header)
        equal(got.body.content, data[first : last + 1], header)
    for header in ("bytes=0-1000", "bytes=1000-", "bytes=-2000", "bytes=9-3", "byte=0-1"):
        got = j.get("range", range_header=header)
        equal((got.status_code, got.content_range), (200, None), header)
        equal(got.body.content, data, header)
    standard = {"range_behavior": "standard"}
    got = j.get("range", range_header="bytes=500-2000", **standard)
    equal((got.status_code, got.content_range), (206, "bytes 500-999/1000"))
    refused(416, "InvalidRange", lambda: j.get("range", range_header="bytes=1000-", **standard))


def conditions_are_judged(j):
    put = j.put("conditions")
    head = j.head("conditions")
    day = datetime.timedelta(days=1)
    rfc = "%a, %d %b %Y %H:%M:%S GMT"
    before, after = ((head.last_modified + d).strftime(rfc) for d in (-day, day))
    for call in (j.get, j.head):
        equal(call("conditions", if_match=put.etag).status_code, 200)
        equal(call("conditions", if_none_match='"other"').status_code, 200)
        equal(call("conditions", if_modified_since=before).status_code, 200)
        equal(call("conditions", if_unmodified_since=after).status_code, 200)
        for condition in ({"if_match": '"other"'}, {"if_unmodified_since": before}):
            refused(412, "PreconditionFailed", lambda: call("conditions", **condition))
        for condition in ({"if_none_match": put.etag}, {"if_modified_since": after}):
            try:
                call("conditions", **condition)
            except exceptions.OperationError as error:
                equal(error.unwrap().status_code, 304, str(condition))
            else:
                raise AssertionError(f"accepted {condition}")


def response_headers_can_be_overridden(j):
    j.put("override")
    got = j.get("override", response_content_type="text/css", response_cache_control="private")
    equal((got.content_type, got.cache_control), ("text/css", "private"))


def errors_name_the_key_and_head_errors_come_in_a_header(j):
    error = refused(404, "NoSuchKey", lambda: j.get("absent"), "0026-00000001")
    equal(error.error_fileds.get("Key", j.key("absent")), j.key("absent"))
    refused(404, "NoSuchKey", lambda: j.head("absent"), "0026-00000001")
    other = oss.GetObjectRequest(bucket="no-such-bucket-here", key="k")
    refused(404, "NoSuchBucket", lambda: j.client.get_object(other))
    for key in ("/leading", "\\leading", "k" * 1024):
        request = oss.PutObjectRequest(bucket=j.bucket, key=key, body=b"")
        refused(400, "InvalidObjectName", lambda: j.client.put_object(request))


def special_keys_are_kept_byte_for_byte(j):
    folder = j.key("special/")
    keys = [folder + key for key in SPECIAL_KEYS]
    keys = [key if len(key.encode()) <= 1023 else key[:1023] for key in keys]
    for number, key in enumerate(keys):
        body = f"body {number}".encode()
        j.client.put_object(oss.PutObjectRequest(bucket=j.bucket, key=key, body=body))
    for number, key in enumerate(keys):
        got = j.client.get_object(oss.GetObjectRequest(bucket=j.bucket, key=key))
        equal(got.body.content, f"body {number}".encode(), key)
    request = oss.ListObjectsV2Request(bucket=j.bucket, prefix=folder, encoding_type="url")
    listed = [entry.key for entry in j.client.list_objects_v2(request).contents]
    equal(listed, sorted(keys, key=str.encode))


def listings_page_by_bytes(j):
    names = ["a", "a-b", "a/1", "a/2", "b/x/1", "b/x/2", "c d+e", "é"]
    for name in names:
        j.put("list/" + name, name.encode())
    folder, expected = j.key("list/"), [j.key("list/" + name) for name in names]
    for limit in (1, 2, 3, 100):
        pages = j.client.list_objects_v2_paginator(limit=limit).iter_page(
            oss.ListObjectsV2Request(bucket=j.bucket, prefix=folder, fetch_owner=True)
        )
        entries = [entry for page in pages for entry in page.contents or []]
        equal([entry.key for entry in entries], expected, f"V2, pages of {limit}")
        equal(entries[0].etag, f'"{md5_etag(b"a")}"', "ETag")
        equal((entries[0].size, entries[0].storage_class), (1, "Standard"))
        equal(entries[0].owner is not None, True, "owner")
        pages = j.client.list_objects_paginator(limit=limit).iter_page(
            oss.ListObjectsRequest(bucket=j.bucket, prefix=folder)
        )
        equal([e.key for page in pages for e in page.contents or []], expected, "V1")
    seen, prefixes = [], []
    pages = j.client.list_objects_v2_paginator(limit=2).iter_page(
        oss.ListObjectsV2Request(bucket=j.bucket, prefix=folder, delimiter="/")
    )
    for page in pages:
        seen += [entry.key for entry in page.contents or []]
        prefixes += [entry.prefix for entry in page.common_prefixes or []]
    equal(prefixes, [folder + "a/", folder + "b/"])
    equal(seen, [folder + name for name in ("a", "a-b", "c d+e", "é")])
    request = oss.ListObjectsV2Request(
        bucket=j.bucket, prefix=folder, start_after=folder + "a/2"
    )
    result = j.client.list_objects_v2(request)
    equal([entry.key for entry in result.contents], expected[4:])
    equal((result.key_count, result.is_truncated), (4, False))
    for wrong in (0, 1001):
        request = oss.ListObjectsV2Request(bucket=j.bucket, max_keys=wrong)
        refused(400, "InvalidArgument", lambda: j.client.list_objects_v2(request))


def deletes_one_and_many(j):
    names = [f"delete/{number} <&>" for number in range(3)]
    for name in names:
        j.put(name)
    one = oss.DeleteObjectRequest(bucket=j.bucket, key=j.key(names[0]))
    for _ in range(2):
        equal(j.client.delete_object(one).status_code, 204)
    objects = [oss.DeleteObject(key=j.key(name)) for name in names]
    many = oss.DeleteMultipleObjectsRequest(bucket=j.bucket, objects=objects, encoding_type="url")
    deleted = j.client.delete_multiple_objects(many).deleted_objects
    equal([entry.key for entry in deleted], [j.key(name) for name in names])
    for name in names:
        refused(404, "NoSuchKey", lambda: j.head(name))


def copies_keep_or_replace_metadata(j):
    data = noise(300_000)
    j.put("from +", data, metadata={"a": "1"}, content_type="text/x-a", tagging="t=1")

    def copy(target, **more):
        return j.client.copy_object(
            oss.CopyObjectRequest(
                bucket=j.bucket, key=j.key(target), source_key=j.key("from +"), **more
            )
        )

    equal(copy("copied").etag, f'"{md5_etag(data)}"')
    head = j.head("copied")
    equal((dict(head.metadata), head.content_type, head.tagging_count), ({"a": "1"}, "text/x-a", 1))
    equal(j.get("copied").body.content == data, True, "bytes")
    copy(
        "replaced",
        metadata={"b": "2"},
        metadata_directive="REPLACE",
        tagging="x=1&y=2",
        tagging_directive="Replace",
    )
    head = j.head("replaced")
    equal((dict(head.metadata), head.tagging_count), ({"b": "2"}, 2))
    refused(412, "PreconditionFailed", lambda: copy("no", if_match='"other"'))


def begin(j, name, **more):
    request = oss.InitiateMultipartUploadRequest(bucket=j.bucket, key=j.key(name), **more)
    return j.client.initiate_multipart_upload(request).upload_id


def upload(j, name, upload_id, number, body, **more):
    return j.client.upload_part(
        oss.UploadPartRequest(
            bucket=j.bucket,
            key=j.key(name),
            upload_id=upload_id,
            part_number=number,
            body=body,
            **more,
        )
    )


def complete(j, name, upload_id, parts=None, **more):
    body = parts and oss.CompleteMultipartUpload(
        parts=[oss.UploadPart(part_number=number, etag=etag) for number, etag in parts]
    )
    return j.client.complete_multipart_upload(
        oss.CompleteMultipartUploadRequest(
            bucket=j.bucket,
            key=j.key(name),
            upload_id=upload_id,
            complete_multipart_upload=body,
            **more,
        )
    )


def multipart_uploads_become_objects(j):
    pieces = [noise(PART, 1), noise(2_000_000, 2), noise(77, 3)]
    upload_id = begin(j, "multi", metadata={"m": "1"}, content_type="text/x-m", tagging="a=b")
    parts = []
    for number, piece in zip((1, 5, 9), pieces):
        answer = upload(j, "multi", upload_id, number, piece)
        equal(answer.etag, f'"{md5_etag(piece)}"', "part ETag")
        parts.append((number, answer.etag))
    whole = b"".join(pieces)
    done = complete(j, "multi", upload_id, parts)
    single = j.put("multi-single", whole)
    equal(done.hash_crc64, single.hash_crc64, "CRC-64 of the whole")
    hexadecimal, _, count = done.etag.strip('"').partition("-")
    equal((len(hexadecimal), count), (32, "3"), "ETag")
    equal(done.key, j.key("multi"))
    head = j.head("multi")
    equal((head.object_type, head.content_type, dict(head.metadata)), ("Multipart", "text/x-m", {"m": "1"}))
    equal((head.tagging_count, head.hash_crc64), (1, single.hash_crc64))
    equal(j.get("multi").body.content == whole, True, "bytes")
    got = j.get("multi", range_header=f"bytes={PART - 10}-{PART + 9}")
    equal(got.body.content, whole[PART - 10 : PART + 10], "range over two parts")
    refused(404, "NoSuchUpload", lambda: complete(j, "multi", upload_id, parts))


def complete_all_takes_every_part(j):
    upload_id = begin(j, "all")
    upload(j, "all", upload_id, 1, noise(PART, 7))
    upload(j, "all", upload_id, 1, noise(PART, 8))
    upload(j, "all", upload_id, 2, b"end")
    equal(complete(j, "all", upload_id, complete_all="yes").status_code, 200)
    equal(j.get("all").body.content == noise(PART, 8) + b"end", True, "bytes")
    upload_id = begin(j, "all")
    etag = upload(j, "all", upload_id, 1, b"x").etag
    refused(
        400,
        "InvalidArgument",
        lambda: complete(j, "all", upload_id, [(1, etag)], complete_all="yes"),
        "0042-00000216",
    )


def part_rules_are_checked_at_complete(j):
    upload_id = begin(j, "rules")
    big = upload(j, "rules", upload_id, 1, noise(PART)).etag
    small = upload(j, "rules", upload_id, 2, b"small").etag
    last = upload(j, "rules", upload_id, 3, b"last").etag
    for parts, code in (
        ([(2, small), (1, big)], "InvalidPartOrder"),
        ([(1, small)], "InvalidPart"),
        ([(1, big), (4, last)], "InvalidPart"),
        ([(1, big), (2, small), (3, last)], "EntityTooSmall"),
    ):
        refused(400, code, lambda: complete(j, "rules", upload_id, parts))
    for number in (0, 10001):
        refused(400, "InvalidArgument", lambda: upload(j, "rules", upload_id, number, b"x"))
    bad = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused(
        400, "InvalidDigest", lambda: upload(j, "rules", upload_id, 1, b"x", content_md5=bad)
    )
    equal(complete(j, "rules", upload_id, [(1, big), (3, last)]).status_code, 200)
    equal(j.head("rules").content_length, PART + 4)


def complete_can_forbid_overwriting(j):
    j.put("multi-once", b"first")
    refused(
        409, "FileAlreadyExists", lambda: begin(j, "multi-once", forbid_overwrite=True)
    )
    upload_id = begin(j, "multi-once")
    etag = upload(j, "multi-once", upload_id, 1, b"second").etag
    refused(
        409,
        "FileAlreadyExists",
        lambda: complete(j, "multi-once", upload_id, [(1, etag)], forbid_overwrite=True),
    )
    equal(j.get("multi-once").body.content, b"first")
    complete(j, "multi-once", upload_id, [(1, etag)])
    equal(j.get("multi-once").body.content, b"second")


def uploads_and_parts_are_listed_and_aborted(j):
    names = ["up/a", "up/a", "up/b +", "up/c/d"]
    ids = [begin(j, name) for name in names]
    expected = sorted((j.key(name), upload_id) for name, upload_id in zip(names, ids))
    for limit in (1, 2, 1000):
        pages = j.client.list_multipart_uploads_paginator(limit=limit).iter_page(
            oss.ListMultipartUploadsRequest(bucket=j.bucket, prefix=j.key("up/"))
        )
        seen = [(u.key, u.upload_id) for page in pages for u in page.uploads or []]
        equal(seen, expected, f"uploads, pages of {limit}")
    answers = [upload(j, "up/b +", ids[2], n, noise(10 + n)) for n in (1, 2, 10)]
    for limit in (1, 1000):
        pages = j.client.list_parts_paginator(limit=limit).iter_page(
            oss.ListPartsRequest(bucket=j.bucket, key=j.key("up/b +"), upload_id=ids[2])
        )
        seen = [
            (part.part_number, part.size, part.etag, str(part.hash_crc64))
            for page in pages
            for part in page.parts or []
        ]
        parts = zip((1, 2, 10), (11, 12, 20), answers)
        equal(seen, [(n, size, a.etag, a.hash_crc64) for n, size, a in parts], "parts")
    for name, upload_id in zip(names, ids):
        abort = oss.AbortMultipartUploadRequest(
            bucket=j.bucket, key=j.key(name), upload_id=upload_id
        )
        equal(j.client.abort_multipart_upload(abort).status_code, 204)
        refused(404, "NoSuchUpload", lambda: j.client.abort_multipart_upload(abort))
    refused(404, "NoSuchUpload", lambda: upload(j, "up/a", ids[0], 1, b"x"))


def parts_can_be_copied(j):
    data = noise(3 * PART)
    j.put("part-source", data)
    upload_id = begin(j, "part-copy")
    parts = []
    for number, (first, last) in enumerate(((0, 2 * PART - 1), (2 * PART, 3 * PART - 1)), 1):
        answer = j.client.upload_part_copy(
            oss.UploadPartCopyRequest(
                bucket=j.bucket,
                key=j.key("part-copy"),
                upload_id=upload_id,
                part_number=number,
                source_key=j.key("part-source"),
                source_range=f"bytes={first}-{last}",
            )
        )
        parts.append((number, answer.etag))
    complete(j, "part-copy", upload_id, parts)
    equal(j.get("part-copy").body.content == data, True, "bytes")


def files_are_uploaded_and_downloaded_in_parts(j):
    data = noise(3_300_000)
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "source"), os.path.join(folder, "target")
        with open(source, "wb") as file:
            file.write(data)
        uploader = j.client.uploader(
            part_size=500_000, parallel_num=3, enable_checkpoint=True, checkpoint_dir=folder
        )
        request = oss.PutObjectRequest(bucket=j.bucket, key=j.key("resumable"))
        uploader.upload_file(request, filepath=source)
        equal(j.head("resumable").object_type, "Multipart")
        downloader = j.client.downloader(
            part_size=500_000,
            parallel_num=3,
            enable_checkpoint=True,
            checkpoint_dir=folder,
            verify_data=True,
        )
        request = oss.GetObjectRequest(bucket=j.bucket, key=j.key("resumable"))
        downloader.download_file(request, filepath=target)
        with open(target, "rb") as file:
            equal(file.read() == data, True, "bytes")


def tags_are_put_read_and_deleted(j):
    j.put("tagged")
    at = {"bucket": j.bucket, "key": j.key("tagged")}
    tags = [("k 1", "v+&"), ("k2", "")]
    tagging = oss.Tagging(tag_set=oss.TagSet(tags=[oss.Tag(key=k, value=v) for k, v in tags]))
    j.client.put_object_tagging(oss.PutObjectTaggingRequest(tagging=tagging, **at))
    seen = j.client.get_object_tagging(oss.GetObjectTaggingRequest(**at)).tag_set.tags
    equal([(tag.key, tag.value or "") for tag in seen], tags)
    equal(j.head("tagged").tagging_count, 2)
    j.client.delete_object_tagging(oss.DeleteObjectTaggingRequest(**at))
    equal(j.head("tagged").tagging_count, None)
    refused(400, "InvalidTag", lambda: j.put("tagged", tagging="&".join(f"k{n}=1" for n in range(11))))


def acls_are_put_and_read(j):
    acl_of = lambda name: j.client.get_object_acl(oss.GetObjectAclRequest(bucket=j.bucket, key=j.key(name))).acl
    j.put("guarded")
    equal(acl_of("guarded"), "default")
    for acl in ("private", "public-read", "public-read-write", "default"):
        j.client.put_object_acl(oss.PutObjectAclRequest(bucket=j.bucket, key=j.key("guarded"), acl=acl))
        equal(acl_of("guarded"), acl)
    j.put("guarded", acl="public-read")
    equal(acl_of("guarded"), "public-read")
    j.put("guarded")
    equal(acl_of("guarded"), "default")
    refused(400, "InvalidArgument", lambda: j.put("guarded", acl="authenticated-read"))
    upload_id = begin(j, "guarded-multi")
    part = upload(j, "guarded-multi", upload_id, 1, b"x").etag
    complete(j, "guarded-multi", upload_id, [(1, part)], acl="public-read")
    equal(acl_of("guarded-multi"), "public-read")


def website_configurations_are_put_read_and_deleted(j):
    rule = oss.RoutingRule(
        rule_number=1,
        condition=oss.RoutingRuleCondition(
            key_prefix_equals="p/", http_error_code_returned_equals=404
        ),
        redirect=oss.RoutingRuleRedirect(redirect_type="Mirror", mirror_url="https://source/"),
    )
    website = oss.WebsiteConfiguration(routing_rules=oss.RoutingRules(routing_rules=[rule]))
    at = {"bucket": j.bucket}
    j.client.delete_bucket_website(oss.DeleteBucketWebsiteRequest(**at))
    get = oss.GetBucketWebsiteRequest(**at)
    refused(404, "NoSuchWebsiteConfiguration", lambda: j.client.get_bucket_website(get))
    put = oss.PutBucketWebsiteRequest(website_configuration=website, **at)
    j.client.put_bucket_website(put)
    seen = j.client.get_bucket_website(get).website_configuration.routing_rules.routing_rules
    equal([r.redirect.mirror_url for r in seen], ["https://source/"])
    equal(seen[0].condition.key_prefix_equals, "p/")
    rule.redirect.mirror_url = "https://source"
    refused(400, "InvalidArgument", lambda: j.client.put_bucket_website(put))
    j.client.delete_bucket_website(oss.DeleteBucketWebsiteRequest(**at))
    refused(404, "NoSuchWebsiteConfiguration", lambda: j.client.get_bucket_website(get))


def buckets_are_made_described_and_removed(j):
    info = j.client.get_bucket_info(oss.GetBucketInfoRequest(bucket=j.bucket)).bucket_info
    equal((info.name, info.location), (j.bucket, f"oss-{j.arguments.region}"))
    location = j.client.get_bucket_location(oss.GetBucketLocationRequest(bucket=j.bucket))
    equal(location.location, f"oss-{j.arguments.region}")
    versioning = j.client.get_bucket_versioning(oss.GetBucketVersioningRequest(bucket=j.bucket))
    status = versioning.version_status
    equal(status or None, None, "versioning")
    stat = j.client.get_bucket_stat(oss.GetBucketStatRequest(bucket=j.bucket))
    equal(stat.object_count > 0, True, "object count")
    equal(j.client.is_bucket_exist(j.bucket), True)
    equal(j.client.is_bucket_exist("no-such-bucket-here"), False)
    name = f"judge-{time.time_ns():x}"
    for _ in range(2):
        j.client.put_bucket(oss.PutBucketRequest(bucket=name))
    listed = j.client.list_buckets(oss.ListBucketsRequest()).buckets
    equal({j.bucket, name} <= {bucket.name for bucket in listed}, True, "buckets")
    j.client.put_object(oss.PutObjectRequest(bucket=name, key="k", body=b"v"))
    delete = oss.DeleteBucketRequest(bucket=name)
    refused(409, "BucketNotEmpty", lambda: j.client.delete_bucket(delete))
    j.client.delete_object(oss.DeleteObjectRequest(bucket=name, key="k"))
    equal(j.client.delete_bucket(delete).status_code, 204)
    refused(404, "NoSuchBucket", lambda: j.client.delete_bucket(delete))


def what_is_not_served_is_refused_and_changes_nothing(j):
    j.put("unserved", b"kept")
    symlink = oss.GetSymlinkRequest(bucket=j.bucket, key=j.key("unserved"))
    refused(501, "NotImplemented", lambda: j.client.get_symlink(symlink))
    equal(j.get("unserved").body.content, b"kept")


def both_signature_versions_are_verified(j):
    for version in ("v1", "v4"):
        for more, code in (
            ({}, None),
            ({"secret_key": "wrong"}, "SignatureDoesNotMatch"),
            ({"access_key": "nobody"}, "InvalidAccessKeyId"),
        ):
            client = j.make_client(signature_version=version, **more)
            key = j.key(f"signed {version} +")
            put = oss.PutObjectRequest(bucket=j.bucket, key=key, body=b"x", metadata={"a": "b"})
            listing = oss.ListObjectsV2Request(bucket=j.bucket, prefix=key, max_keys=1)
            if code is None:
                client.put_object(put)
                equal(client.list_objects_v2(listing).contents[0].key, key)
            else:
                refused(403, code, lambda: client.put_object(put))
                head = oss.HeadObjectRequest(bucket=j.bucket, key=key)
                refused(403, code, lambda: client.head_object(head))
    client = j.make_client(additional_headers=["host", "content-length", "range"])
    key = j.key("signed v4 +")
    request = oss.GetObjectRequest(bucket=j.bucket, key=key, range_header="bytes=0-0")
    equal(client.get_object(request).body.content, b"x")
    wrong = j.make_client(region="cn-elsewhere")
    refused(400, "InvalidArgument", lambda: wrong.get_object(request))


def signed_request(j, offset_seconds=0, presign_seconds=None, **headers):
    """A GET signed by the SDK's own signer as of another time."""
    key = j.key("skew")
    now = datetime.datetime.now(datetime.timezone.utc)
    url = f"{j.arguments.endpoint}/{j.bucket}/{quote(key)}"
    request = HttpRequest("GET", url, headers=headers)
    context = SigningContext(
        product="oss",
        region=j.arguments.region,
        bucket=j.bucket,
        key=key,
        request=request,
        credentials=Credentials(j.arguments.access_key, j.arguments.secret_key),
        signing_time=now + datetime.timedelta(seconds=offset_seconds),
    )
    if presign_seconds is not None:
        context.auth_method_query = True
        context.expiration_time = context.signing_time + datetime.timedelta(
            seconds=presign_seconds
        )
    SignerV4().sign(context)
    return requests.get(request.url, headers=dict(request.headers), timeout=30)


def clocks_may_be_off_by_fifteen_minutes(j):
    j.put("skew")
    for minutes, status in ((-14, 200), (14, 200), (-16, 403), (16, 403)):
        answer = signed_request(j, 60 * minutes)
        equal(answer.status_code, status, f"{minutes} minutes")
        if status == 403:
            equal("<Code>RequestTimeTooSkewed</Code>" in answer.text, True, answer.text)
            equal("<ServerTime>" in answer.text, True, answer.text)
    for start, seconds, status in (
        (-3600, 7200, 200),
        (-3600, 1800, 403),
        (14 * 60, 60, 200),
        (16 * 60, 60, 403),
    ):
        answer = signed_request(j, start, seconds)
        equal(answer.status_code, status, f"presigned from {start} for {seconds}")


def presigned_requests_are_verified(j):
    for version in ("v4", "v1"):
        client = j.make_client(signature_version=version)
        key = j.key(f"presigned {version} +é")
        put = oss.PutObjectRequest(
            bucket=j.bucket, key=key, content_type="text/x-p", metadata={"a": "1"}
        )
        signed = client.presign(put, expires=datetime.timedelta(minutes=5))
        headers = dict(signed.signed_headers)
        answer = requests.put(signed.url, data=b"presigned", headers=headers, timeout=30)
        equal(answer.status_code, 200, answer.text)
        changed = {**headers, "content-type": "text/other"}
        answer = requests.put(signed.url, data=b"no", headers=changed, timeout=30)
        equal(answer.status_code, 403, version)
        equal("SignatureDoesNotMatch" in answer.text, True, answer.text)
        get = oss.GetObjectRequest(bucket=j.bucket, key=key, response_content_type="text/y")
        signed = client.presign(get, expires=datetime.timedelta(minutes=5))
        answer = requests.get(signed.url, timeout=30)
        equal((answer.content, answer.headers["Content-Type"]), (b"presigned", "text/y"))
        equal(requests.get(signed.url + "0", timeout=30).status_code, 403)
        # The SDK writes whole seconds, rounded down: one of the two may be lost.
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        expired = client.presign(get, expiration=soon)
        time.sleep(3.1)
        answer = requests.get(expired.url, timeout=30)
        equal((answer.status_code, "expired" in answer.text), (403, True), answer.text)


def unsigned_and_hashed_requests_are_refused(j):
    j.put("skew")
    url = f"{j.arguments.endpoint}/{j.bucket}/{quote(j.key('skew'))}"
    answer = requests.get(url, timeout=30)
    equal((answer.status_code, "AccessDenied" in answer.text), (403, True), answer.text)
    request = HttpRequest("GET", url)
    context = SigningContext(
        product="oss",
        region=j.arguments.region,
        bucket=j.bucket,
        key=j.key("skew"),
        request=request,
        credentials=Credentials(j.arguments.access_key, j.arguments.secret_key),
    )
    SignerV4().sign(context)
    headers = {**dict(request.headers), "x-oss-content-sha256": hashlib.sha256(b"").hexdigest()}
    answer = requests.get(url, headers=headers, timeout=30)
    equal(answer.status_code, 400)
    equal("0002-00000214" in answer.text, True, answer.text)


CHECKS = [
    put_and_get_give_the_same_bytes,
    headers_and_user_metadata_come_back,
    get_object_meta_gives_identity_only,
    content_md5_is_checked,
    forbid_overwrite_keeps_the_first,
    ranges_are_those_of_oss,
    conditions_are_judged,
    response_headers_can_be_overridden,
    errors_name_the_key_and_head_errors_come_in_a_header,
    special_keys_are_kept_byte_for_byte,
    listings_page_by_bytes,
    deletes_one_and_many,
    copies_keep_or_replace_metadata,
    multipart_uploads_become_objects,
    complete_all_takes_every_part,
    part_rules_are_checked_at_complete,
    complete_can_forbid_overwriting,
    uploads_and_parts_are_listed_and_aborted,
    parts_can_be_copied,
    files_are_uploaded_and_downloaded_in_parts,
    tags_are_put_read_and_deleted,
    acls_are_put_and_read,
    website_configurations_are_put_read_and_deleted,
    buckets_are_made_described_and_removed,
    what_is_not_served_is_refused_and_changes_nothing,
    both_signature_versions_are_verified,
    clocks_may_be_off_by_fifteen_minutes,
    presigned_requests_are_verified,
    unsigned_and_hashed_requests_are_refused,
]

if __name__ == "__main__":
    run(CHECKS, [Judge(parse_arguments(__doc__))])
