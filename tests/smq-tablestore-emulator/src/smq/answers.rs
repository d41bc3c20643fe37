//! Answers as SMQ writes them.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use md5::{Digest, Md5};
use oss_emulator::xml::XmlWriter;
use ossferry_core::time::Timestamp;

use crate::serving::Answer;
use crate::smq::auth::hex;
use crate::smq::errors::Refusal;
use crate::smq::queues::{HeldQueue, Message};

const NAMESPACE: &str = "http://mns.aliyuncs.com/doc/v1/";

/// Every request has the same id.
pub(crate) const REQUEST_ID: &str = "6512C1B2345678900000000A";

/// An answer of this status without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// An answer whose root element holds what `inside` writes.
pub(crate) fn document(
    status: StatusCode,
    root: &str,
    inside: impl FnOnce(&mut XmlWriter),
) -> Answer {
    let mut xml = XmlWriter::new(false);
    xml.within_namespace(root, NAMESPACE, inside);
    let mut answer = Response::new(Full::new(Bytes::from(xml.finish())));
    *answer.status_mut() = status;
    answer
}

/// What a refused request is answered.
pub(crate) fn refusal(refusal: &Refusal) -> Answer {
    document(status(refusal.status), "Error", |xml| {
        xml.text("Code", refusal.code);
        xml.text("Message", &refusal.message);
        xml.text("RequestId", REQUEST_ID);
        xml.text("HostId", "http://127.0.0.1");
    })
}

pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// MD5 of a body as `MessageBodyMD5` has it.
pub(crate) fn body_md5(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()), true)
}

/// What a receiver, or one who peeks, is told of a message.
pub(crate) fn message(xml: &mut XmlWriter, message: &Message, is_received: bool) {
    let first = message.first_dequeued.unwrap_or(Timestamp(0));
    xml.text("MessageId", &message.id);
    if is_received {
        xml.text("ReceiptHandle", &message.receipt_handle);
        xml.value("NextVisibleTime", message.visible_at.0);
    }
    xml.text("MessageBody", &message.body);
    xml.text("MessageBodyMD5", &body_md5(&message.body));
    xml.value("EnqueueTime", message.enqueued.0);
    xml.value("FirstDequeueTime", first.0);
    xml.value("DequeueCount", message.dequeue_count);
    xml.value("Priority", message.priority);
}

/// What a queue is. The counts of its messages, which the SDK wants to see and which are to be
/// removed from the service, say nothing.
pub(crate) fn attributes(name: &str, queue: &HeldQueue, now: Timestamp) -> Answer {
    let attributes = &queue.attributes;
    document(StatusCode::OK, "Queue", |xml| {
        xml.text("QueueName", name);
        xml.value("CreateTime", queue.created.0 / 1_000);
        xml.value("LastModifyTime", queue.created.0 / 1_000);
        xml.value("VisibilityTimeout", attributes.visibility_seconds);
        xml.value("MaximumMessageSize", attributes.message_bytes_max);
        xml.value("MessageRetentionPeriod", attributes.retention_seconds);
        xml.value("DelaySeconds", attributes.delay_seconds);
        xml.value("PollingWaitSeconds", attributes.polling_wait_seconds);
        let counts = queue.counts(now);
        xml.value("ActiveMessages", counts.active);
        xml.value("InactiveMessages", counts.inactive);
        xml.value("DelayMessages", counts.delayed);
        xml.text("LoggingEnabled", "False");
    })
}
