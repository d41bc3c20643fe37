//! A target to which nothing is sent once an invocation's time is up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;

use crate::error::{ErrorKind, PortError};
use crate::key::Key;
use crate::meter::Meter;
use crate::object::ObjectInfo;
use crate::ports::{
    ListRequest, ListedPart, ListedUpload, ObjectBody, Page, PutAnswer, PutOptions, Target,
    TargetProfile, UploadedPart,
};
use crate::proof::Verified;
use crate::time::{Clock, Timestamp};

/// A moment from which on nothing is sent to the target any more.
#[derive(Clone)]
pub struct TimeLimit {
    clock: Clock,
    deadline: Timestamp,
}

impl TimeLimit {
    /// The deadline by this clock.
    pub fn new(clock: Clock, deadline: Timestamp) -> Self {
        Self { clock, deadline }
    }

    /// Refuses what is to be sent too late.
    pub fn check(&self, call: &str) -> Result<(), PortError> {
        if (self.clock)() < self.deadline {
            return Ok(());
        }
        Err(PortError::new(ErrorKind::Deadline, format!("{call}: the invocation's time is up")))
    }
}

/// A target that refuses every change from a deadline on, with [`ErrorKind::Deadline`]; a body that is
/// on its way then ends in that error, so that nothing is published.
///
/// A timer alone does not do: a process that was suspended, and goes on when its leases have ended, may
/// make its next request before its timers fire. Nor does one look before a call: the target below may
/// let it wait, and looks again ([`Target::until`]).
#[derive(Clone)]
pub struct TimelyTarget {
    inner: Arc<dyn Target>,
    limit: TimeLimit,
}

impl TimelyTarget {
    /// Over this target, until the deadline by this clock.
    pub fn new(inner: &dyn Target, clock: Clock, deadline: Timestamp) -> Self {
        let limit = TimeLimit::new(clock, deadline);
        Self { inner: inner.until(limit.clone()), limit }
    }

    fn timely(&self, body: ObjectBody) -> ObjectBody {
        Box::pin(TimelyBody { body, limit: self.limit.clone() })
    }
}

struct TimelyBody {
    body: ObjectBody,
    limit: TimeLimit,
}

impl Stream for TimelyBody {
    type Item = Result<Bytes, PortError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(error) = self.limit.check("send body") {
            return Poll::Ready(Some(Err(error)));
        }
        self.body.as_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.size_hint()
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods, reason = "no method of the port may escape")]
impl Target for TimelyTarget {
    fn profile(&self) -> &TargetProfile {
        self.inner.profile()
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Target> {
        Arc::new(Self { inner: self.inner.metered(meter), limit: self.limit.clone() })
    }

    fn until(&self, limit: TimeLimit) -> Arc<dyn Target> {
        // Below the earlier of the two may be forgotten: it is looked at here.
        Arc::new(Self { inner: self.inner.until(limit), limit: self.limit.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        self.inner.now().await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        self.inner.list(request).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, PortError> {
        self.inner.head(key).await
    }

    async fn put(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.limit.check("put")?;
        self.inner.put(key, options, bytes, self.timely(body)).await
    }

    async fn initiate_upload(&self, key: &Key, options: &PutOptions) -> Result<String, PortError> {
        self.limit.check("initiate upload")?;
        self.inner.initiate_upload(key, options).await
    }

    async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        self.limit.check("upload part")?;
        self.inner.upload_part(key, upload_id, part_number, bytes, self.timely(body)).await
    }

    async fn list_parts(&self, key: &Key, upload_id: &str) -> Result<Vec<ListedPart>, PortError> {
        self.inner.list_parts(key, upload_id).await
    }

    async fn complete_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
        proof: &Verified,
    ) -> Result<PutAnswer, PortError> {
        self.limit.check("complete upload")?;
        self.inner.complete_upload(key, upload_id, parts, options, proof).await
    }

    async fn abort_upload(&self, key: &Key, upload_id: &str) -> Result<(), PortError> {
        self.limit.check("abort upload")?;
        self.inner.abort_upload(key, upload_id).await
    }

    async fn list_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        self.inner.list_uploads(key).await
    }
}
