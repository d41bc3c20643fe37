//! A process that dies at its nth call of a port: that call fails before or after its effect, and every
//! later one fails, until the next process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::ports::{Condition, Row, RowPage, Table, Written};

#[derive(Clone)]
pub(crate) struct Crash(Arc<State>);

struct State {
    /// Calls until death.
    left: AtomicI64,
    /// Whether the deadly call takes effect before it fails.
    with_effect: AtomicBool,
}

const NEVER: i64 = i64::MAX / 2;

impl Default for Crash {
    fn default() -> Self {
        Self(Arc::new(State { left: NEVER.into(), with_effect: false.into() }))
    }
}

fn dead() -> PortError {
    PortError::new(ErrorKind::Other, "the process has died")
}

impl Crash {
    /// Dies at the call of this number, from 0.
    pub(crate) fn at(&self, call: i64, with_effect: bool) {
        self.0.with_effect.store(with_effect, Ordering::SeqCst);
        self.0.left.store(call, Ordering::SeqCst);
    }

    /// The next process. Answers whether the last one died.
    pub(crate) fn revive(&self) -> bool {
        self.0.left.swap(NEVER, Ordering::SeqCst) < 0
    }

    /// Before a call.
    pub(crate) fn step(&self) -> Result<(), PortError> {
        let left = self.0.left.fetch_sub(1, Ordering::SeqCst);
        let lives = left > 0 || (left == 0 && self.0.with_effect.load(Ordering::SeqCst));
        if lives { Ok(()) } else { Err(dead()) }
    }

    /// After a call that had its effect.
    pub(crate) fn after(&self) -> Result<(), PortError> {
        if self.0.left.load(Ordering::SeqCst) < 0 { Err(dead()) } else { Ok(()) }
    }
}

pub(crate) struct CrashingTable {
    pub(crate) inner: Arc<dyn Table>,
    pub(crate) crash: Crash,
}

#[async_trait]
impl Table for CrashingTable {
    fn row_bytes_max(&self) -> usize {
        self.inner.row_bytes_max()
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Row>, PortError> {
        self.crash.step()?;
        self.inner.get(partition, sort).await
    }

    async fn range(
        &self,
        partition: &str,
        from: &str,
        until: &str,
        rows_max: usize,
    ) -> Result<RowPage, PortError> {
        self.crash.step()?;
        self.inner.range(partition, from, until, rows_max).await
    }

    async fn put(&self, row: &Row, condition: Condition) -> Result<Written, PortError> {
        self.crash.step()?;
        let written = self.inner.put(row, condition).await?;
        self.crash.after()?;
        Ok(written)
    }
}
