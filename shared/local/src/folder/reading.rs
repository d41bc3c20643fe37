//! A file's bytes as a stream that never ends cleanly when the file has changed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;
use futures::{StreamExt, stream};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::ports::ObjectBody;

use super::failure;
use super::tree::FileState;

/// Bytes read at once. All that an open object holds in memory.
const FRAME_BYTES: u64 = 256 << 10;

/// Runs `run` on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| {
        Err(PortError::new(ErrorKind::Storage, format!("read folder: {error}"))
            .concluding(Conclusion::NotDone))
    })
}

/// The file is not the pinned one any more.
pub(super) fn changed(key: &Key) -> PortError {
    PortError::new(ErrorKind::PreconditionFailed, format!("open {key}: the file has changed"))
}

/// The bytes from `start` on. The first frame is read here, so that a small file costs no second
/// change of threads.
pub(super) fn body(
    mut file: File,
    key: Key,
    state: FileState,
    start: u64,
    bytes: u64,
) -> Result<ObjectBody, PortError> {
    if start > 0 {
        file.seek(SeekFrom::Start(start))
            .map_err(|error| failure("read", key.as_bytes(), &error))?;
    }
    let mut reading = Reading { file, key, state, left_bytes: bytes };
    let first = reading.frame()?;
    let rest = stream::try_unfold(reading, |mut reading| async move {
        if reading.left_bytes == 0 {
            return Ok(None);
        }
        blocking(move || Ok(Some((reading.frame()?, reading)))).await
    });
    let first = Some(first).filter(|frame| !frame.is_empty());
    Ok(Box::pin(stream::iter(first.map(Ok)).chain(rest)))
}

struct Reading {
    file: File,
    key: Key,
    state: FileState,
    left_bytes: u64,
}

impl Reading {
    /// The next frame. The last is handed out only after another look at the file: whoever counts
    /// bytes takes the last one for the end.
    fn frame(&mut self) -> Result<Bytes, PortError> {
        let wanted = self.left_bytes.min(FRAME_BYTES);
        let mut frame = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        let read = (&self.file)
            .take(wanted)
            .read_to_end(&mut frame)
            .map_err(|error| failure("read", self.key.as_bytes(), &error))?;
        if read as u64 != wanted {
            return Err(changed(&self.key));
        }
        self.left_bytes -= wanted;
        if self.left_bytes == 0 && FileState::of_file(&self.file, &self.key)? != self.state {
            return Err(changed(&self.key));
        }
        Ok(Bytes::from(frame))
    }
}
