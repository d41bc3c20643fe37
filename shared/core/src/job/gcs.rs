//! A bucket of Google Cloud Storage by its JSON interface: what the job file says of it.

use serde::{Deserialize, Serialize};

use super::mistakes::Mistakes;
use super::section::{Found, Section};
use super::state::Host;
use super::stores::{BUCKETS, URL_LIST_ONLY, URL_LISTS, bucket_name};
use super::{Credentials, credentials, endpoint};
use crate::key::Key;

/// One for all regions.
pub(super) const ENDPOINT: &str = "https://storage.googleapis.com";

/// A bucket to read from with a service account's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcsSource {
    /// The bucket's name.
    pub bucket: String,
    /// Only objects whose names begin with these bytes. May be empty.
    pub prefix: Key,
    /// The service's address: scheme, host and port. Google's own, or this machine's.
    pub endpoint: String,
    /// Where the key is found.
    pub credentials: Credentials,
}

pub(super) fn read(
    mut section: Section<'_, '_>,
    prefix: Key,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<GcsSource> {
    const BY_XML: &str = "kind = \"gcs\", which is read by HMAC keys, or another that is a bucket";
    let bucket = bucket_name(&mut section, mistakes);
    let endpoint = address(&mut section, mistakes);
    let below = section.section("credentials", mistakes);
    let credentials = credentials::read_gcs(below, host, mistakes);
    let mut elsewhere = vec![
        ("path", "kind = \"folder\""),
        ("region", "other kinds: a bucket of Google is found without it"),
        ("addressing", BY_XML),
        ("list_version", BY_XML),
        ("listing_order", BY_XML),
        ("etag_is_md5", BY_XML),
        ("restore", "kinds with an archive: every class of Google is read at once"),
        ("inventory", BUCKETS),
        ("inventory_file", BUCKETS),
        ("keys", BUCKETS),
        ("keys_file", BUCKETS),
    ];
    elsewhere.extend(URL_LIST_ONLY.map(|name| (name, URL_LISTS)));
    section.finish(&elsewhere, mistakes);
    Some(GcsSource { bucket: bucket?, prefix, endpoint: endpoint?, credentials: credentials? })
}

/// A token goes to Google and to this machine only: it opens all that the account may read.
fn address(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let Some(Found { value, at }) = section.text("endpoint", mistakes) else {
        return Some(ENDPOINT.to_owned());
    };
    let problem = match endpoint::normalised(&value) {
        Ok(endpoint) if endpoint == ENDPOINT || endpoint::is_loopback(&endpoint) => {
            return Some(endpoint);
        }
        Ok(_) => "is neither Google's nor this machine",
        Err(problem) => problem,
    };
    mistakes.add(at, section.full("endpoint"), problem, "remove the line");
    None
}
