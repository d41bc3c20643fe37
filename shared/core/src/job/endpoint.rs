//! Addresses of the services.

use super::{Addressing, StoreKind, gcs};

/// A service's address as requests need it: `scheme://host[:port]`, https where none is written.
///
/// Fails with what is wrong with it.
pub(super) fn normalised(text: &str) -> Result<String, &'static str> {
    let (scheme, authority) = text.split_once("://").unwrap_or(("https", text));
    if !matches!(scheme, "http" | "https") {
        return Err("want http:// or https://");
    }
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.is_empty() {
        return Err("the host is missing");
    }
    if authority.contains(['/', '?', '#', '@', ' ']) {
        return Err("want scheme, host and port only");
    }
    let (host, port) = split_port(authority);
    if port.is_some_and(|port| port.parse::<u16>().is_err()) || host.is_empty() {
        return Err("the port is not a number");
    }
    Ok(format!("{scheme}://{}", authority.to_ascii_lowercase()))
}

/// The host of a normalised endpoint, without its port.
pub(super) fn host(endpoint: &str) -> &str {
    split_port(authority(endpoint)).0
}

/// Host and port of a normalised endpoint.
pub(super) fn authority(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest)
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand inside its brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Where the service of a region stands, if it follows from the region.
pub(super) fn usual(kind: StoreKind, region: &str) -> Option<String> {
    match kind {
        StoreKind::S3 if region.starts_with("cn-") => {
            Some(format!("https://s3.{region}.amazonaws.com.cn"))
        }
        StoreKind::S3 => Some(format!("https://s3.{region}.amazonaws.com")),
        StoreKind::Gcs => Some(gcs::ENDPOINT.to_owned()),
        // The one that finds the way by itself; v1 to v3 are of one carrier each.
        StoreKind::Upyun => Some("https://v0.api.upyun.com".to_owned()),
        _ => kind.known().host.map(|(before, after)| format!("https://{before}{region}{after}")),
    }
}

/// The region that an endpoint spells, where it does; what a store without regions expects in a
/// signature, where it has none.
pub(super) fn region(kind: StoreKind, endpoint: Option<&str>) -> Option<String> {
    if matches!(kind, StoreKind::Gcs | StoreKind::Upyun) {
        return Some("auto".to_owned());
    }
    let endpoint = endpoint?;
    if kind == StoreKind::S3Compatible {
        return Some("us-east-1".to_owned());
    }
    let (before, after) = kind.known().host?;
    let region = host(endpoint).strip_suffix(after)?.strip_prefix(before)?;
    Some(region.strip_suffix("-internal").unwrap_or(region).to_owned())
}

/// How a bucket is addressed where the file does not say: a bare address has no room for the
/// bucket's name in front of it.
pub(super) fn addressing(kind: StoreKind, endpoint: &str) -> Addressing {
    if is_bare(endpoint) { Addressing::Path } else { kind.known().addressing }
}

/// Whether a normalised endpoint is this machine.
pub(super) fn is_loopback(endpoint: &str) -> bool {
    let host = host(endpoint).trim_matches(['[', ']']);
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a normalised endpoint is a number and no name, or this machine.
pub(super) fn is_bare(endpoint: &str) -> bool {
    let host = host(endpoint);
    host == "localhost" || host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}
