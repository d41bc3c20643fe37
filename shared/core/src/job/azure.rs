//! A container of Azure Blob Storage as source: what the job file says of it.

use serde::{Deserialize, Serialize};

use super::mistakes::Mistakes;
use super::section::{Found, Section};
use super::state::Host;
use super::stores::{BUCKETS, URL_LIST_ONLY, URL_LISTS};
use super::{Addressing, Credentials, credentials, endpoint};
use crate::key::Key;

/// A container to read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzureSource {
    /// The storage account's name.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// Only blobs whose names begin with these bytes. May be empty.
    pub prefix: Key,
    /// The account's address: scheme, host and port, no slash at the end.
    pub endpoint: String,
    /// [`Addressing::Path`] where the account's name stands in the path and not in the host.
    pub addressing: Addressing,
    /// Where the secret is found.
    pub credentials: Credentials,
}

pub(super) fn read(
    mut section: Section<'_, '_>,
    prefix: Key,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<AzureSource> {
    let account = name(&mut section, "account", 3..=24, false, mistakes);
    let container = name(&mut section, "container", 3..=63, true, mistakes);
    let written = section.text("endpoint", mistakes);
    let below = section.section("credentials", mistakes);
    let credentials = credentials::read_azure(below, host, mistakes);
    let endpoint = match written {
        None => account.as_ref().map(|account| format!("https://{account}.blob.core.windows.net")),
        Some(Found { value, at }) => match endpoint::normalised(&value) {
            Ok(endpoint) => Some(endpoint),
            Err(problem) => {
                let remedy = "write endpoint = \"https://ACCOUNT.blob.core.chinacloudapi.cn\"";
                mistakes.add(at, section.full("endpoint"), problem, remedy);
                None
            }
        },
    };
    let mut elsewhere = vec![
        ("path", "kind = \"folder\""),
        ("bucket", "other kinds: here it is container"),
        ("region", BUCKETS),
        ("addressing", BUCKETS),
        ("list_version", BUCKETS),
        ("listing_order", BUCKETS),
        ("etag_is_md5", BUCKETS),
        ("inventory", BUCKETS),
        ("inventory_file", BUCKETS),
        ("keys", BUCKETS),
        ("keys_file", BUCKETS),
    ];
    elsewhere.extend(URL_LIST_ONLY.map(|name| (name, URL_LISTS)));
    section.finish(&elsewhere, mistakes);
    let endpoint = endpoint?;
    // A bare address names no account.
    let addressing =
        if endpoint::is_bare(&endpoint) { Addressing::Path } else { Addressing::Virtual };
    Some(AzureSource {
        account: account?,
        container: container?,
        prefix,
        endpoint,
        addressing,
        credentials: credentials?,
    })
}

/// Names are lower-case letters and digits, those of containers with `-` and `$` as well.
fn name(
    section: &mut Section<'_, '_>,
    key: &'static str,
    length: std::ops::RangeInclusive<usize>,
    is_container: bool,
    mistakes: &mut Mistakes<'_>,
) -> Option<String> {
    let Found { value, at } = section.required(key, "photos", mistakes)?;
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || (is_container && matches!(byte, b'-' | b'$'))
    };
    if !length.contains(&value.len()) || !value.bytes().all(allowed) {
        let remedy = "write its name alone, in lower case, and names to begin with as prefix";
        mistakes.add(at, section.full(key), format!("is no name of a {key}"), remedy);
        return None;
    }
    Some(value)
}
