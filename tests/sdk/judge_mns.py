"""Judges an endpoint of Simple Message Queue by its Python SDK: every operation of a queue there and
back.

python judge_mns.py --endpoint http://127.0.0.1:PORT --queue PREFIX --access-key A --secret-key S
"""

import time

from checks import equal, parse_arguments, run
from mns.account import Account
from mns.mns_exception import MNSServerException
from mns.queue import Message, QueueMeta

# What is easily spoiled on its way through XML and base64.
BODIES = [
    '{"key":"a/b"}',
    'quote " and \' and <tag> & &amp; ;',
    "caf\u00e9 beside cafe\u0301, \U0001f600 \u4f60\u597d",
    "line\nfeed and\ttab",
    "k" * 4_000,
]


class Judge:
    label = ""

    def __init__(self, arguments):
        self.arguments = arguments
        self.account = self.account_of(arguments.access_key, arguments.secret_key)
        self.made = 0

    def account_of(self, access_key, secret_key, token=None):
        token = self.arguments.security_token if token is None else token
        return Account(self.arguments.endpoint, access_key, secret_key, token or "")

    def name(self):
        self.made += 1
        return f"{self.arguments.queue}-{time.time_ns():x}-{self.made}"

    def queue(self, meta=None):
        queue = self.account.get_queue(self.name())
        queue.create(meta or QueueMeta(vis_timeout=60))
        return queue


def refused(code, call, *arguments):
    try:
        call(*arguments)
    except MNSServerException as error:
        equal(error.type, code, "code")
        return error
    raise AssertionError(f"not refused, expected {code}")


def a_queue_is_made_described_changed_and_deleted(judge):
    queue = judge.account.get_queue(judge.name())
    queue.create(QueueMeta(vis_timeout=45, max_msg_size=2048, msg_ttl=3600, delay_sec=1, polling_wait_sec=2))
    meta = queue.get_attributes()
    equal((meta.visibility_timeout, meta.maximum_message_size), (45, 2048))
    equal((meta.message_retention_period, meta.delay_seconds), (3600, 1))
    equal(meta.polling_wait_seconds, 2)
    queue.set_attributes(QueueMeta(vis_timeout=90))
    equal(queue.get_attributes().visibility_timeout, 90)
    equal(queue.get_attributes().delay_seconds, 1, "what was not named stays")
    refused("QueueAlreadyExist", queue.create, QueueMeta(vis_timeout=46))
    queue.delete()
    refused("QueueNotExist", queue.get_attributes)


def a_message_comes_back_as_it_was_sent(judge):
    queue = judge.queue()
    for encoded in (True, False):
        queue.set_encoding(encoded)
        for body in BODIES:
            sent = queue.send_message(Message(body))
            received = queue.receive_message(0)
            text = received.message_body
            equal(text.decode() if isinstance(text, bytes) else text, body, "body")
            equal(received.message_id, sent.message_id, "message id")
            equal(received.message_body_md5, sent.message_body_md5, "MD5 of the body")
            equal(received.dequeue_count, 1, "dequeue count")
            queue.delete_message(received.receipt_handle)


def a_batch_is_sent_received_and_deleted(judge):
    queue = judge.queue()
    sent = queue.batch_send_message([Message(f"message {number}") for number in range(16)])
    equal(len({message.message_id for message in sent}), 16, "messages taken")
    received = queue.batch_receive_message(16, 0)
    equal(sorted(m.message_body for m in received), sorted(f"message {n}".encode() for n in range(16)))
    queue.batch_delete_message([message.receipt_handle for message in received])
    refused("MessageNotExist", queue.batch_receive_message, 16, 0)


def a_batch_of_more_than_sixteen_is_refused(judge):
    queue = judge.queue()
    refused("InvalidArgument", queue.batch_send_message, [Message("m")] * 17)
    refused("InvalidArgument", queue.batch_receive_message, 17, 0)


def a_batch_of_more_than_64_kib_is_refused(judge):
    queue = judge.queue()
    queue.set_encoding(False)
    queue.batch_send_message([Message("k" * 4_096)] * 16)
    refused("InvalidArgument", queue.batch_send_message, [Message("k" * 4_097)] * 16)


def a_batch_that_is_taken_in_part_names_each_message(judge):
    queue = judge.queue(QueueMeta(vis_timeout=60, max_msg_size=1024))
    queue.set_encoding(False)
    batch = [Message("small"), Message("k" * 1_025), Message("small too")]
    error = refused("InvalidArgument", queue.batch_send_message, batch)
    equal(["ErrorCode" in entry for entry in error.sub_errors], [False, True, False])
    equal(len(queue.batch_receive_message(16, 0)), 2, "the others are queued")


def a_received_message_is_hidden_and_its_handle_is_replaced(judge):
    queue = judge.queue()
    queue.send_message(Message("held"))
    first = queue.receive_message(0)
    refused("MessageNotExist", queue.receive_message, 0)
    changed = queue.change_message_visibility(first.receipt_handle, 120)
    if changed.receipt_handle == first.receipt_handle:
        raise AssertionError("the handle is the old one")
    if not int(changed.next_visible_time) > int(first.next_visible_time):
        raise AssertionError("it is not hidden longer")
    refused("MessageNotExist", queue.change_message_visibility, first.receipt_handle, 120)
    refused("MessageNotExist", queue.delete_message, first.receipt_handle)
    queue.delete_message(changed.receipt_handle)
    refused("MessageNotExist", queue.delete_message, changed.receipt_handle)


def a_message_that_is_not_deleted_comes_again_and_is_counted(judge):
    queue = judge.queue()
    queue.send_message(Message("again"))
    first = queue.receive_message(0)
    queue.change_message_visibility(first.receipt_handle, 1)
    again = queue.receive_message(5)
    equal((again.message_id, again.dequeue_count), (first.message_id, 2))
    equal(again.first_dequeue_time, first.first_dequeue_time, "first dequeue time")


def a_delayed_message_comes_later(judge):
    queue = judge.queue()
    queue.send_message(Message("later", delay_seconds=1))
    refused("MessageNotExist", queue.receive_message, 0)
    equal(queue.receive_message(5).message_body, b"later")


def an_urgent_message_comes_first(judge):
    queue = judge.queue()
    queue.batch_send_message([Message("later", priority=16), Message("first", priority=1)])
    equal(queue.receive_message(0).message_body, b"first")


def a_peek_hides_nothing(judge):
    queue = judge.queue()
    queue.send_message(Message("seen"))
    equal(queue.peek_message().message_body, b"seen")
    equal(queue.receive_message(0).dequeue_count, 1)


def a_handle_that_is_none_is_refused(judge):
    refused("ReceiptHandleError", judge.queue().delete_message, "nonsense")


def an_empty_queue_and_an_absent_one_are_told_apart(judge):
    refused("MessageNotExist", judge.queue().receive_message, 0)
    refused("QueueNotExist", judge.account.get_queue("absent").receive_message, 0)
    refused("QueueNotExist", judge.account.get_queue("absent").send_message, Message("m"))


def a_request_that_the_account_did_not_sign_is_refused(judge):
    known, secret = judge.arguments.access_key, judge.arguments.secret_key
    for code, account in [
        ("InvalidAccessKeyId", judge.account_of("other", secret)),
        ("SignatureDoesNotMatch", judge.account_of(known, "other")),
        ("InvalidSecurityToken", judge.account_of(known, secret, token="other")),
    ]:
        refused(code, account.get_queue("any").receive_message, 0)


CHECKS = [
    a_queue_is_made_described_changed_and_deleted,
    a_message_comes_back_as_it_was_sent,
    a_batch_is_sent_received_and_deleted,
    a_batch_of_more_than_sixteen_is_refused,
    a_batch_of_more_than_64_kib_is_refused,
    a_batch_that_is_taken_in_part_names_each_message,
    a_received_message_is_hidden_and_its_handle_is_replaced,
    a_message_that_is_not_deleted_comes_again_and_is_counted,
    a_delayed_message_comes_later,
    an_urgent_message_comes_first,
    a_peek_hides_nothing,
    a_handle_that_is_none_is_refused,
    an_empty_queue_and_an_absent_one_are_told_apart,
    a_request_that_the_account_did_not_sign_is_refused,
]

if __name__ == "__main__":
    run(CHECKS, [Judge(parse_arguments(__doc__, place="queue"))])
