//! Inclusive port ranges.

use std::fmt;

/// An inclusive range of ports; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    from: u16,
    to: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self {
        from: 0,
        to: u16::MAX,
    };

    /// `from..=to`, or `None` when that is empty.
    pub const fn new(from: u16, to: u16) -> Option<Self> {
        if from <= to {
            Some(Self { from, to })
        } else {
            None
        }
    }

    /// One port.
    pub const fn single(port: u16) -> Self {
        Self {
            from: port,
            to: port,
        }
    }

    /// The first port.
    pub const fn from(self) -> u16 {
        self.from
    }

    /// The last port, included.
    pub const fn to(self) -> u16 {
        self.to
    }

    /// Whether `port` lies in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }

    /// Whether the range is every port; 1-65535 counts, since port 0 is not used.
    pub const fn is_all(self) -> bool {
        self.from <= 1 && self.to == u16::MAX
    }

    /// How many ports the range holds.
    pub fn count(self) -> u32 {
        u32::from(self.to) - u32::from(self.from) + 1
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}
