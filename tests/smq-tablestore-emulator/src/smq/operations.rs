//! What each operation does.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use oss_emulator::xml::{Element, XmlWriter};
use tokio::time::{Duration, Instant, timeout};

use crate::serving::Answer;
use crate::smq::SmqEmulator;
use crate::smq::answers::{attributes, body_md5, document, empty, message, status};
use crate::smq::errors::{
    BATCH_TOO_LARGE, BODY_TOO_LARGE, INVALID_QUEUE_NAME, INVALID_URL, MALFORMED_XML,
    MESSAGE_NOT_EXIST, MESSAGE_NOT_TAKEN, MISSING_VISIBILITY, RECEIPT_HANDLE_ERROR, Refusal,
};
use crate::smq::operation::{Request, in_range};
use crate::smq::queues::{DeadLetters, Incoming, QueueAttributes};

/// Messages of a batch.
const BATCH_MAX: u64 = 16;

/// Bytes of all bodies of a batch.
const BATCH_BYTES_MAX: usize = 64 << 10;

/// A receiver that waits looks at least this often: a clock may be set on without a message.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

impl SmqEmulator {
    pub(crate) async fn execute(
        &self,
        request: &Request,
        untaken: &[usize],
    ) -> Result<Answer, Refusal> {
        let now = (self.shared.clock)();
        let name = request.queue.as_str();
        match request.operation {
            "CreateQueue" | "SetQueueAttributes" => self.set_queue(request),
            "GetQueueAttributes" => Ok(attributes(name, self.queues().get(name)?, now)),
            "DeleteQueue" => {
                self.queues().delete(name);
                Ok(empty(StatusCode::NO_CONTENT))
            }
            "SendMessage" | "BatchSendMessage" => self.send(request, untaken),
            "ReceiveMessage" | "BatchReceiveMessage" => self.receive(request).await,
            "PeekMessage" => {
                let first = self.queues().peek(name, now)?;
                Ok(document(StatusCode::OK, "Message", |xml| message(xml, &first, false)))
            }
            "DeleteMessage" => {
                self.queues().acknowledge(name, handle_of(request)?, now)?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            "BatchDeleteMessage" => self.delete_batch(request),
            "ChangeMessageVisibility" => {
                let handle = handle_of(request)?;
                let seconds = request.number("VisibilityTimeout", 1, 43_200)?;
                let seconds = seconds.ok_or(MISSING_VISIBILITY)?;
                let hidden = self.queues().extend(name, handle, seconds, now)?;
                Ok(document(StatusCode::OK, "ChangeVisibility", |xml| {
                    xml.text("ReceiptHandle", &hidden.receipt_handle);
                    xml.value("NextVisibleTime", hidden.visible_at.0);
                }))
            }
            _ => Err(INVALID_URL),
        }
    }

    fn set_queue(&self, request: &Request) -> Result<Answer, Refusal> {
        let name = request.queue.as_str();
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=120).contains(&name.len()) || !name.bytes().all(named) {
            return Err(INVALID_QUEUE_NAME);
        }
        let now = (self.shared.clock)();
        let mut queues = self.queues();
        if request.operation == "SetQueueAttributes" {
            let queue = queues.get_mut(name)?;
            queue.attributes = attributes_of(request, queue.attributes.clone())?;
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        let wanted = attributes_of(request, QueueAttributes::default())?;
        let is_new = queues.create(name, wanted, now)?;
        let mut answer = empty(if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
        let place =
            HeaderValue::try_from(format!("/queues/{name}")).map_err(|_| INVALID_QUEUE_NAME)?;
        answer.headers_mut().insert(LOCATION, place);
        Ok(answer)
    }

    fn send(&self, request: &Request, untaken: &[usize]) -> Result<Answer, Refusal> {
        let now = (self.shared.clock)();
        let is_batch = request.operation == "BatchSendMessage";
        let incoming = incoming(request)?;
        let bytes: usize = incoming.iter().map(|message| message.body.len()).sum();
        if incoming.is_empty() {
            return Err(MALFORMED_XML);
        }
        if is_batch && (incoming.len() as u64 > BATCH_MAX || bytes > BATCH_BYTES_MAX) {
            return Err(BATCH_TOO_LARGE);
        }
        let mut queues = self.queues();
        let message_bytes_max = queues.get(&request.queue)?.attributes.message_bytes_max;
        let mut sent = Vec::new();
        for (index, message) in incoming.into_iter().enumerate() {
            let md5 = body_md5(&message.body);
            let taken = if untaken.contains(&index) {
                Err(MESSAGE_NOT_TAKEN)
            } else if message.body.len() as u64 > message_bytes_max {
                Err(BODY_TOO_LARGE)
            } else {
                queues.take(&request.queue, message, now)
            };
            sent.push(taken.map(|id| (id, md5)));
        }
        drop(queues);
        self.shared.arrivals.notify_waiters();
        if !is_batch {
            let (id, md5) = sent.remove(0)?;
            return Ok(document(StatusCode::CREATED, "Message", |xml| accepted(xml, &id, &md5)));
        }
        // A batch of which a message was refused is answered by an error's status.
        let refused = sent.iter().find_map(|sent| sent.as_ref().err());
        let status = refused.map_or(StatusCode::CREATED, |refusal| status(refusal.status));
        Ok(document(status, "Messages", |xml| {
            for sent in &sent {
                xml.within("Message", |xml| match sent {
                    Ok((id, md5)) => accepted(xml, id, md5),
                    Err(refusal) => {
                        xml.text("ErrorCode", refusal.code);
                        xml.text("ErrorMessage", &refusal.message);
                    }
                });
            }
        }))
    }

    async fn receive(&self, request: &Request) -> Result<Answer, Refusal> {
        let name = request.queue.as_str();
        let wanted = request.number("numOfMessages", 1, BATCH_MAX)?;
        let given = request.number("waitseconds", 0, 30)?;
        let default = self.queues().get(name)?.attributes.polling_wait_seconds;
        let until = Instant::now() + Duration::from_secs(given.unwrap_or(default));
        let messages_max = usize::try_from(wanted.unwrap_or(1)).unwrap_or(1);
        let received = loop {
            // Listens before it looks: a message sent in between wakes it.
            let mut arrival = std::pin::pin!(self.shared.arrivals.notified());
            arrival.as_mut().enable();
            let now = (self.shared.clock)();
            let received = self.queues().receive(name, messages_max, now)?;
            if !received.is_empty() {
                break received;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(MESSAGE_NOT_EXIST);
            }
            // Either way it looks again.
            drop(timeout(left.min(LOOK_INTERVAL), arrival).await);
        };
        if wanted.is_none() {
            return Ok(document(StatusCode::OK, "Message", |xml| message(xml, &received[0], true)));
        }
        Ok(document(StatusCode::OK, "Messages", |xml| {
            for held in &received {
                xml.within("Message", |xml| message(xml, held, true));
            }
        }))
    }

    fn delete_batch(&self, request: &Request) -> Result<Answer, Refusal> {
        let now = (self.shared.clock)();
        let mut queues = self.queues();
        queues.get(&request.queue)?;
        let mut refused: Vec<(&str, Refusal)> = Vec::new();
        for handle in request.texts("ReceiptHandles/ReceiptHandle") {
            if let Err(refusal) = queues.acknowledge(&request.queue, handle, now) {
                refused.push((handle, refusal));
            }
        }
        let Some((_, first)) = refused.first() else { return Ok(empty(StatusCode::NO_CONTENT)) };
        Ok(document(status(first.status), "Errors", |xml| {
            for (handle, refusal) in &refused {
                xml.within("Error", |xml| {
                    xml.text("ErrorCode", refusal.code);
                    xml.text("ErrorMessage", &refusal.message);
                    xml.text("ReceiptHandle", handle);
                });
            }
        }))
    }
}

fn accepted(xml: &mut XmlWriter, id: &str, md5: &str) {
    xml.text("MessageId", id);
    xml.text("MessageBodyMD5", md5);
}

fn handle_of(request: &Request) -> Result<&str, Refusal> {
    request.parameter("ReceiptHandle").ok_or(RECEIPT_HANDLE_ERROR)
}

/// The messages of a body, in their order.
fn incoming(request: &Request) -> Result<Vec<Incoming>, Refusal> {
    let root = if request.operation == "SendMessage" { "Message" } else { "Messages/Message" };
    let (mut messages, mut body, mut priority, mut delay_seconds) = (Vec::new(), None, 8, None);
    for Element { path, text } in &request.body {
        let Some(field) = path.strip_prefix(root) else { continue };
        match field {
            "/MessageBody" => body = Some(text.clone()),
            "/Priority" => priority = in_range("Priority", text, 1, 16)?,
            "/DelaySeconds" => delay_seconds = Some(in_range("DelaySeconds", text, 0, 604_800)?),
            "" => {
                let body = body.take().filter(|body| !body.is_empty()).ok_or(MALFORMED_XML)?;
                messages.push(Incoming { body, priority, delay_seconds: delay_seconds.take() });
                priority = 8;
            }
            _ => return Err(MALFORMED_XML),
        }
    }
    Ok(messages)
}

/// Attributes as a body changes them.
fn attributes_of(
    request: &Request,
    mut attributes: QueueAttributes,
) -> Result<QueueAttributes, Refusal> {
    let mut dead_letters = DeadLetters { queue: String::new(), receive_count_max: 0 };
    for Element { path, text } in &request.body {
        match path.as_str() {
            "Queue/VisibilityTimeout" => {
                attributes.visibility_seconds = in_range("VisibilityTimeout", text, 1, 43_200)?;
            }
            "Queue/DelaySeconds" => {
                attributes.delay_seconds = in_range("DelaySeconds", text, 0, 604_800)?;
            }
            "Queue/MessageRetentionPeriod" => {
                let name = "MessageRetentionPeriod";
                attributes.retention_seconds = in_range(name, text, 60, 604_800)?;
            }
            "Queue/MaximumMessageSize" => {
                attributes.message_bytes_max = in_range("MaximumMessageSize", text, 1_024, 65_536)?;
            }
            "Queue/PollingWaitSeconds" => {
                attributes.polling_wait_seconds = in_range("PollingWaitSeconds", text, 0, 30)?;
            }
            "Queue/DlqPolicy/DeadLetterTargetQueue" => dead_letters.queue.clone_from(text),
            "Queue/DlqPolicy/MaxReceiveCount" => {
                let count = in_range("MaxReceiveCount", text, 1, u64::from(u32::MAX))?;
                dead_letters.receive_count_max = u32::try_from(count).unwrap_or(u32::MAX);
            }
            _ => {}
        }
    }
    if !dead_letters.queue.is_empty() {
        attributes.dead_letters = Some(dead_letters);
    }
    Ok(attributes)
}
