//! Well-known public DNS resolvers.

use std::net::IpAddr;

/// Operator and addresses, as the operators publish them; as of November 2026.
const RESOLVERS: &[(&str, &[&str])] = &[
    (
        "Google Public DNS",
        &[
            "8.8.8.8",
            "8.8.4.4",
            "2001:4860:4860::8888",
            "2001:4860:4860::8844",
        ],
    ),
    (
        "Cloudflare",
        &[
            "1.1.1.1",
            "1.0.0.1",
            "1.1.1.2",
            "1.0.0.2",
            "1.1.1.3",
            "1.0.0.3",
            "2606:4700:4700::1111",
            "2606:4700:4700::1001",
        ],
    ),
    (
        "Quad9",
        &[
            "9.9.9.9",
            "149.112.112.112",
            "9.9.9.10",
            "149.112.112.10",
            "2620:fe::fe",
            "2620:fe::9",
        ],
    ),
    (
        "OpenDNS",
        &[
            "208.67.222.222",
            "208.67.220.220",
            "208.67.222.123",
            "208.67.220.123",
            "2620:119:35::35",
            "2620:119:53::53",
        ],
    ),
    (
        "AdGuard",
        &[
            "94.140.14.14",
            "94.140.15.15",
            "94.140.14.140",
            "2a10:50c0::ad1:ff",
            "2a10:50c0::ad2:ff",
        ],
    ),
    (
        "CleanBrowsing",
        &[
            "185.228.168.9",
            "185.228.169.9",
            "185.228.168.10",
            "185.228.168.168",
        ],
    ),
    (
        "DNS.SB",
        &["185.222.222.222", "45.11.45.11", "2a09::", "2a11::"],
    ),
    ("Yandex", &["77.88.8.8", "77.88.8.1", "2a02:6b8::feed:ff"]),
    (
        "AliDNS",
        &[
            "223.5.5.5",
            "223.6.6.6",
            "2400:3200::1",
            "2400:3200:baba::1",
        ],
    ),
    ("DNSPod", &["119.29.29.29"]),
    ("Control D", &["76.76.2.0", "76.76.10.0", "76.76.2.11"]),
    ("Mullvad", &["194.242.2.2", "194.242.2.3"]),
];

/// Who runs the resolver at this address, if it is a well-known one.
pub(super) fn operator(address: IpAddr) -> Option<&'static str> {
    let text = address.to_string();
    RESOLVERS
        .iter()
        .find(|(_, addresses)| addresses.contains(&text.as_str()))
        .map(|(operator, _)| *operator)
}
