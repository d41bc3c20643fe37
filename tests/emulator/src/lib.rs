//! An OSS endpoint on loopback that checks signatures and keeps its objects on disk.
//!
//! The official SDKs take it for OSS. It serves the operations that moving objects needs, with the
//! rules and the error codes of the real one; what it does not serve it refuses as `NotImplemented`.
//! It has no levers for faults: a test that wants some serves its own service around
//! [`Emulator::handle`] with [`serve`].
//!
//! ```text
//! root/lock                       held by the one process that serves this root
//! root/<bucket>/index.log         one line for each change, replayed at the start
//! root/<bucket>/bodies/*.segment  small bodies, one after another
//! root/<bucket>/bodies/*.body     large bodies, one file each
//! ```

mod acl;
mod answer;
mod auth;
mod bucket;
mod call;
mod clock_text;
mod complete;
mod conditions;
mod copy_source;
mod emulator;
mod errors;
mod list_objects;
mod listing;
mod metadata;
mod mirror;
mod multipart;
mod objects;
mod operation;
mod range;
mod request;
mod restore;
mod server;
mod storage;
mod storage_class;
mod tagging;
pub mod xml;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use ossferry_core::time::Clock;

pub use answer::ResponseBody;
pub use emulator::Emulator;
pub use server::{RunningEmulator, serve};

/// Why a request's body ended before its end.
type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body, whatever it comes from.
type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// What an emulator is started with.
#[derive(Clone)]
pub struct EmulatorOptions {
    /// The folder of all buckets. Made where it is not there; one process at a time serves it.
    pub root: PathBuf,
    /// Where to listen. Port 0: the system chooses.
    pub listen: SocketAddr,
    /// Buckets to make, beside those under the root. Clients can make more.
    pub buckets: Vec<String>,
    /// The one access key that is known.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Where there is one, every request must carry it, as with temporary credentials.
    pub security_token: Option<String>,
    /// The region that V4 signatures must name: `cn-hangzhou`, without `oss-`.
    pub region: String,
    /// The emulator's own clock.
    pub clock: Clock,
}

impl std::fmt::Debug for EmulatorOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmulatorOptions")
            .field("root", &self.root)
            .field("listen", &self.listen)
            .field("buckets", &self.buckets)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The root cannot be made, or what stands under it cannot be read.
    #[error("open {root}: {error}", root = root.display())]
    Root {
        /// The root.
        root: PathBuf,
        /// What the disk said.
        #[source]
        error: io::Error,
    },
    /// Another process serves this root.
    #[error("{root} is in use by another emulator", root = .0.display())]
    RootInUse(PathBuf),
    /// Not a name that OSS gives a bucket.
    #[error("{0:?} is not a bucket name: want 3 to 63 of a-z, 0-9 and -")]
    BucketName(String),
    /// The address cannot be listened on.
    #[error("listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}
