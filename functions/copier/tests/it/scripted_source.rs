//! A source that does what a test says.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use ossferry_core::along::Tag;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, Digests, ETag, ObjectHeaders, ObjectInfo, Pin};
use ossferry_core::ports::{
    ListRequest, ListingOrder, ObjectBody, OpenObject, Page, Source, SourceProfile,
};
use ossferry_core::time::Timestamp;

/// What becomes of one GET.
#[derive(Clone, Debug)]
pub(crate) enum Opens {
    Well,
    /// Refused.
    Fails(ErrorKind),
    /// The body breaks in its middle.
    Breaks(ErrorKind),
    /// Just before it the object becomes this one.
    Changed(&'static str),
    /// The answer names another size.
    OfAnotherSize,
    /// The first byte takes so long.
    Slowly(Duration),
    /// It takes so long alone, and as much longer as bodies are open beside it.
    OverASlowLine(Duration),
}

#[derive(Clone)]
pub(crate) struct SourceObject {
    pub(crate) bytes: Bytes,
    pub(crate) info: ObjectInfo,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, SourceObject>,
    next: HashMap<Key, VecDeque<Opens>>,
    always: HashMap<Key, Opens>,
    tags: HashMap<Key, Vec<Tag>>,
    /// Each the end of one request for tags.
    tags_fail: VecDeque<ErrorKind>,
    in_flight: usize,
    most_in_flight: usize,
    opened: Vec<Key>,
}

/// Objects in memory and a script.
#[derive(Clone)]
pub(crate) struct ScriptedSource {
    state: Arc<Mutex<State>>,
    profile: Arc<SourceProfile>,
    meter: Arc<Meter>,
}

impl ScriptedSource {
    pub(crate) fn new() -> Self {
        let profile = SourceProfile {
            kind: "s3",
            order: ListingOrder::Bytes,
            etag_is_md5: true,
            page_keys_max: 1_000,
            etag_is_comparable: true,
        };
        Self { state: Arc::default(), profile: Arc::new(profile), meter: Arc::default() }
    }

    /// Puts an object whose `ETag` is the MD5 of its bytes.
    pub(crate) fn put(&self, key: &str, bytes: impl Into<Bytes>) -> SourceObject {
        let bytes = bytes.into();
        let md5 = crate::scripted_target::md5(&bytes);
        let digests = Digests { md5: Some(md5), ..Digests::default() };
        self.put_with(key, bytes, digests)
    }

    /// Puts an object of which the server gives these digests.
    pub(crate) fn put_with(&self, key: &str, bytes: Bytes, digests: Digests) -> SourceObject {
        let md5 = crate::scripted_target::md5(&bytes);
        let suffix = if digests.md5.is_none() { "-2" } else { "" };
        let etag = format!("{}{suffix}", crate::scripted_target::hex(&md5).to_lowercase());
        let info = ObjectInfo {
            size: bytes.len() as u64,
            etag: Some(ETag::new(&etag)),
            last_modified: Some(Timestamp(1_000)),
            content_modified: None,
            digests,
            headers: ObjectHeaders::default(),
            storage_class: None,
            mirrored: false,
            beyond: Properties::default(),
        };
        let object = SourceObject { bytes, info };
        self.state.lock().unwrap().objects.insert(Key::from(key), object.clone());
        object
    }

    /// Gives an object tags.
    pub(crate) fn tag(&self, key: &str, tags: &[Tag]) {
        self.edit(key, |info| info.beyond.insert(Property::Tags));
        self.state.lock().unwrap().tags.insert(Key::from(key), tags.to_vec());
    }

    /// How the next requests for tags end.
    pub(crate) fn refuse_tags(&self, kinds: impl IntoIterator<Item = ErrorKind>) {
        self.state.lock().unwrap().tags_fail.extend(kinds);
    }

    /// Changes what the server says of an object.
    pub(crate) fn edit(&self, key: &str, edit: impl FnOnce(&mut ObjectInfo)) {
        let mut state = self.state.lock().unwrap();
        edit(&mut state.objects.get_mut(&Key::from(key)).unwrap().info);
    }

    pub(crate) fn remove(&self, key: &str) {
        self.state.lock().unwrap().objects.remove(&Key::from(key));
    }

    /// What becomes of the next GETs of a key.
    pub(crate) fn script(&self, key: &str, fates: impl IntoIterator<Item = Opens>) {
        let mut state = self.state.lock().unwrap();
        state.next.entry(Key::from(key)).or_default().extend(fates);
    }

    /// What becomes of every GET of a key.
    pub(crate) fn always(&self, key: &str, fate: Opens) {
        self.state.lock().unwrap().always.insert(Key::from(key), fate);
    }

    /// GETs so far.
    pub(crate) fn opened(&self) -> Vec<Key> {
        self.state.lock().unwrap().opened.clone()
    }

    /// Bodies open at the same time, at most.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.state.lock().unwrap().most_in_flight
    }

    fn find(&self, key: &Key) -> Result<SourceObject, PortError> {
        let state = self.state.lock().unwrap();
        let gone = || PortError::new(ErrorKind::NoSuchKey, "get: NoSuchKey");
        state.objects.get(key).cloned().ok_or_else(gone)
    }

    fn fate(&self, key: &Key) -> Opens {
        let mut state = self.state.lock().unwrap();
        state.opened.push(key.clone());
        let next = state.next.get_mut(key).and_then(VecDeque::pop_front);
        next.or_else(|| state.always.get(key).cloned()).unwrap_or(Opens::Well)
    }
}

/// Counts an open body until it is dropped.
struct InFlight(Arc<Mutex<State>>);

impl InFlight {
    fn new(state: &Arc<Mutex<State>>) -> Self {
        let mut held = state.lock().unwrap();
        held.in_flight += 1;
        held.most_in_flight = held.most_in_flight.max(held.in_flight);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().unwrap().in_flight -= 1;
    }
}

async fn wait_as(fate: &Opens, state: &Mutex<State>) {
    match fate {
        Opens::Slowly(wait) => tokio::time::sleep(*wait).await,
        Opens::OverASlowLine(alone) => {
            let (tick, mut done) = (Duration::from_millis(500), Duration::ZERO);
            while done < *alone {
                tokio::time::sleep(tick).await;
                done += tick / u32::try_from(state.lock().unwrap().in_flight).unwrap();
            }
        }
        _ => {}
    }
}

/// An error as a service gives it.
pub(crate) fn refused(kind: ErrorKind) -> PortError {
    PortError::new(kind, format!("scripted: {kind:?}")).with_request_id(Some("R1".to_owned()))
}

#[async_trait]
impl Source for ScriptedSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok(Timestamp(2_000))
    }

    async fn list(&self, _request: &ListRequest) -> Result<Page, PortError> {
        unreachable!("a copier lists nothing")
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.meter.count("HeadObject");
        Ok(self.find(key)?.info)
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        self.meter.count("GetObject");
        let fate = self.fate(key);
        match fate {
            Opens::Fails(kind) => return Err(refused(kind)),
            Opens::Changed(text) => drop(self.put(key.as_str().unwrap(), text)),
            _ => {}
        }
        let SourceObject { bytes, mut info } = self.find(key)?;
        if info.etag.as_ref() != Some(&pin.etag) {
            return Err(refused(ErrorKind::PreconditionFailed));
        }
        let bytes = match range {
            Some(ByteRange { start, bytes: length }) => {
                let start = usize::try_from(start).unwrap();
                bytes.slice(start..start + usize::try_from(length).unwrap())
            }
            None => bytes,
        };
        let guard = InFlight::new(&self.state);
        let (front, back) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
        let back = match &fate {
            Opens::Breaks(kind) => Err(refused(*kind)),
            _ => Ok(back),
        };
        if matches!(fate, Opens::OfAnotherSize) {
            info.size += 1;
        }
        let state = Arc::clone(&self.state);
        let frames = stream::iter([Ok(front), back]);
        let body: ObjectBody = Box::pin(
            stream::once(async move {
                wait_as(&fate, &state).await;
                frames
            })
            .flatten()
            .map(move |frame| {
                let _open = &guard;
                frame
            }),
        );
        Ok(OpenObject { info, body })
    }

    async fn tags(&self, key: &Key) -> Result<Vec<Tag>, PortError> {
        self.meter.count("GetObjectTagging");
        let mut state = self.state.lock().unwrap();
        match state.tags_fail.pop_front() {
            Some(kind) => Err(refused(kind)),
            None => Ok(state.tags.get(key).cloned().unwrap_or_default()),
        }
    }
}
