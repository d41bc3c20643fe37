//! Which addresses are not asked unless the job file allows them by name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ossferry_core::job::AllowedHost;

/// What speaks against asking this address; `None` where it is an ordinary one of the Internet.
///
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>
pub(crate) fn objection(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => objection_to_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => objection_to_v4(mapped),
            None => objection_to_v6(address),
        },
    }
}

/// Whether the job file allows `host` at `address`, or nothing speaks against the address.
pub(crate) fn allowed(
    allow: &[AllowedHost],
    host: &str,
    address: IpAddr,
) -> Result<(), &'static str> {
    match objection(address) {
        Some(objection) if !allow.iter().any(|allowed| allowed.covers(host, address)) => {
            Err(objection)
        }
        _ => Ok(()),
    }
}

fn objection_to_v4(address: Ipv4Addr) -> Option<&'static str> {
    // Alibaba Cloud answers for metadata here, inside what is shared address space.
    const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    match address.octets() {
        [127, ..] => Some("is this machine's"),
        _ if address == ALIBABA_METADATA => Some("is of a cloud's metadata"),
        [169, 254, 169, 254 | 253 | 249] | [169, 254, 170, 2 | 23] => {
            Some("is of a cloud's metadata")
        }
        [169, 254, ..] => Some("is link-local"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("is private"),
        [100, 64..=127, ..] => Some("is shared address space"),
        [0, ..] => Some("is this network's"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some("is for documentation"),
        [224..=239, ..] => Some("is multicast"),
        [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..] => Some("is reserved"),
        _ => None,
    }
}

fn objection_to_v6(address: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        objection_to_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("is this network's"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("is this machine's"),
        // Translated to IPv4 on the way: what counts is where that leads.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] => Some("is translated locally"),
        // Teredo, and IPv4 addresses in the form that nobody may use any more.
        [0x2001, 0, ..] | [0, 0, 0, 0, 0, 0, ..] => Some("is reserved"),
        [0xfe80..=0xfebf, ..] => Some("is link-local"),
        [0xfec0..=0xfeff | 0xfc00..=0xfdff, ..] => Some("is private"),
        [0x2001, 0xdb8, ..] => Some("is for documentation"),
        [0xff00..=0xffff, ..] => Some("is multicast"),
        [0x2000..=0x3fff, ..] => None,
        // Nothing else is given to anybody yet.
        _ => Some("is reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_internet_is_refused_in_every_spelling() {
        for refused in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.1.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "4000::1",
        ] {
            assert!(objection(refused.parse().unwrap()).is_some(), "{refused}");
        }
        for plain in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert_eq!(objection(plain.parse().unwrap()), None, "{plain}");
        }
    }

    #[test]
    fn a_name_or_a_network_of_the_job_file_is_asked_all_the_same() {
        let allow: Vec<AllowedHost> = ["10.1.0.0/16", "files.intranet"]
            .map(|text| AllowedHost::try_from(text.to_owned()).unwrap())
            .into();
        for (host, address, good) in [
            ("h", "10.1.2.3", true),
            ("h", "10.2.2.3", false),
            ("files.intranet", "192.168.0.1", true),
            ("h", "192.168.0.1", false),
            ("h", "1.1.1.1", true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(allowed(&allow, host, address).is_ok(), good, "{host} {address}");
        }
    }
}
