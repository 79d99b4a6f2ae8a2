//! Interfaces that use each other's services, and a tenth of the rows is rejected: two thirds of those are probes of a few
//! scanners, one third is one probe each of many sources.

use super::internal::Network;
use super::rows::{Dice, Row, SERVICES, address, pick};

pub(super) const NETWORK: Network = Network {
    interfaces: 2500,
    groups: 500,
    connections: 100_000,
};

const SCANNERS: u64 = 20;

/// How many addresses a scanner of ports tries.
const SCANNED: u64 = 40;

/// What is tried without a look at who is there.
const TRIED: &[u64] = &[23, 445, 22, 3389, 5555, 2323, 1433, 8081, 5900, 81];

/// How addresses of the internet begin from which single probes come.
const NETWORKS: &[u64] = &[5, 31, 45, 61, 77, 91, 103, 141, 185, 193];

/// A source, the interface that it tries, and the port.
fn probe(dice: &mut Dice) -> (String, u64, u64) {
    let any = dice.roll(NETWORK.interfaces);
    if dice.roll(3) == 0 {
        let place = dice.roll(1 << 24);
        let source = format!(
            "{}.{}.{}.{}",
            pick(NETWORKS, dice.roll(10)),
            place >> 16,
            (place >> 8) & 255,
            place & 255
        );
        return (source, any, pick(TRIED, dice.roll(10)));
    }
    let scanner = dice.roll(SCANNERS);
    let source = format!("94.{}.{}.7", 32 + scanner, 11 * scanner);
    if scanner.is_multiple_of(2) {
        let at = (scanner * 125 + dice.roll(SCANNED)) % NETWORK.interfaces;
        (source, at, 1 + dice.roll(1024))
    } else {
        (source, any, pick(SERVICES, dice.roll(8)))
    }
}

/// Four rows of one connection, or the row of a probe; how many.
pub(super) fn write(dice: &mut Dice, slot: u64, text: &mut String) -> u64 {
    // One row of four times four, against nine times four.
    if dice.roll(13) >= 4 {
        NETWORK.write(dice, slot, text);
        return 4;
    }
    let (source, at, port) = probe(dice);
    let target = address(at);
    let row = Row {
        at,
        from: (&source, dice.client_port()),
        to: (&target, port),
        packets: 1,
        bytes: 40 + 4 * dice.roll(6),
        start: dice.start(slot),
        action: "REJECT",
    };
    row.write(text);
    1
}
