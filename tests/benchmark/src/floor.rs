//! The floor: nothing but a read from one socket, CRC-64, a write to another, a thread an object.
//! What a copy costs beyond it is what the program adds; what the floor costs is the kernel's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;

use ossferry_core::crc::Digester;

/// Bytes asked of the kernel at once.
const BUFFER_BYTES: usize = 256 << 10;

/// One object: where it is, where it goes, and the heads of both requests as they are sent.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Errand {
    /// Of the source.
    pub(crate) source: SocketAddr,
    /// Of the target.
    pub(crate) target: SocketAddr,
    /// A GET up to its empty line, signed.
    pub(crate) get: String,
    /// A PUT up to its empty line, signed.
    pub(crate) put: String,
    /// Of the object.
    pub(crate) bytes: u64,
}

/// Runs the errands of a file, so many at once.
pub(crate) fn run(errands: &Path, threads: usize) -> io::Result<()> {
    let errands: Vec<Errand> = serde_json::from_slice(&std::fs::read(errands)?)?;
    let left = Mutex::new(errands.into_iter());
    let next = || left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let work = || {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some(errand) = next() {
            copy(&errand, &mut buffer)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| io::Error::other("a thread of the floor panicked"))?
        })
    })
}

fn copy(errand: &Errand, buffer: &mut [u8]) -> io::Result<()> {
    let mut source = TcpStream::connect(errand.source)?;
    source.write_all(errand.get.as_bytes())?;
    let mut source = BufReader::with_capacity(4 << 10, source);
    let length = content_length_of_success(&mut source)?;
    if length != errand.bytes {
        return Err(io::Error::other("the source answered another length"));
    }
    let mut target = TcpStream::connect(errand.target)?;
    target.set_nodelay(true)?;
    target.write_all(errand.put.as_bytes())?;
    let mut digester = Digester::new(false);
    // What came with the head; then past the reader's own buffer.
    let early = source.buffer().to_vec();
    let mut missing = length - early.len() as u64;
    let mut source = source.into_inner();
    digester.update(&early);
    target.write_all(&early)?;
    while missing > 0 {
        let read = source.read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        digester.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
        missing -= read as u64;
    }
    let mut answer = BufReader::new(target);
    let crc64_ecma = header_of_success(&mut answer, "x-oss-hash-crc64ecma")?;
    if crc64_ecma != Some(digester.streamed().crc64_ecma.to_string()) {
        return Err(io::Error::other("the target holds other bytes"));
    }
    Ok(())
}

fn content_length_of_success(answer: &mut impl BufRead) -> io::Result<u64> {
    let length = header_of_success(answer, "content-length")?;
    length
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| io::Error::other("an answer without a length"))
}

/// Reads the head of an answer; the value of one header of it.
fn header_of_success(answer: &mut impl BufRead, wanted: &str) -> io::Result<Option<String>> {
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("answered {}", line.trim())));
    }
    let mut found = None;
    loop {
        line.clear();
        answer.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(found) };
        if name.eq_ignore_ascii_case(wanted) {
            found = Some(value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_a_head_and_the_body_is_left() {
        let mut answer: &[u8] = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-length: 3\r\n\r\nabc";
        assert_eq!(content_length_of_success(&mut answer).unwrap(), 3);
        assert_eq!(answer, b"abc");
        let mut refused: &[u8] = b"HTTP/1.1 403 Forbidden\r\n\r\n";
        assert!(content_length_of_success(&mut refused).is_err());
    }
}
