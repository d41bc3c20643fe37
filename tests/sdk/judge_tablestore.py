"""Judges an endpoint of Tablestore by its Python SDK: rows there and back, conditions, ranges and limits,
signed with V2 and then with V4. The endpoint has a table `ledger` of two text keys, `partition` and `sort`.

python judge_tablestore.py --endpoint http://127.0.0.1:PORT --instance I --access-key A --secret-key S
"""

import logging
import time

from checks import equal, parse_arguments, run
from tablestore import (
    INF_MAX,
    INF_MIN,
    ComparatorType,
    Condition,
    Direction,
    NoRetryPolicy,
    OTSClient,
    OTSServiceError,
    Row,
    RowExistenceExpectation,
    SingleColumnCondition,
)

TABLE = "ledger"
KIBI = 1024
MEBI = 1024 * 1024


class Judge:
    def __init__(self, arguments, version):
        self.arguments = arguments
        self.version = version
        self.label = f"{version}: "
        self.client = self.client_of(arguments.access_key, arguments.secret_key)
        self.made = 0

    def client_of(self, access_key, secret_key, instance=None, region=None, token=None):
        region = (region or self.arguments.region) if self.version == "V4" else None
        client = OTSClient(
            self.arguments.endpoint,
            access_key,
            secret_key,
            instance or self.arguments.instance,
            region=region,
            sts_token=token or self.arguments.security_token,
            retry_policy=NoRetryPolicy(),
            logger_name="judge",
        )
        logging.getLogger("judge").setLevel(logging.CRITICAL)
        return client

    def partition(self):
        self.made += 1
        return f"{time.time_ns():x}-{self.version}-{self.made}"


def key(partition, sort):
    return [("partition", partition), ("sort", sort)]


def put(judge, partition, sort, columns, existence=RowExistenceExpectation.IGNORE, column=None):
    return judge.client.put_row(TABLE, Row(key(partition, sort), columns), Condition(existence, column))


def get(judge, partition, sort, columns=None):
    _, row, _ = judge.client.get_row(TABLE, key(partition, sort), columns_to_get=columns, max_version=1)
    return row and {name: value for name, value, _ in row.attribute_columns}


def get_range(judge, start, end, limit=None, columns=None):
    """Rows of one answer, and where the rest begins."""
    _, following, rows, _ = judge.client.get_range(
        TABLE, Direction.FORWARD, start, end, columns_to_get=columns, limit=limit, max_version=1
    )
    return rows, following


def refused(status, code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except OTSServiceError as error:
        equal((error.get_http_status(), error.get_error_code()), (status, code), "error")
        return error
    raise AssertionError(f"not refused, expected {code}")


def equals(name, value, pass_if_missing=False):
    return SingleColumnCondition(name, value, ComparatorType.EQUAL, pass_if_missing)


def values_of_every_type_come_back(judge):
    partition = judge.partition()
    columns = [
        ("text", "caf\u00e9 \U0001f600 \u4f60\u597d \x01"),
        ("none", ""),
        ("number", -(2**63)),
        ("truth", True),
        ("share", 1.5),
        ("blob", bytearray(range(256)) * 100),
    ]
    put(judge, partition, "row", columns)
    equal(get(judge, partition, "row"), dict(columns), "row")
    equal(get(judge, partition, "row", ["number", "absent"]), {"number": -(2**63)}, "columns")


def an_absent_row_is_not_found(judge):
    equal(get(judge, judge.partition(), "row"), None)


def a_put_replaces_the_row_whole(judge):
    partition = judge.partition()
    put(judge, partition, "row", [("one", 1), ("two", 2)])
    put(judge, partition, "row", [("two", 3)])
    equal(get(judge, partition, "row"), {"two": 3})


def a_row_is_put_only_if_absent_or_only_if_there(judge):
    partition = judge.partition()
    absent, there = RowExistenceExpectation.EXPECT_NOT_EXIST, RowExistenceExpectation.EXPECT_EXIST
    failed = (403, "OTSConditionCheckFail", put, judge, partition, "row")
    refused(*failed, [("n", 0)], there)
    put(judge, partition, "row", [("n", 1)], absent)
    refused(*failed, [("n", 2)], absent)
    put(judge, partition, "row", [("n", 3)], there)
    equal(get(judge, partition, "row"), {"n": 3})


def a_row_is_put_only_if_a_column_has_a_value(judge):
    partition = judge.partition()
    there = RowExistenceExpectation.EXPECT_EXIST
    put(judge, partition, "row", [("revision", 4)])
    failed = (403, "OTSConditionCheckFail", put, judge, partition, "row", [("revision", 9)], there)
    refused(*failed, equals("revision", 3))
    refused(*failed, equals("revision", "4"))
    refused(*failed, equals("absent", 4))
    put(judge, partition, "row", [("revision", 5)], there, equals("revision", 4))
    put(judge, partition, "row", [("revision", 6)], there, equals("absent", 4, pass_if_missing=True))
    equal(get(judge, partition, "row"), {"revision": 6})


def a_range_is_ordered_by_bytes_and_holds_its_first_bound(judge):
    partition = judge.partition()
    sorts = ["a", "B", "a-b", "a/b", "ab", "~", "\u00e9", "\ufffd", "\U0001f600", "task/10", "task/2"]
    for sort in sorts:
        put(judge, partition, sort, [("n", 1)])
    put(judge, partition + "0", "a", [("n", 1)])
    rows, following = get_range(judge, key(partition, INF_MIN), key(partition, INF_MAX))
    found = [row.primary_key[1][1] for row in rows]
    equal((found, following), (sorted(sorts, key=str.encode), None), "all")
    rows, _ = get_range(judge, key(partition, "a"), key(partition, "a/b"))
    equal([row.primary_key[1][1] for row in rows], ["a", "a-b"], "bounds")


def a_range_is_read_in_pages(judge):
    partition = judge.partition()
    for number in range(25):
        put(judge, partition, f"row/{number:03}", [("n", number)])
    for limit in (1, 10, 25):
        start, found = key(partition, INF_MIN), []
        while start:
            rows, start = get_range(judge, start, key(partition, INF_MAX), limit)
            assert len(rows) <= limit
            found += [dict((n, v) for n, v, _ in row.attribute_columns)["n"] for row in rows]
        equal(found, list(range(25)), f"{limit} a page")
    rows, following = get_range(judge, key(partition, INF_MIN), key(partition, INF_MAX), 25)
    equal((len(rows), following), (25, None), "nothing follows the last")


def a_range_of_large_rows_ends_at_four_mebibytes(judge):
    partition = judge.partition()
    for number in range(6):
        put(judge, partition, f"row/{number}", [("blob", bytearray(MEBI))])
    rows, following = get_range(judge, key(partition, INF_MIN), key(partition, INF_MAX))
    equal((len(rows), following[1][1]), (4, "row/4"))


def a_range_without_room_is_refused(judge):
    partition = judge.partition()
    for start, end in (("b", "b"), ("c", "a")):
        refused(400, "OTSParameterInvalid", get_range, judge, key(partition, start), key(partition, end))


def limits_of_keys_values_columns_and_requests_hold(judge):
    partition = judge.partition()
    put(judge, partition, "k" * KIBI, [("n", 1)])
    equal(get(judge, partition, "k" * KIBI), {"n": 1})
    invalid = (400, "OTSParameterInvalid", put, judge, partition)
    refused(*invalid, "k" * (KIBI + 1), [("n", 1)])
    put(judge, partition, "largest", [("blob", bytearray(2 * MEBI))])
    refused(*invalid, "larger", [("blob", bytearray(2 * MEBI + 1))])
    many = [(f"c{number}", number) for number in range(KIBI)]
    put(judge, partition, "many", many)
    refused(*invalid, "more", many + [("c", 1)])
    refused(*invalid, "unnamed", [("a-b", 1)])
    halves = [(name, bytearray(2 * MEBI)) for name in ("one", "two")]
    refused(413, "OTSRequestBodyTooLarge", put, judge, partition, "request", halves)


def keys_of_another_shape_and_absent_tables_are_refused(judge):
    partition = judge.partition()
    row = Row([("partition", partition)], [("n", 1)])
    ignore = Condition(RowExistenceExpectation.IGNORE)
    refused(400, "OTSInvalidPK", judge.client.put_row, TABLE, row, ignore)
    row = Row(key(partition, 7), [("n", 1)])
    refused(400, "OTSInvalidPK", judge.client.put_row, TABLE, row, ignore)
    row = Row(key(partition, "row"), [("n", 1)])
    refused(404, "OTSObjectNotExist", judge.client.put_row, "absent", row, ignore)


def a_request_that_the_account_did_not_sign_is_refused(judge):
    known, secret = judge.arguments.access_key, judge.arguments.secret_key
    wrong = [
        ({"access_key": "other", "secret_key": secret}, "AccessKeyID does not exist"),
        ({"access_key": known, "secret_key": "other"}, "Signature mismatch"),
        ({"access_key": known, "secret_key": secret, "token": "other"}, "token"),
        ({"access_key": known, "secret_key": secret, "instance": "other"}, "instance is not found"),
    ]
    if judge.version == "V4":
        of_region = {"access_key": known, "secret_key": secret, "region": "cn-beijing"}
        wrong.append((of_region, "Signature mismatch"))
    for account, words in wrong:
        client = judge.client_of(**account)
        error = refused(403, "OTSAuthFailed", client.get_row, TABLE, key("p", "s"), max_version=1)
        if words not in error.get_error_message():
            raise AssertionError(error.get_error_message())


CHECKS = [
    values_of_every_type_come_back,
    an_absent_row_is_not_found,
    a_put_replaces_the_row_whole,
    a_row_is_put_only_if_absent_or_only_if_there,
    a_row_is_put_only_if_a_column_has_a_value,
    a_range_is_ordered_by_bytes_and_holds_its_first_bound,
    a_range_is_read_in_pages,
    a_range_of_large_rows_ends_at_four_mebibytes,
    a_range_without_room_is_refused,
    limits_of_keys_values_columns_and_requests_hold,
    keys_of_another_shape_and_absent_tables_are_refused,
    a_request_that_the_account_did_not_sign_is_refused,
]

if __name__ == "__main__":
    ARGUMENTS = parse_arguments(__doc__, place="instance")
    run(CHECKS, [Judge(ARGUMENTS, version) for version in ("V2", "V4")])
