//! Messages as XML carries them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ossferry_core::ports::Outgoing;
use ossferry_core::time::Timestamp;

use crate::xml::{parsed, push_escaped, walk};

/// The longest delay that the service takes: seven days.
const DELAY_SECONDS_MAX: u64 = 604_800;

/// How bodies stand in the XML. The service itself takes them as they are.
///
/// A reader takes both for what they are: a body of this system is a JSON object, and no base64 begins
/// with its brace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BodyEncoding {
    /// In base64, as the official SDKs do by default and the manual advises.
    #[default]
    Base64,
    /// As they are.
    Plain,
}

/// Appends a `Message` element to a batch.
pub(crate) fn pushed(xml: &mut String, message: &Outgoing, encoding: BodyEncoding) {
    xml.push_str("<Message><MessageBody>");
    match encoding {
        BodyEncoding::Base64 => STANDARD.encode_string(&message.body, xml),
        BodyEncoding::Plain => push_escaped(xml, &message.body),
    }
    xml.push_str("</MessageBody><DelaySeconds>");
    xml.push_str(&whole_seconds(message.delay).min(DELAY_SECONDS_MAX).to_string());
    xml.push_str("</DelaySeconds></Message>");
}

/// Seconds, rounded up.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// What the service says of a batch, in its order: of each message the code of its refusal, if it was
/// refused. `None` where the document says nothing of messages.
pub(crate) fn read_sent(document: &[u8]) -> Option<Vec<Option<String>>> {
    let (mut sent, mut code, mut accepted) = (Vec::new(), None, false);
    walk(document, |path, text| {
        match path {
            "Messages/Message/ErrorCode" => code = text.map(str::to_owned),
            "Messages/Message/MessageId" => accepted = true,
            "Messages/Message" => {
                let refused = code.take();
                // Neither taken nor refused: not an answer to a batch.
                (accepted || refused.is_some()).then_some(())?;
                accepted = false;
                sent.push(refused);
            }
            _ => {}
        }
        Some(())
    })?;
    (!sent.is_empty()).then_some(sent)
}

/// A message as received.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageAsReceived {
    pub(crate) body: String,
    pub(crate) receipt_handle: String,
    pub(crate) dequeue_count: u32,
    /// By the service's clock.
    pub(crate) next_visible: Option<Timestamp>,
}

/// The messages of an answer. `None` where it cannot be read.
pub(crate) fn read_received(document: &[u8]) -> Option<Vec<MessageAsReceived>> {
    let (mut messages, mut message) = (Vec::new(), MessageAsReceived::default());
    let mut is_whole = false;
    walk(document, |path, text| {
        match (path, text) {
            ("Messages/Message/MessageBody", Some(text)) => message.body = decoded(text),
            ("Messages/Message/ReceiptHandle", Some(text)) => {
                text.trim().clone_into(&mut message.receipt_handle);
            }
            ("Messages/Message/DequeueCount", Some(text)) => message.dequeue_count = parsed(text)?,
            ("Messages/Message/NextVisibleTime", Some(text)) => {
                message.next_visible = Some(Timestamp(parsed(text)?));
            }
            ("Messages", _) => is_whole = true,
            ("Messages/Message", _) => {
                let message = std::mem::take(&mut message);
                (!message.receipt_handle.is_empty()).then_some(())?;
                messages.push(message);
            }
            _ => {}
        }
        Some(())
    })?;
    is_whole.then_some(messages)
}

/// Messages of a queue, by what keeps them from being received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageCounts {
    /// Nothing.
    pub(crate) active: u64,
    /// Somebody has them.
    pub(crate) inactive: u64,
    /// Their time has not come.
    pub(crate) delayed: u64,
}

/// What a queue's attributes count. `None` where the answer cannot be read.
pub(crate) fn read_counts(document: &[u8]) -> Option<MessageCounts> {
    let (mut counts, mut is_counted) = (MessageCounts::default(), false);
    walk(document, |path, text| {
        let counted = match path {
            "Queue/ActiveMessages" => &mut counts.active,
            "Queue/InactiveMessages" => &mut counts.inactive,
            "Queue/DelayMessages" => &mut counts.delayed,
            _ => return Some(()),
        };
        if let Some(text) = text {
            *counted = parsed(text)?;
            is_counted |= path == "Queue/ActiveMessages";
        }
        Some(())
    })?;
    is_counted.then_some(counts)
}

/// The receipt handle that replaces the old one. `None` where the answer cannot be read.
pub(crate) fn read_extended(document: &[u8]) -> Option<String> {
    let mut handle = None;
    walk(document, |path, text| {
        if path == "ChangeVisibility/ReceiptHandle" {
            handle = text.map(|text| text.trim().to_owned());
        }
        Some(())
    })?;
    handle
}

/// Whether the service can have given this handle: what stands in a query as it is, as the official
/// SDKs send it.
pub(crate) fn is_receipt_handle(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'+' | b'/');
    !text.is_empty() && text.bytes().all(allowed)
}

fn decoded(text: &str) -> String {
    STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stands_in_xml_as_it_is_to_be_sent() {
        let message =
            Outgoing { body: "{\"k\":\"<v>\"}\r".to_owned(), delay: Duration::from_millis(1_001) };
        let mut xml = String::new();
        pushed(&mut xml, &message, BodyEncoding::Plain);
        assert_eq!(
            xml,
            "<Message><MessageBody>{&quot;k&quot;:&quot;&lt;v&gt;&quot;}&#13;</MessageBody>\
             <DelaySeconds>2</DelaySeconds></Message>"
        );
        xml.clear();
        let delay = Duration::from_hours(24 * 30);
        pushed(&mut xml, &Outgoing { delay, ..message }, BodyEncoding::Base64);
        assert_eq!(
            xml,
            "<Message><MessageBody>eyJrIjoiPHY+In0N</MessageBody>\
             <DelaySeconds>604800</DelaySeconds></Message>"
        );
    }

    #[test]
    fn each_message_of_a_batch_is_taken_or_refused() {
        let answer = b"<Messages xmlns=\"http://mns.aliyuncs.com/doc/v1/\">\
            <Message><MessageId>1</MessageId><MessageBodyMD5>C4</MessageBodyMD5></Message>\
            <Message><ErrorCode>InternalError</ErrorCode><ErrorMessage>x</ErrorMessage></Message>\
            <Message><MessageBodyMD5>C4</MessageBodyMD5><MessageId>2</MessageId></Message></Messages>";
        assert_eq!(read_sent(answer), Some(vec![None, Some("InternalError".to_owned()), None]));
        for other in [
            "<Error><Code>InternalError</Code></Error>",
            "<Messages/>",
            "",
            "<Messages>",
            "<Messages><Message><Priority>8</Priority></Message></Messages>",
        ] {
            assert_eq!(read_sent(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_received_message_is_read_in_either_encoding() {
        let message = |body: &str| {
            format!(
                "<Message><MessageId>5F</MessageId><ReceiptHandle>1-ODU4</ReceiptHandle>\
                 <MessageBody>{body}</MessageBody><EnqueueTime>1</EnqueueTime>\
                 <NextVisibleTime>1702743687000</NextVisibleTime><DequeueCount>2</DequeueCount>\
                 <Priority>8</Priority></Message>"
            )
        };
        let document = format!(
            "<Messages>{}{}</Messages>",
            message("eyJrIjoxfQ=="),
            message("{&quot;k&quot;:1}")
        );
        let expected = |body: &str| MessageAsReceived {
            body: body.to_owned(),
            receipt_handle: "1-ODU4".to_owned(),
            dequeue_count: 2,
            next_visible: Some(Timestamp(1_702_743_687_000)),
        };
        let read = read_received(document.as_bytes()).unwrap();
        assert_eq!(read, [expected("{\"k\":1}"), expected("{\"k\":1}")]);
        assert_eq!(read_received(b"<Messages><Message/></Messages>"), None, "without a handle");
        assert_eq!(read_received(b"<Messages/>"), Some(Vec::new()));
        assert_eq!(read_received(b"<html/>"), None, "another document");
        let changed = b"<ChangeVisibility><ReceiptHandle>1-b</ReceiptHandle>\
            <NextVisibleTime>1</NextVisibleTime></ChangeVisibility>";
        assert_eq!(read_extended(changed).as_deref(), Some("1-b"));
        assert_eq!(read_extended(b"<ChangeVisibility/>"), None);
    }

    #[test]
    fn a_handle_is_what_a_query_can_hold() {
        assert!(is_receipt_handle("1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA=="));
        for other in ["", "a b", "a&b", "a%41", "é"] {
            assert!(!is_receipt_handle(other), "{other}");
        }
    }
}
