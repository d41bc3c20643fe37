//! A list of URLs as source: what the job file says of it.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::mistakes::Mistakes;
use super::section::{Found, Section};
use super::state::Host;
use super::stores::{BUCKET_ONLY, BUCKETS};
use crate::key::Key;

/// A list of URLs, each with the key that its object has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlListSource {
    /// Where the list is: a file of this machine, or an address that begins with `http://` or
    /// `https://`. Of a list in several files: its manifest.
    pub list: String,
    /// How a line names a URL and a key.
    pub format: UrlListFormat,
    /// Only keys that begin with these bytes. May be empty.
    pub prefix: Key,
    /// What may be asked though its address is private, this machine's, or of its own network.
    pub allow: Vec<AllowedHost>,
    /// Redirects that are followed for one request. Default 0.
    pub redirects_max: u32,
    /// Requests in flight at one host at most. Default 16.
    pub host_concurrency_max: u32,
}

impl UrlListSource {
    /// Whether the list itself is fetched.
    pub fn is_fetched(&self) -> bool {
        is_address(&self.list)
    }
}

fn is_address(list: &str) -> bool {
    list.starts_with("http://") || list.starts_with("https://")
}

/// How a list names URLs and keys. Lines end with LF or CR LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum UrlListFormat {
    /// As ossimport has it: columns between blanks. The URL is what stands in both columns one after
    /// the other, the key is the second.
    Ossimport {
        /// Counted from 1.
        url_column: u32,
        /// Counted from 1.
        key_column: u32,
    },
    /// The URL, a tab, the key.
    Tab,
    /// The URL alone. The key is its path without the first slash, with the percent-encoding taken off.
    Urls,
    /// As Data Online Migration has it: a `manifest.json` that names columns and files, each a CSV,
    /// gzipped or not, whose `Url` and `Key` are percent-encoded once more.
    Manifest,
}

/// A host, or addresses, that a job file allows by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AllowedHost {
    /// A host by its name, in lower case, whatever its addresses are.
    Name(String),
    /// A network: an address, and how many bits of it count.
    Network(IpAddr, u8),
}

impl AllowedHost {
    /// Whether this allows `host`, an address of which is `address`.
    pub fn covers(&self, host: &str, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Name(name), _) => name.eq_ignore_ascii_case(host),
            (Self::Network(IpAddr::V4(network), bits), IpAddr::V4(address)) => {
                let differ = u32::from(*network) ^ u32::from(address);
                differ.checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0
            }
            (Self::Network(IpAddr::V6(network), bits), IpAddr::V6(address)) => {
                let differ = u128::from(*network) ^ u128::from(address);
                differ.checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0
            }
            (Self::Network(..), _) => false,
        }
    }
}

impl TryFrom<String> for AllowedHost {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if let Some((network, bits)) = text.split_once('/') {
            let network: IpAddr = network.parse().map_err(|_| "is no network")?;
            let bits_max = if network.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= bits_max);
            return Ok(Self::Network(network, bits.ok_or("is no network")?));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err("is neither a host nor an address");
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

impl From<AllowedHost> for String {
    fn from(host: AllowedHost) -> Self {
        host.to_string()
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Network(address, bits) => write!(f, "{address}/{bits}"),
        }
    }
}

pub(super) fn read(
    mut section: Section<'_, '_>,
    prefix: Key,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<UrlListSource> {
    let list = list(&mut section, host, mistakes);
    let format = format(&mut section, mistakes);
    let mut allow = Vec::new();
    for Found { value, at } in section.texts("allow", mistakes) {
        match AllowedHost::try_from(value) {
            Ok(allowed) => allow.push(allowed),
            Err(problem) => {
                let remedy = "write a host, an address or a network, as in \"10.0.0.0/8\"";
                mistakes.add(at, section.full("allow"), problem, remedy);
            }
        }
    }
    let mut whole = |name, most, usual| {
        let found = section.whole(name, u64::from(usual != 0), most, mistakes);
        found.and_then(|found| u32::try_from(found.value).ok()).unwrap_or(usual)
    };
    let redirects_max = whole("redirects_max", 10, 0);
    let host_concurrency_max = whole("host_concurrency_max", 1_024, 16);
    let mut elsewhere = BUCKET_ONLY.map(|name| (name, BUCKETS)).to_vec();
    elsewhere.push(("path", "kind = \"folder\""));
    section.finish(&elsewhere, mistakes);
    let (list, format) = (list?, format?);
    Some(UrlListSource { list, format, prefix, allow, redirects_max, host_concurrency_max })
}

fn list(section: &mut Section<'_, '_>, host: Host, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let Found { value, at } = section.required("list", "urls.txt", mistakes)?;
    let (problem, remedy) = if is_address(&value) {
        // What follows a question mark is a signature as a rule, and a job holds no secret.
        if !value.contains(['?', '#', '@']) {
            return Some(value);
        }
        ("is an address with a query, which may hold a secret", "write an address without ? # or @")
    } else if host != Host::Machine {
        (
            "is on this machine's disk, which a function does not have",
            "put the list where https://… reaches it",
        )
    } else {
        return Some(value);
    };
    mistakes.add(at, section.full("list"), problem, remedy);
    None
}

fn format(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<UrlListFormat> {
    let usual = UrlListFormat::Ossimport { url_column: 1, key_column: 2 };
    let words = [
        ("ossimport", usual),
        ("tab", UrlListFormat::Tab),
        ("urls", UrlListFormat::Urls),
        ("manifest", UrlListFormat::Manifest),
    ];
    let is_written = section.holds("format");
    let format = match section.word("format", &words, mistakes) {
        Some(found) => found.value,
        None if is_written => return None,
        None => usual,
    };
    let columns = ["url_column", "key_column"].map(|name| section.whole(name, 1, 100, mistakes));
    let UrlListFormat::Ossimport { .. } = format else {
        for (found, name) in columns.iter().zip(["url_column", "key_column"]) {
            if let Some(Found { at, .. }) = found {
                let problem = "does not belong here: it is for format = \"ossimport\"";
                mistakes.add(*at, section.full(name), problem, "remove the line");
            }
        }
        return Some(format);
    };
    let [url_column, key_column] = columns
        .map(|found| found.and_then(|found| u32::try_from(found.value).ok()))
        .map(Option::unwrap_or_default);
    let (url_column, key_column) = (
        if url_column == 0 { 1 } else { url_column },
        if key_column == 0 { 2 } else { key_column },
    );
    if url_column == key_column {
        let problem = "is the column of the URL as well";
        mistakes.add(section.at(), section.full("key_column"), problem, "write another column");
        return None;
    }
    Some(UrlListFormat::Ossimport { url_column, key_column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_covers_names_and_networks() {
        for (text, host, address, covered) in [
            ("10.0.0.0/8", "h", "10.255.0.1", true),
            ("10.0.0.0/8", "h", "11.0.0.1", false),
            ("127.0.0.1", "h", "127.0.0.1", true),
            ("127.0.0.1", "h", "127.0.0.2", false),
            ("0.0.0.0/0", "h", "1.2.3.4", true),
            ("fd00::/8", "h", "fd12::1", true),
            ("fd00::/8", "h", "fe80::1", false),
            ("::/0", "h", "10.0.0.1", false),
            ("Files.Intranet", "files.intranet", "10.0.0.1", true),
            ("files.intranet", "other.intranet", "10.0.0.1", false),
        ] {
            let allowed = AllowedHost::try_from(text.to_owned()).unwrap();
            assert_eq!(allowed.covers(host, address.parse().unwrap()), covered, "{text} {address}");
            let text = String::from(allowed.clone());
            assert_eq!(
                AllowedHost::try_from(text).unwrap(),
                allowed,
                "it is read as it was written"
            );
        }
        for text in ["", "10.0.0.0/33", "a b", "http://h", "h/8"] {
            AllowedHost::try_from(text.to_owned()).unwrap_err();
        }
    }
}
