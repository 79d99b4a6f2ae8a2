//! Interfaces of a VPC that use each other's services.

use super::rows::{Dice, Row, SERVICES, address, pick};

/// How many there are of everything.
pub(super) struct Network {
    pub(super) interfaces: u64,
    pub(super) groups: u64,
    /// Drawn ones; some of them are the same.
    pub(super) connections: u64,
}

/// Recorded at both ends in both directions: 650,000 groups of interface, addresses, lower port, protocol and action.
pub(super) const NETWORK: Network = Network {
    interfaces: 2000,
    groups: 100,
    connections: 162_500,
};

impl Network {
    /// Client, server, port: hosts of one group use hosts of the next ones.
    fn connection(&self, number: u64) -> (u64, u64, u64) {
        let mut dice = Dice(number);
        let client = number % self.interfaces;
        let offset = 1 + dice.roll(8) + self.groups * dice.roll(self.interfaces / self.groups);
        let server = (client + offset) % self.interfaces;
        (client, server, pick(SERVICES, server % 8))
    }

    /// Four rows of one connection: two at each end.
    pub(super) fn write(&self, dice: &mut Dice, slot: u64, text: &mut String) {
        let (client, server, port) = self.connection(dice.roll(self.connections));
        let own = dice.client_port();
        let start = dice.start(slot);
        let (packets, bytes) = (1 + dice.roll(40), 60 + dice.roll(90_000));
        let action = if dice.roll(100) == 0 {
            "REJECT"
        } else {
            "ACCEPT"
        };
        let (from, to) = (address(client), address(server));
        let (from, to) = ((&*from, own), (&*to, port));
        for at in [client, server] {
            for (from, to) in [(from, to), (to, from)] {
                let row = Row {
                    at,
                    from,
                    to,
                    packets,
                    bytes,
                    start,
                    action,
                };
                row.write(text);
            }
        }
    }
}
