//! A few of many ports.

/// How many ports are told apart.
const KEPT: usize = 4;

/// A set of ports of which the smallest few are known, and whether there were more.
/// Sets can be joined in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    smallest: [u16; KEPT],
    count: u8,
    more: bool,
}

impl Ports {
    /// A set of one.
    pub const fn of(port: u16) -> Self {
        Self {
            smallest: [port, 0, 0, 0],
            count: 1,
            more: false,
        }
    }

    /// Those that are known, in order.
    pub fn known(&self) -> &[u16] {
        &self.smallest[..usize::from(self.count)]
    }

    /// Whether there are others than the known ones.
    pub const fn has_more(&self) -> bool {
        self.more
    }

    /// How many there are, at least.
    pub fn at_least(&self) -> u32 {
        u32::from(self.count) + u32::from(self.more)
    }

    /// The only one, if there is but one.
    pub fn only(&self) -> Option<u16> {
        match self.known() {
            [port] if !self.more => Some(*port),
            _ => None,
        }
    }

    /// Adds a port.
    pub fn add(&mut self, port: u16) {
        let known = self.known();
        // Most ports are larger than the smallest few, or the one that was there before.
        if known.len() == KEPT && port > self.smallest[KEPT - 1] {
            self.more = true;
            return;
        }
        let Err(place) = known.binary_search(&port) else {
            return;
        };
        let full = known.len() == KEPT;
        self.more |= full;
        self.smallest[place..].rotate_right(1);
        self.smallest[place] = port;
        self.count += u8::from(!full);
    }

    /// Adds the ports of another set.
    pub fn join(&mut self, other: &Self) {
        for &port in other.known() {
            self.add(port);
        }
        self.more |= other.more;
    }
}
