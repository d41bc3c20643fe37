"""What both judges share: arguments, a line for each check, and keys that are easily spoiled."""

import argparse
import hashlib
import os
import sys
import time
import traceback

# Every key that OSS holds and that a careless server folds into another. NFC and NFD are two keys.
SPECIAL_KEYS = [
    "a//b",
    "dir/",
    "with space",
    "plus+percent%25&amp;",
    "quote\"<tag>'",
    "question?hash#",
    "caf\u00e9",
    "cafe\u0301",
    "emoji/\U0001f600",
    "\u4f60\u597d",
    "tab\tnewline\nunit\x1f",
    "k" * 1023,
]

# Dot segments: HTTP libraries fold them unless the slash beside them is encoded.
DOT_KEYS = ["../x", "a/../b", "a/./b", "./y"]


def parse_arguments(description, place="bucket"):
    """Who asks where. `place` is what the service keeps things in."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--endpoint", default=os.environ.get("OSS_ENDPOINT"))
    parser.add_argument(f"--{place}", default=os.environ.get("OSS_BUCKET"))
    parser.add_argument("--access-key", default=os.environ.get("OSS_ACCESS_KEY"))
    parser.add_argument("--secret-key", default=os.environ.get("OSS_SECRET_KEY"))
    parser.add_argument("--security-token", default=os.environ.get("OSS_SECURITY_TOKEN"))
    parser.add_argument("--region", default=os.environ.get("OSS_REGION", "cn-hangzhou"))
    arguments = parser.parse_args()
    missing = [
        name
        for name in ("endpoint", place, "access_key", "secret_key")
        if not getattr(arguments, name)
    ]
    if missing:
        parser.error(f"missing: {', '.join(missing)}")
    # A run of its own prefix can be repeated on the same bucket.
    arguments.prefix = f"judge-{time.time_ns():x}/"
    return arguments


def run(checks, judges):
    """Runs every check by every judge, prints one line each, and exits with 1 if one failed."""
    failed = 0
    for judge in judges:
        for check in checks:
            name = judge.label + check.__name__.replace("_", " ")
            try:
                check(judge)
            except Exception:  # noqa: BLE001: whatever goes wrong is a failed check
                failed += 1
                print(f"FAILED {name}", flush=True)
                traceback.print_exc(file=sys.stdout)
            else:
                print(f"ok     {name}", flush=True)
    count = len(checks) * len(judges)
    print(f"{count - failed} of {count} checks passed", flush=True)
    sys.exit(1 if failed else 0)


def equal(seen, expected, what="value"):
    if seen != expected:
        raise AssertionError(f"{what}: {seen!r}, expected {expected!r}")


def md5_etag(data):
    return hashlib.md5(data).hexdigest().upper()


def noise(count, seed=1):
    """Bytes that differ everywhere, the same in each run."""
    out = bytearray()
    block = seed.to_bytes(8, "big")
    while len(out) < count:
        block = hashlib.sha256(block).digest()
        out += block
    return bytes(out[:count])
