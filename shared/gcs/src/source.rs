//! The source: a bucket of Google Cloud Storage.

use std::sync::Arc;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::meter::Meter;
use ossferry_core::object::{ByteRange, ObjectInfo, Pin};
use ossferry_core::ports::{ListRequest, ListingOrder, OpenObject, Page, Source, SourceProfile};
use ossferry_core::time::Timestamp;
use ossferry_http::{CredentialsProvider, Lane, Pace, RetryPolicy, named, retry};

use crate::error::{GET_OBJECT, GET_OBJECT_METADATA, LIST_OBJECTS, OF_CUSTOMERS_KEY, answered};
use crate::list::{Asking, PAGE_BYTES_MAX, PAGE_KEYS_MAX};
use crate::resource::{Resource, changed, info_of_bytes};
use crate::wire::{Ask, Wanted, Wire};

/// What a bucket as source is made of.
pub struct GcsOptions {
    /// Connections and pace towards it. Never shared with a target.
    pub lane: Lane,
    /// The service's address: scheme, host and port.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// Gives the token of each request. `None`: nobody, the bucket is public.
    pub credentials: Option<Arc<dyn CredentialsProvider>>,
    /// The budget of attempts of each call.
    pub retry: RetryPolicy,
}

/// The live objects of a bucket. What its bytes are pinned by, and told apart in place of an `ETag`, is
/// their generation.
#[derive(Clone)]
pub struct GcsSource {
    wire: Arc<Wire>,
    profile: Arc<SourceProfile>,
    meter: Arc<Meter>,
}

impl GcsSource {
    /// A source that has asked nothing yet. Fails with `Unsupported` where the address is none.
    pub fn new(options: GcsOptions) -> Result<Self, PortError> {
        let profile = SourceProfile {
            kind: "gcs-json",
            // <https://cloud.google.com/storage/docs/listing-objects>: by the bytes of UTF-8.
            order: ListingOrder::Bytes,
            etag_is_md5: false,
            page_keys_max: PAGE_KEYS_MAX,
            etag_is_comparable: false,
        };
        let wire = Arc::new(Wire::new(options)?);
        Ok(Self { wire, profile: Arc::new(profile), meter: Arc::default() })
    }

    /// How its store is asked.
    pub fn pace(&self) -> &Pace {
        self.wire.lane.pace()
    }

    /// The object as it is now.
    async fn resource(&self, key: &Key) -> Result<Resource, PortError> {
        let operation = GET_OBJECT_METADATA;
        let key = named(key, operation)?;
        let ask = Ask { operation, key: Some(key), query: Vec::new(), wanted: Wanted::Json };
        let ask_once = || self.wire.json(&ask, METADATA_BYTES_MAX, &self.meter);
        let asked = retry(&self.wire.retry, ask_once);
        match asked.await {
            Err(error) if error.kind == ErrorKind::NoSuchKey => Err(self.missing(error).await),
            asked => asked,
        }
    }

    /// Google says the same of a key and of a bucket that are not there: the bucket tells which.
    async fn missing(&self, error: PortError) -> PortError {
        match self.now().await {
            Err(of_bucket) if of_bucket.kind == ErrorKind::NoSuchBucket => of_bucket,
            _ => error,
        }
    }
}

/// Says whose bytes an answer carries.
const GENERATION: &str = "x-goog-generation";

/// More than metadata of 8 KiB takes, and the rights to an object for a hundred users.
const METADATA_BYTES_MAX: usize = 1 << 20;

#[async_trait::async_trait]
impl Source for GcsSource {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn metered(&self, meter: Arc<Meter>) -> Arc<dyn Source> {
        Arc::new(Self { meter, ..self.clone() })
    }

    async fn now(&self) -> Result<Timestamp, PortError> {
        let ask = first_object();
        retry(&self.wire.retry, || self.wire.time(&ask, &self.meter)).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, PortError> {
        let mut asking = Asking::new(request);
        loop {
            let ask = Ask {
                operation: LIST_OBJECTS,
                key: None,
                query: asking.query(),
                wanted: Wanted::Json,
            };
            let ask_once = || self.wire.json(&ask, PAGE_BYTES_MAX, &self.meter);
            let answer = retry(&self.wire.retry, ask_once).await?;
            if let Some(page) = asking.page(answer)? {
                return Ok(page);
            }
        }
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        let resource = self.resource(key).await?;
        resource.info().map_err(broken)
    }

    async fn open(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        let generation = pin.etag.as_str();
        // The answer with the bytes holds no user metadata. Of a part of them nothing else is needed.
        let whole = if range.is_none() { Some(self.pinned(key, pin).await?) } else { None };
        let opened = self.bytes(key, pin, range, whole).await;
        // A generation that is not there was overwritten, or deleted with the object.
        match opened {
            Err(error)
                if matches!(error.kind, ErrorKind::NoSuchKey | ErrorKind::PreconditionFailed) =>
            {
                self.resource(key).await?.must_be_generation(generation)?;
                Err(if error.kind == ErrorKind::NoSuchKey {
                    changed("none", generation)
                } else {
                    error
                })
            }
            opened => opened,
        }
    }
}

impl GcsSource {
    /// What is known of the object, which must be the pinned one and readable.
    async fn pinned(&self, key: &Key, pin: &Pin) -> Result<ObjectInfo, PortError> {
        let resource = self.resource(key).await?;
        resource.must_be_generation(pin.etag.as_str())?;
        if resource.is_of_customers_key() {
            let message = format!("{GET_OBJECT}: {OF_CUSTOMERS_KEY}");
            return Err(PortError::new(ErrorKind::Unsupported, message));
        }
        resource.info().map_err(broken)
    }

    /// The bytes of one generation. `whole` is what is known of the object where all of them are asked for.
    async fn bytes(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
        whole: Option<ObjectInfo>,
    ) -> Result<OpenObject, PortError> {
        let generation = pin.etag.as_str();
        if generation.is_empty() || !generation.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(changed("none", generation));
        }
        // The first alone would give the bytes of an object of earlier, where the bucket keeps versions.
        let query = vec![
            ("alt", b"media".to_vec()),
            ("generation", generation.as_bytes().to_vec()),
            ("ifGenerationMatch", generation.as_bytes().to_vec()),
        ];
        let key = named(key, GET_OBJECT)?;
        let ask =
            Ask { operation: GET_OBJECT, key: Some(key), query, wanted: Wanted::Bytes(range) };
        retry(&self.wire.retry, || async {
            let response = self.wire.send(&ask, &self.meter).await?;
            let said = answered(GET_OBJECT, &response.headers);
            said.of_pinned(pin, response.header(GENERATION), GENERATION)?;
            let size = said.object_bytes(response.status, range)?;
            let info = match &whole {
                Some(info) if info.size != size => {
                    return Err(said.bad(&format!("{size} bytes of an object of {}", info.size)));
                }
                Some(info) => info.clone(),
                None => info_of_bytes(&response.headers, size, generation),
            };
            let bytes = range.map_or(size, |range| range.bytes);
            Ok(OpenObject { info, body: response.into_object_body(bytes) })
        })
        .await
    }
}

/// Asks for as little of the bucket as can be asked with the right to list it.
fn first_object() -> Ask<'static> {
    let query = vec![("fields", b"kind".to_vec()), ("maxResults", b"1".to_vec())];
    Ask { operation: LIST_OBJECTS, key: None, query, wanted: Wanted::Json }
}

fn broken(what: &str) -> PortError {
    PortError::new(ErrorKind::BadAnswer, format!("{GET_OBJECT_METADATA}: {what}"))
}
