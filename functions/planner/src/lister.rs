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

/// Finds a listing that goes round in circles, however long they are, by Brent's method: each position
/// is compared with one kept from before, and twice as many later another one is kept.
struct Circle {
    kept: ListStart,
    since: u64,
    lap: u64,
}

impl Circle {
    fn new(start: ListStart) -> Self {
        Self { kept: start, since: 0, lap: 1 }
    }

    /// Whether the listing has been here before. Says so at the latest after three rounds.
    fn closes_at(&mut self, position: &ListStart) -> bool {
        if *position == self.kept {
            return true;
        }
        self.since += 1;
        if self.since == self.lap {
            self.kept = position.clone();
            (self.since, self.lap) = (0, self.lap * 2);
        }
        false
    }
}

async fn read_ahead(
    listed: Listed,
    mut request: ListRequest,
    bound: Bound,
    pages: mpsc::Sender<Read>,
) {
    let mut circle = Circle::new(request.start.clone());
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
        let is_repeated = |next: &ListStart| *next == request.start || circle.closes_at(next);
        if next.as_ref().is_some_and(is_repeated) {
            let message = "list: the store gave a page again that it had given before";
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

#[cfg(test)]
mod tests {
    use super::*;
    use ossferry_core::meter::Meter;
    use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
    use ossferry_core::ports::{ListingOrder, OpenObject, SourceProfile};
    use ossferry_core::time::Timestamp;

    /// How many positions are looked at until the circle is found, of `tail` and then `round` again
    /// and again.
    fn found_after(tail: usize, round: usize) -> Option<usize> {
        let position = |step: usize| {
            let place = if step < tail { step } else { tail + (step - tail) % round };
            ListStart::Token(place.to_string())
        };
        let mut circle = Circle::new(ListStart::Beginning);
        (0..10_000).find(|step| circle.closes_at(&position(*step)))
    }

    #[test]
    fn a_listing_that_goes_round_in_circles_of_any_length_is_found() {
        for tail in [0, 1, 2, 5, 100] {
            for round in [1, 2, 3, 7, 64, 1_000] {
                let steps = found_after(tail, round).expect("it goes round");
                assert!(steps >= round, "{tail} {round}: nothing came again before {steps}");
                assert!(steps <= 3 * (tail + round) + 1, "{tail} {round}: late, after {steps}");
            }
        }
        assert_eq!(found_after(10_000, 1), None);
    }

    /// Its first page leads to A, A to B, and B back to A.
    struct Circular(SourceProfile);

    #[async_trait::async_trait]
    impl Source for Circular {
        fn profile(&self) -> &SourceProfile {
            &self.0
        }

        fn metered(&self, _: Arc<Meter>) -> Arc<dyn Source> {
            Arc::new(Self(self.0.clone()))
        }

        async fn now(&self) -> Result<Timestamp, PortError> {
            Ok(Timestamp(0))
        }

        async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
            let from_a = request.start == ListStart::Token("A".to_owned());
            let next = if from_a { "B" } else { "A" };
            Ok(Page { entries: Vec::new(), next: Some(next.to_owned()) })
        }

        async fn head(&self, _: &Key) -> Result<ObjectInfo, PortError> {
            Err(PortError::new(ErrorKind::NoSuchKey, "head"))
        }

        async fn open(
            &self,
            _: &Key,
            _: &Pin,
            _: Option<ByteRange>,
        ) -> Result<OpenObject, PortError> {
            Err(PortError::new(ErrorKind::NoSuchKey, "open"))
        }
    }

    #[tokio::test]
    async fn tokens_that_lead_back_end_the_listing_by_name() {
        let source = Circular(SourceProfile {
            kind: "s3-compatible",
            order: ListingOrder::Serial,
            etag_is_md5: true,
            page_keys_max: 1,
            etag_is_comparable: true,
        });
        let start = ListStart::Beginning;
        let request = ListRequest { prefix: Key::default(), start, keys_max: 1 };
        let listed = Listed::Source(Arc::new(source));
        let mut pages = Lister::start(listed, request, Bound::default());
        for _ in 0..8 {
            if let Err(error) = pages.next().await {
                assert_eq!(error.kind, ErrorKind::PageRepeated);
                return;
            }
        }
        panic!("the listing goes round for ever");
    }
}
