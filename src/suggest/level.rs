//! How far rules may go beyond what was seen.

/// The one knob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing that was not seen.
    #[default]
    Exact,
    /// Rules a person can review: many addresses become prefixes or one open port.
    Balanced,
    /// As few rules as make sense.
    Compact,
}

/// The knob and what its positions mean.
#[derive(Clone, Debug)]
pub struct Generalise {
    /// Where it stands.
    pub level: Level,
    /// Whether egress rules for some ports to `0.0.0.0/0` or `::/0` are replaced as open egress is.
    pub narrow: bool,
    /// What [`Level::Balanced`] allows.
    pub balanced: Limits,
    /// What [`Level::Compact`] allows.
    pub compact: Limits,
}

/// What a level allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Up to so many prefixes of one group and service stay exact.
    pub exact_up_to: usize,
    /// A wider prefix has at least one address in so many that was seen.
    pub coverage: u64,
    /// And is no wider than this prefix length.
    pub widest: u8,
    /// From how many used ports on, a range that a rule of today names becomes a rule.
    pub range_from: usize,
    /// Services that go to ever other addresses of the internet may be opened to
    /// all of it: tcp and udp ports; none means any.
    pub unpinned_ports: Option<Vec<u16>>,
}

impl Default for Generalise {
    fn default() -> Self {
        Self {
            level: Level::Exact,
            narrow: false,
            balanced: Limits {
                exact_up_to: 12,
                coverage: 4,
                widest: 24,
                range_from: 4,
                unpinned_ports: Some(vec![80, 443]),
            },
            compact: Limits {
                exact_up_to: 4,
                coverage: 16,
                widest: 20,
                range_from: 2,
                unpinned_ports: None,
            },
        }
    }
}

impl Generalise {
    /// What a level allows beyond what was seen.
    pub(super) const fn limits(&self, level: Level) -> Option<&Limits> {
        match level {
            Level::Exact => None,
            Level::Balanced => Some(&self.balanced),
            Level::Compact => Some(&self.compact),
        }
    }
}

impl Level {
    /// All, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Balanced, Self::Compact];

    /// As it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Balanced => "balanced",
            Self::Compact => "compact",
        }
    }
}
