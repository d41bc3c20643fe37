//! A listing read ahead: the next page is asked for while one is worked on.

use std::sync::{Arc, Mutex, PoisonError};

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, Page, Source, Target};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Pages that wait to be taken; one more is being read.
const PAGES_AHEAD: usize = 1;

/// Ends a task of this invocation with its owner: nothing outlives the handler.
pub(crate) struct Helper<T>(JoinHandle<T>);

impl<T: Send + 'static> Helper<T> {
    pub(crate) fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// What it found; `None` where it panicked.
    pub(crate) async fn join(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

impl<T> Drop for Helper<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The last key that matters, shared with whoever reads ahead. A split lowers it.
#[derive(Clone, Default)]
pub(crate) struct Bound(Arc<Mutex<Option<Key>>>);

impl Bound {
    pub(crate) fn at(key: Option<Key>) -> Self {
        Self(Arc::new(Mutex::new(key)))
    }

    pub(crate) fn set(&self, key: Option<Key>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(crate) fn get(&self) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bound, if a listing that has come to `last` has come to it.
    pub(crate) fn reached_by(&self, last: &Key) -> Option<Key> {
        self.get().filter(|bound| last >= bound)
    }
}

/// Which listing is read.
#[derive(Clone)]
pub(crate) enum Listed {
    Source(Arc<dyn Source>),
    Target(Arc<dyn Target>),
}

impl Listed {
    pub(crate) async fn page(&self, request: &ListRequest) -> Result<Page, PortError> {
        match self {
            Self::Source(source) => source.list(request).await,
            Self::Target(target) => target.list(request).await,
        }
    }
}

/// A page, and whether it is the last that is read.
type Read = Result<(Page, bool), PortError>;

/// Pages of one listing, in order.
pub(crate) struct Lister {
    pages: mpsc::Receiver<Read>,
    is_over: bool,
    _reader: Helper<()>,
}

impl Lister {
    /// Begins to read. No page is read after the one that reaches `bound`.
    pub(crate) fn start(listed: Listed, request: ListRequest, bound: Bound) -> Self {
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        let reader = Helper::start(read_ahead(listed, request, bound, sender));
        Self { pages, is_over: false, _reader: reader }
    }

    /// The next page; after the last, or the one that reached the bound, an empty one without a next.
    /// May be cancelled: no page is lost.
    pub(crate) async fn next(&mut self) -> Result<Page, PortError> {
        if self.is_over {
            return Ok(Page::default());
        }
        match self.pages.recv().await {
            Some(Ok((page, is_last))) => {
                self.is_over = is_last;
                Ok(page)
            }
            Some(Err(error)) => Err(error),
            // An end that was not announced is no end: keys beyond it would be lost.
            None => Err(PortError::new(ErrorKind::BadAnswer, "list: the reader broke off")),
        }
    }
}

async fn read_ahead(
    listed: Listed,
    mut request: ListRequest,
    bound: Bound,
    pages: mpsc::Sender<Read>,
) {
    loop {
        let page = match listed.page(&request).await {
            Ok(page) => page,
            Err(error) => {
                // A receiver that is gone wants no answer.
                let _ = pages.send(Err(error)).await;
                return;
            }
        };
        let is_reached =
            page.entries.last().is_some_and(|last| bound.reached_by(&last.key).is_some());
        let next = page.next.clone().filter(|_| !is_reached).map(ListStart::Token);
        if next.as_ref() == Some(&request.start) {
            let message = "list: the store gave the same page again";
            let _ = pages.send(Err(PortError::new(ErrorKind::PageRepeated, message))).await;
            return;
        }
        if pages.send(Ok((page, next.is_none()))).await.is_err() {
            return;
        }
        let Some(next) = next else { return };
        request.start = next;
    }
}
