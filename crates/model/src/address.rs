//! What kind of place an IP address is, with every IPv4 address that an IPv6 one can carry inside.
//!
//! Sources: the IANA special-purpose address registries (RFC 6890 and its successors), RFC 6052
//! (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP), RFC 4291 (mapped, compatible).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an address. Everything but [`AddressClass::Public`] is closed to agents unless the
/// operator opens it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressClass {
    /// This host.
    Loopback,
    /// Only on this link; holds the metadata services of clouds.
    LinkLocal,
    /// A metadata service at an address of its own.
    Metadata,
    /// One to many.
    Multicast,
    /// A private network: RFC 1918, RFC 4193, shared address space (RFC 6598).
    Private,
    /// On the internet.
    Public,
    /// Set aside: documentation, benchmarks, protocol assignments, "this network", class E.
    Reserved,
}

/// The class of `address`. An IPv6 address that carries an IPv4 address takes the IPv4 address's
/// class unless that is public and the carrier itself is not.
#[must_use]
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

impl AddressClass {
    /// The word used in records and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Private => "private",
            Self::Public => "public",
            Self::Reserved => "reserved",
        }
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    // Alibaba's and Oracle's metadata services live outside 169.254.0.0/16; so does Azure's channel to
    // its virtual machines, which speaks of their keys at an address that looks like any other:
    // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    const METADATA: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    if METADATA.contains(&address) {
        return AddressClass::Metadata;
    }
    match address.octets() {
        [127, ..] => AddressClass::Loopback,
        [169, 254, ..] => AddressClass::LinkLocal,
        [10, ..] | [192, 168, ..] => AddressClass::Private,
        [172, b, ..] if (16..32).contains(&b) => AddressClass::Private,
        [100, b, ..] if (64..128).contains(&b) => AddressClass::Private,
        [224..=239, ..] => AddressClass::Multicast,
        [0 | 240..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    // AWS's metadata service over IPv6.
    if address == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254) {
        return AddressClass::Metadata;
    }
    if let Some(inner) = embedded_v4(address) {
        return inner;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        [first, ..] if first & 0xffc0 == 0xfe80 => AddressClass::LinkLocal,
        [first, ..] if first & 0xffc0 == 0xfec0 => AddressClass::Private,
        [first, ..] if first & 0xfe00 == 0xfc00 => AddressClass::Private,
        [first, ..] if first & 0xff00 == 0xff00 => AddressClass::Multicast,
        // 2001::/23 protocol assignments, 2001:db8::/32 and 3fff::/20 documentation, and all that
        // is not global unicast (2000::/3).
        [0x2001, second, ..] if second < 0x0200 || second == 0x0db8 => AddressClass::Reserved,
        [0x3fff, second, ..] if second < 0x1000 => AddressClass::Reserved,
        [first, ..] if first & 0xe000 == 0x2000 => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

/// The class that an IPv4 address inside `address` gives it, where there is one.
fn embedded_v4(address: Ipv6Addr) -> Option<AddressClass> {
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // Unspecified and loopback are not IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Mapped ::ffff:a.b.c.d is the IPv4 address itself.
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(classify_v4(joined(high, low))),
        // Compatible ::a.b.c.d and translated ::ffff:0:a.b.c.d are not routed on the internet.
        [0, 0, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            Some(not_public(classify_v4(joined(high, low))))
        }
        // NAT64 with the well-known prefix; the local-use prefix is private by definition.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(classify_v4(joined(high, low))),
        [0x64, 0xff9b, 1, ..] => Some(AddressClass::Private),
        // 6to4.
        [0x2002, high, low, ..] => Some(classify_v4(joined(high, low))),
        // Teredo: the client's address is stored inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(not_public(classify_v4(joined(!high, !low)))),
        // ISATAP interface identifiers in any prefix.
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => match classify_v4(joined(high, low)) {
            AddressClass::Public => None,
            inner => Some(inner),
        },
        _ => None,
    }
}

const fn not_public(class: AddressClass) -> AddressClass {
    match class {
        AddressClass::Public => AddressClass::Reserved,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_into_their_classes() {
        use AddressClass::{LinkLocal, Loopback, Metadata, Multicast, Private, Public, Reserved};
        let cases = [
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("169.254.169.254", LinkLocal),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("168.63.129.17", Public),
            ("64:ff9b::a83f:8110", Metadata),
            ("10.1.2.3", Private),
            ("172.15.0.1", Public),
            ("172.16.0.1", Private),
            ("172.32.0.1", Public),
            ("192.168.0.1", Private),
            ("100.63.255.255", Public),
            ("100.64.0.1", Private),
            ("100.128.0.1", Public),
            ("0.0.0.0", Reserved),
            ("224.0.0.1", Multicast),
            ("255.255.255.255", Reserved),
            ("192.0.2.1", Reserved),
            ("8.8.8.8", Public),
            ("::", Reserved),
            ("::1", Loopback),
            ("::ffff:10.0.0.1", Private),
            ("::ffff:8.8.8.8", Public),
            ("::10.0.0.1", Private),
            ("::8.8.8.8", Reserved),
            ("64:ff9b::a00:1", Private),
            ("64:ff9b::808:808", Public),
            ("64:ff9b:1::808:808", Private),
            ("2002:7f00:1::", Loopback),
            ("2002:808:808::1", Public),
            ("2001:0:1:2:3:4:80ff:fffe", Loopback),
            ("2606:4700::5efe:a00:1", Private),
            ("2606:4700::1", Public),
            ("fe80::1", LinkLocal),
            ("fc00::1", Private),
            ("fd00:ec2::254", Metadata),
            ("ff02::1", Multicast),
            ("2001:db8::1", Reserved),
            ("100::1", Reserved),
        ];
        for (text, class) in cases {
            assert_eq!(classify(text.parse().unwrap()), class, "{text}");
        }
    }
}
