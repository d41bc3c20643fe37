//! JSON lines on standard output, which hosts take to their logs, each with what it is about.

use std::io::Write as _;

use ossferry_ledger::messages::Message;
use tracing::field::{Empty, display};
use tracing::{Span, info_span};
use tracing_subscriber::EnvFilter;

use crate::call::Call;

/// What others log below a warning tells of requests and their headers, not of objects.
const OTHERS: &str = "aws_config=warn,aws_runtime=warn,aws_sigv4=warn,aws_smithy_runtime=warn,\
                      h2=warn,hyper=warn,hyper_util=warn,rustls=warn";

/// Sends events of `level` (`info`, `debug`, `ossferry_copier=trace`) to standard output. A panic is
/// such an event too.
pub fn install(level: &str) {
    let filter = EnvFilter::new(format!("{OTHERS},{level}"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let text = panic.payload_as_str().unwrap_or("no text");
        tracing::error!(place, text, "panic");
    }));
}

/// Writes lines among those of the log.
pub fn print(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        // Nobody reads them any more: nothing of the work depends on it.
        let _ = writeln!(out, "{line}");
    }
}

/// Everything that is logged while one record is dealt with says whose it is.
pub fn record_span(call: &Call, message_id: &str) -> Span {
    info_span!(
        "record",
        function = call.function,
        request_id = call.request_id,
        message_id,
        job = Empty,
        pass = Empty,
        slice = Empty,
        task = Empty,
        range = Empty,
    )
}

/// Everything that is logged while a trigger or a sweep is dealt with says whose it is.
pub fn call_span(call: &Call) -> Span {
    info_span!("call", function = call.function, request_id = call.request_id)
}

/// Notes what a record is about, once it is read.
pub fn note_message(span: &Span, message: &Message) {
    let pass = message.pass();
    span.record("job", display(&pass.job));
    span.record("pass", display(&pass.pass));
    match message {
        Message::Slice(slice) => {
            span.record("slice", display(&slice.slice));
        }
        Message::Upload(task) | Message::Task(task) | Message::Range { task, .. } => {
            span.record("slice", display(&task.slice.slice));
            span.record("task", task.seq);
        }
    }
    if let Message::Range { range, .. } = message {
        span.record("range", range);
    }
}
