//! A few of many ports.

/// How many ports are told apart.
const KEPT: usize = 4;

/// A set of ports of which the smallest few are known, and whether there were more.
/// Sets can be joined in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    smallest: [u16; KEPT],
    /// How many are known, and [`MORE`] if there are others.
    count: u8,
}

const MORE: u8 = 0x80;

impl Ports {
    /// No port.
    pub(super) const NONE: Self = Self {
        smallest: [0; KEPT],
        count: 0,
    };

    /// A set of one.
    pub const fn of(port: u16) -> Self {
        Self {
            smallest: [port, 0, 0, 0],
            count: 1,
        }
    }

    /// Those that are known, in order.
    pub fn known(&self) -> &[u16] {
        &self.smallest[..usize::from(self.count & !MORE)]
    }

    /// Whether there are others than the known ones.
    pub const fn has_more(&self) -> bool {
        self.count & MORE != 0
    }

    /// How many there are, at least.
    pub fn at_least(&self) -> u32 {
        u32::from(self.count & !MORE) + u32::from(self.has_more())
    }

    /// The only one, if there is but one.
    pub fn only(&self) -> Option<u16> {
        match self.known() {
            [port] if !self.has_more() => Some(*port),
            _ => None,
        }
    }

    /// The set as numbers, for a store: the known ports, and how many they are; 128 more
    /// if there are others.
    pub fn bits(&self) -> (u64, u8) {
        let ports = self.smallest.iter();
        let packed = ports
            .rev()
            .fold(0, |bits, &port| bits << 16 | u64::from(port));
        (packed, self.count)
    }

    /// From [`Self::bits`].
    #[expect(clippy::cast_possible_truncation, reason = "each port is cut out")]
    pub fn from_bits(ports: u64, count: u8) -> Self {
        Self {
            smallest: std::array::from_fn(|n| (ports >> (16 * n)) as u16),
            count: (count & !MORE).min(KEPT as u8) | count & MORE,
        }
    }

    /// There are others than the known ones.
    pub const fn have_more(&mut self) {
        self.count |= MORE;
    }

    /// Adds a port.
    #[inline]
    pub fn add(&mut self, port: u16) {
        // Most ports are larger than the smallest few.
        if self.known().len() == KEPT && port > self.smallest[KEPT - 1] {
            self.count |= MORE;
        } else {
            self.add_small(port);
        }
    }

    /// Without branches: which of the first few ports of a client is the smallest, no processor can guess.
    #[inline]
    fn add_small(&mut self, port: u16) {
        let count = self.known().len();
        let is_known = |n: usize| n < count;
        let mut found = false;
        for (n, &known) in self.smallest.iter().enumerate() {
            found |= is_known(n) && known == port;
        }
        let is_new = !found;
        let full = count == KEPT;
        // The larger one goes on to the next place.
        let mut next = if is_new { port } else { u16::MAX };
        let now = count + usize::from(is_new && !full);
        for (n, place) in self.smallest.iter_mut().enumerate() {
            let known = if is_known(n) { *place } else { u16::MAX };
            *place = if n < now { known.min(next) } else { 0 };
            next = known.max(next);
        }
        self.count += u8::from(is_new && !full);
        self.count |= u8::from(is_new && full) * MORE;
    }

    /// Adds the ports of another set.
    pub fn join(&mut self, other: &Self) {
        for &port in other.known() {
            self.add(port);
        }
        self.count |= other.count & MORE;
    }
}
