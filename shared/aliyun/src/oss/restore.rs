//! `RestoreObject`.

use bytes::Bytes;
use http::{Method, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::RestoreSpec;
use ossferry_core::key::Key;
use ossferry_core::ports::Restoration;
use ossferry_http::{LaneBody, retry};

use crate::oss::client::{Call, OssClient};

/// The class that is restored in about a minute and knows no tiers.
const WITHOUT_TIERS: &str = "Archive";

impl OssClient {
    /// `RestoreObject`: 202 the first time, 409 while it goes on, 200 once the object can be read.
    pub async fn restore_object(
        &self,
        key: &Key,
        wanted: &RestoreSpec,
        storage_class: Option<&str>,
    ) -> Result<Restoration, PortError> {
        const OPERATION: &str = "RestoreObject";
        let has_tiers = storage_class != Some(WITHOUT_TIERS);
        let document = Bytes::from(wanted.document(has_tiers.then_some("JobParameters")));
        let asked = retry(self.policy(), || {
            let (query, body): (&[(&[u8], &[u8])], _) =
                (&[(b"restore", b"")], LaneBody::Bytes(document.clone()));
            self.send(Call { query, body, ..Call::new(OPERATION, Method::POST, Some(key)) })
        })
        .await;
        match asked {
            Ok(response) if response.status == StatusCode::OK => Ok(Restoration::Readable),
            Ok(_) => Ok(Restoration::Asked),
            Err(error) if error.kind == ErrorKind::Restoring => Ok(Restoration::Ongoing),
            Err(error) => Err(error),
        }
    }
}
