//! `beaconing`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_regular_calls_and_their_period() {
    let audit = audit("beaconing", "positive");
    let mut found: Vec<(String, String)> = of_kind(&audit, "beaconing")
        .iter()
        .map(|f| (f.found.remote.unwrap().to_string(), f.found.detail.clone()))
        .collect();
    found.sort();
    let remotes: Vec<&str> = found.iter().map(|(remote, _)| remote.as_str()).collect();
    assert_eq!(remotes, ["198.51.100.9", "2a00:dead::9"]);
    for ((_, detail), (calls, shortest, longest)) in
        found.iter().zip([(9, 270, 330), (8, 3_400, 3_800)])
    {
        let period = detail.split(" calls came ").nth(1).unwrap();
        let period: u32 = period.split(' ').next().unwrap().parse().unwrap();
        assert!(
            detail.contains(&format!(" % of {calls} calls came "))
                && (shortest..=longest).contains(&period),
            "{detail}"
        );
    }
}

/// Random times, one connection that lasts, NTP, an AWS service, neighbours, too few calls, customers, a burst, what is approved, and
/// what was refused.
#[test]
fn passes_over_near_misses() {
    near_misses("beaconing");
}
