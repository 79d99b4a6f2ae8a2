//! The one place that reads the clock.

use jiff::Timestamp;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// Now, in Unix seconds.
#[cfg(feature = "aws")]
pub(super) fn seconds_now() -> u64 {
    u64::try_from(now().as_second()).unwrap_or_default()
}
