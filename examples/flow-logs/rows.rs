//! Rows of the default format, and the numbers that they are made of.

use std::fmt::Write as _;

/// What one file holds, in seconds (flow-logs-s3-path.html).
pub(super) const SLOT: u64 = 300;

/// Ports of the services that interfaces of the VPC offer.
pub(super) const SERVICES: &[u64] = &[443, 80, 5432, 3306, 6379, 8080, 9200, 2049];

/// splitmix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below that one.
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// A port that a client takes.
    pub(super) fn client_port(&mut self) -> u64 {
        32768 + self.roll(28232)
    }

    /// A time in the slot, early enough that a row of a minute ends in it.
    pub(super) fn start(&mut self, slot: u64) -> u64 {
        slot + self.roll(SLOT - 59)
    }
}

/// The list's item of that number, from the start again behind its end.
pub(super) fn pick<T: Copy>(list: &[T], number: u64) -> T {
    list[usize::try_from(number % list.len() as u64).expect("a small number")]
}

/// The address of an interface.
pub(super) fn address(host: u64) -> String {
    format!("10.{}.{}.7", host / 250, host % 250)
}

/// What one interface saw of a connection in one direction within a minute.
pub(super) struct Row<'a> {
    /// The number of the interface.
    pub(super) at: u64,
    /// Address and port of the sender.
    pub(super) from: (&'a str, u64),
    /// Address and port of the receiver.
    pub(super) to: (&'a str, u64),
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// In Unix seconds.
    pub(super) start: u64,
    /// `ACCEPT` or `REJECT`.
    pub(super) action: &'static str,
}

impl Row<'_> {
    /// Appends the line.
    pub(super) fn write(&self, text: &mut String) {
        let Self {
            at,
            from: (from, from_port),
            to: (to, to_port),
            packets,
            bytes,
            start,
            action,
        } = self;
        writeln!(
            text,
            "2 111122223333 eni-{at:017x} {from} {to} {from_port} {to_port} 6 {packets} {bytes} {start} {} {action} OK",
            start + 58
        )
        .expect("a string takes everything");
    }
}
