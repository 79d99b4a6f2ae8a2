//! Groups that use services on the internet.
//!
//! An edge is a group and a destination that it uses on one port. As many connections fall to the most used edge as to the
//! next two, the next four and so on, so the least used ones are seen now and then only. Recorded in both directions by
//! the interface alone: at most 656,000 groups of interface, addresses, lower port, protocol and action.

use super::rows::{Dice, Row, address, pick};

pub(super) const INTERFACES: u64 = 2000;
pub(super) const GROUPS: u64 = 20;

/// Interfaces of a group.
const HOSTS: u64 = INTERFACES / GROUPS;

const EDGES: u64 = 20_000;

/// The most used edges, which every interface of the group uses.
const OF_ALL: u64 = 1000;

/// How many interfaces of the group use each of the others.
const OF_FEW: u64 = 12;

/// Destinations that all groups use.
const SHARED: u64 = 50;

/// How many destinations lie between those of one group and those of the next, so that about half are the same.
const APART: u64 = 500;

const PORTS: &[u64] = &[443, 443, 443, 443, 443, 443, 80, 8443, 9243, 5671];

/// The number of an edge, the most used first.
fn edge(dice: &mut Dice) -> u64 {
    let first = 1_u64 << dice.roll(u64::from(EDGES.ilog2()) + 1);
    first - 1 + dice.roll(first.min(EDGES + 1 - first))
}

/// The address of a destination: one of its own for every number, because the factor is odd.
fn destination(number: u64) -> String {
    let place = number.wrapping_mul(0x9e_3779) & 0xff_ffff;
    let first = pick(&[18, 34, 52, 104], number);
    format!(
        "{first}.{}.{}.{}",
        place >> 16,
        (place >> 8) & 255,
        place & 255
    )
}

/// Two rows of one connection: one in each direction.
pub(super) fn write(dice: &mut Dice, slot: u64, text: &mut String) {
    let edge = edge(dice);
    let (group, place) = (edge % GROUPS, edge / GROUPS);
    let shared = if place < SHARED { 0 } else { APART * group };
    let mut fixed = Dice(edge);
    let port = pick(PORTS, fixed.roll(10));
    let (first, users) = if edge < OF_ALL {
        (0, HOSTS)
    } else {
        (fixed.roll(HOSTS), OF_FEW)
    };
    let at = group + GROUPS * ((first + dice.roll(users)) % HOSTS);
    let (client, server) = (address(at), destination(shared + place));
    let (client, server) = ((&*client, dice.client_port()), (&*server, port));
    let start = dice.start(slot);
    for (from, to, bytes) in [(client, server, 3000), (server, client, 90_000)] {
        let row = Row {
            at,
            from,
            to,
            packets: 1 + dice.roll(40),
            bytes: 60 + dice.roll(bytes),
            start,
            action: "ACCEPT",
        };
        row.write(text);
    }
}
