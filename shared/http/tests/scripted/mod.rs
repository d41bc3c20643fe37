//! A server on loopback that answers as told and remembers what it was sent, byte for byte.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether as many bytes came as were announced.
    pub(crate) complete: bool,
}

impl Received {
    /// Method, target and version.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// The target, exactly as sent.
    pub(crate) fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(crate) enum Reply {
    /// After the whole request.
    Answer(Vec<u8>),
    /// After the head, without waiting for the body.
    Early(Vec<u8>),
    /// After the whole request, then the connection is closed.
    Close(Vec<u8>),
    /// After the whole request, then nothing more ever comes.
    Hang(Vec<u8>),
}

/// An answer with its right length.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) struct Scripted {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Scripted {
    /// Gives each request the next reply; 500 when none is left.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: VecDeque<Reply> = replies.into_iter().collect();
        let replies = Arc::new(Mutex::new(replies));
        let received = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::clone(&received);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&log)));
            }
        });
        Self { url, received }
    }

    /// All requests so far, in the order in which their reading ended.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until this many requests were read to their end.
    pub(crate) async fn wait_for(&self, requests: usize) -> Vec<Received> {
        while self.received().len() < requests {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        self.received()
    }
}

async fn serve(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    log: Arc<Mutex<Vec<Received>>>,
) {
    let mut buffer = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let body = buffer.split_off(head_end);
        let head = String::from_utf8(std::mem::take(&mut buffer)).unwrap();
        let mut request = Received { head, body, complete: true };
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        let reply = replies.lock().unwrap().pop_front();
        let reply = reply.unwrap_or_else(|| Reply::Answer(answer("500 Unscripted", &[], b"")));
        if let Reply::Early(bytes) = &reply {
            stream.write_all(bytes).await.unwrap();
        }
        while request.body.len() < length {
            if stream.read_buf(&mut request.body).await.unwrap_or(0) == 0 {
                request.complete = false;
                break;
            }
        }
        buffer = request.body.split_off(length.min(request.body.len()));
        let complete = request.complete;
        log.lock().unwrap().push(request);
        if !complete {
            return;
        }
        match reply {
            Reply::Answer(bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::Early(_) => {}
            Reply::Close(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Reply::Hang(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                std::future::pending::<()>().await;
            }
        }
    }
}
