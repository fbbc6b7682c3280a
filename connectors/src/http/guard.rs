//! The guard against server-side request forgery: which addresses outgoing calls may reach.
//!
//! The address that is checked is the address that is connected to: names go through [`GuardedResolver`], which gives the
//! client checked addresses only, so that a name that resolves differently the second time gains nothing.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// Which private addresses may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowPrivate {
    /// None.
    #[default]
    None,
    /// All (`ONWARD_ALLOW_PRIVATE_URLS=true`).
    All,
    /// Exactly these, written as an address and not as a name (the sandbox of `--demo`).
    Exactly(Vec<SocketAddr>),
}

impl AllowPrivate {
    /// Whether an address that stands in a URL may be reached.
    pub fn permits(&self, address: SocketAddr) -> bool {
        is_public(address.ip())
            || match self {
                Self::None => false,
                Self::All => true,
                Self::Exactly(addresses) => addresses.contains(&address),
            }
    }
    /// Whether an address that a name resolves to may be reached. The port is not known here, so exact addresses do not
    /// count.
    fn permits_resolved(&self, address: IpAddr) -> bool {
        *self == Self::All || is_public(address)
    }
}

/// Whether the address lies on the public internet: not loopback, private, link-local, shared (carrier NAT), multicast,
/// reserved, a documentation range, a cloud's metadata service, nor a tunnel to one of these.
/// Source: the IANA special-purpose address registries.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // Shared address space (carrier NAT; also a cloud's metadata, 100.100.100.200), private.
        [100, second, ..] => (64..=127).contains(&second),
        [172, second, ..] => (16..=31).contains(&second),
        octets => matches!(
            octets,
            // This network, private, loopback, multicast, reserved, broadcast.
            [0 | 10 | 127 | 224.., ..]
                // A cloud's metadata on a public address; link-local, which is most clouds' metadata.
                | [168, 63, 129, 16] | [169, 254, ..]
                // Protocol assignments, documentation; relay anycast; private.
                | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 168, ..]
                // Benchmarking, documentation.
                | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _]
        ),
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only global unicast is handed out; within it, what is not for the open internet.
    let special = match (segments[0], segments[1]) {
        // Protocol assignments (Teredo, benchmarking, ORCHID); documentation.
        (0x2001, second) => second <= 0x1ff || second == 0xdb8,
        // 6to4: carries any IPv4 address.
        (0x2002, _) => true,
        // Documentation.
        (0x3fff, second) => second <= 0xfff,
        _ => false,
    };
    (segments[0] & 0xe000) == 0x2000 && !special
}

/// Why a call was not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is on a private network; outgoing calls reach public addresses only (start the server with ONWARD_ALLOW_PRIVATE_URLS=true to permit it)")]
pub(super) struct PrivateAddress {
    /// As written in the URL.
    pub(super) host: String,
}

/// Resolves names to addresses that may be reached.
pub(super) struct GuardedResolver {
    pub(super) policy: Arc<AllowPrivate>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            // One private answer among public ones is an attempt to slip through, not a second chance.
            if found.iter().any(|address| !policy.permits_resolved(address.ip())) {
                return Err(PrivateAddress { host }.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn ordinary_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "157.240.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a03:2880::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn exact_addresses_count_with_their_port_only() {
        let policy = AllowPrivate::Exactly(vec!["127.0.0.1:9000".parse().unwrap()]);
        assert!(policy.permits("127.0.0.1:9000".parse().unwrap()));
        assert!(!policy.permits("127.0.0.1:9001".parse().unwrap()));
        assert!(!policy.permits("127.0.0.2:9000".parse().unwrap()));
        assert!(!policy.permits_resolved("127.0.0.1".parse().unwrap()));
        assert!(AllowPrivate::All.permits_resolved("127.0.0.1".parse().unwrap()));
        assert!(!AllowPrivate::None.permits("10.0.0.1:80".parse().unwrap()));
    }
}
