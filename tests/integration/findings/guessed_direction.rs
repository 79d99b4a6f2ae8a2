//! `guessed-direction`

use super::{audit, near_misses, of_kind};

/// Two ephemeral ports, no flags, and rules that allow both directions.
#[test]
fn keeps_a_guess_on_an_ephemeral_port_out_of_the_rules() {
    let audit = audit("guessed-direction", "positive");
    assert_eq!(of_kind(&audit, "guessed-direction").len(), 1);
    assert_eq!(audit.replay.quarantined, 1);
    assert!(audit.rules.rules.is_empty());
}

/// The same port with a handshake, and no handshake with a well-known port.
#[test]
fn passes_over_near_misses() {
    near_misses("guessed-direction");
}
