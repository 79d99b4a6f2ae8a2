//! Whose port a row can do without.
//!
//! A client takes a new port for every connection; kept, these ports make the table as
//! large as the traffic instead of as large as the topology. So the port of the end that
//! is, by the two port numbers, the client is dropped at once, and only its smallest few
//! values are remembered. That depends on nothing but the row, so the outcome is the same for
//! any order of rows, and nothing is decided by it: a row whose flags say otherwise keeps
//! both ports, so does a pair of ports that says nothing, and a conversation that is alone
//! in its place gets its port back. Who opened it is asked in [`crate::resolve`].

use crate::ingest::Row;
use crate::net::Protocol;

/// Which end's port stands for several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// Both ports are known.
    #[default]
    Neither,
    /// The sender's.
    Src,
    /// The receiver's.
    Dst,
}

/// Registered ports on which services listen in every account, from the IANA service
/// name and port number registry and the vendors' defaults. Load balancers, NAT gateways,
/// Lambda and old Windows pick their own ports from the same range
/// (vpc-network-acls.html), so that the smaller number says nothing there.
pub const LISTENERS: &[u16] = &[
    1099, 1194, 1433, 1434, 1521, 1645, 1646, 1812, 1813, 1883, 2049, 2181, 2375, 2376, 2379, 2380,
    3000, 3128, 3260, 3268, 3269, 3306, 3389, 4222, 4317, 4318, 5000, 5044, 5060, 5061, 5439, 5432,
    5601, 5666, 5671, 5672, 5900, 5985, 5986, 6379, 6380, 6443, 6514, 7000, 7001, 7077, 7199, 7473,
    7474, 7687, 7946, 8000, 8080, 8081, 8083, 8086, 8088, 8089, 8090, 8125, 8126, 8140, 8182, 8200,
    8300, 8301, 8302, 8443, 8472, 8500, 8600, 8834, 8883, 8888, 8983, 9000, 9042, 9090, 9091, 9092,
    9093, 9094, 9096, 9098, 9100, 9142, 9160, 9200, 9300, 9411, 9418, 9997, 10000, 10050, 10051,
    10250, 10255, 10256, 10257, 10259, 11211, 15672, 16379, 18080, 25565, 26379, 27017, 27018,
    27019, 33060, 50051, 50070, 61613, 61616,
];

/// What ports say.
const PRIVILEGED: u8 = 0;
const LISTENER: u8 = 1;
const REGISTERED: u8 = 2;
const EPHEMERAL: u8 = 3;

/// The classes of four ports in a byte: half of all ports that are asked about are a client's, each
/// another one, and a table of a byte each would not stay in the nearest cache.
static CLASSES: [u8; 1 << 14] = {
    let mut classes = [0; 1 << 14];
    let mut four = 0;
    while four < classes.len() {
        classes[four] = match four * 4 {
            ..1024 => PRIVILEGED,
            32768.. => EPHEMERAL,
            _ => REGISTERED,
        } * 0b01_01_01_01;
        four += 1;
    }
    let mut at = 0;
    while at < LISTENERS.len() {
        let (port, shift) = (LISTENERS[at] as usize, LISTENERS[at] % 4 * 2);
        classes[port / 4] = classes[port / 4] & !(3 << shift) | LISTENER << shift;
        at += 1;
    }
    classes
};

/// What a port says of its end.
#[inline]
fn class(port: u16) -> u8 {
    CLASSES[usize::from(port / 4)] >> (port % 4 * 2) & 3
}

const SYN: u8 = 2;
const SYN_ACK: u8 = 18;

/// Whose port is dropped.
#[inline]
pub(super) fn dropped(row: &Row<'_>) -> Dropped {
    if !row.protocol.has_ports() {
        return Dropped::Neither;
    }
    let (src, dst) = (class(row.src_port), class(row.dst_port));
    let presumed = match (src, dst) {
        // Clients with privileges take a port below 1024 (NFS), so that one says nothing
        // against a service.
        (PRIVILEGED, LISTENER) | (LISTENER, PRIVILEGED) => Dropped::Neither,
        (src, dst) if src < dst => Dropped::Dst,
        (src, dst) if src > dst => Dropped::Src,
        _ => Dropped::Neither,
    };
    if row.protocol == Protocol::TCP && contradicts(presumed, row.tcp_flags) {
        Dropped::Neither
    } else {
        presumed
    }
}

/// Whether the flags say that the end whose port would go is the one that answers
/// (flow-log-records.html: SYN opens, SYN-ACK answers).
const fn contradicts(dropped: Dropped, flags: u8) -> bool {
    match dropped {
        Dropped::Neither => false,
        Dropped::Src => flags & SYN_ACK == SYN_ACK,
        Dropped::Dst => flags & SYN_ACK == SYN,
    }
}
