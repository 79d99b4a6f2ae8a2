//! Which controls of the usual benchmarks a kind of finding bears on.

/// What the controls are taken from: CIS AWS Foundations Benchmark 3.0.0, AWS Foundational Security Best Practices, NIST
/// SP 800-53 Rev. 5 and MITRE ATT&CK (Enterprise 16). None of the first two asks for an egress allow list; NIST does.
const CONTROLS: &[(&str, &[&str])] = &[
    ("open-egress", &["NIST 800-53 SC-7(5)", "NIST 800-53 AC-4"]),
    ("open-egress-port", &["NIST 800-53 SC-7(5)"]),
    ("wide-egress", &["NIST 800-53 SC-7(5)"]),
    ("unused-egress-rule", &["NIST 800-53 CM-7"]),
    ("unused-group", &["AWS FSBP EC2.22", "NIST 800-53 CM-7"]),
    ("default-group-in-use", &["CIS AWS 5.4", "AWS FSBP EC2.2"]),
    ("open-through-another-group", &["NIST 800-53 SC-7(5)"]),
    ("unpinned-internet", &["NIST 800-53 SC-7(5)"]),
    ("irc", &["ATT&CK T1071"]),
    ("third-party-dns", &["ATT&CK T1071.004", "ATT&CK T1048"]),
    ("dns-over-tls", &["ATT&CK T1071.004", "ATT&CK T1573"]),
    ("dns-over-https", &["ATT&CK T1071.004", "ATT&CK T1572"]),
    ("tor", &["ATT&CK T1090.003"]),
    ("smtp", &["ATT&CK T1071.003", "ATT&CK T1048.003"]),
    ("crypto-mining", &["ATT&CK T1496.001"]),
    ("smb", &["ATT&CK T1021.002", "ATT&CK T1187"]),
    ("rpc", &["ATT&CK T1021.003"]),
    ("telnet", &["ATT&CK T1048.003"]),
    ("rdp-out", &["ATT&CK T1021.001"]),
    ("winrm-out", &["ATT&CK T1021.006"]),
    ("vnc-out", &["ATT&CK T1021.005"]),
    ("blocklisted-address", &["ATT&CK TA0011"]),
    ("callback-port", &["ATT&CK T1571"]),
    ("ssh-out", &["ATT&CK T1021.004", "ATT&CK T1572"]),
    ("ftp", &["ATT&CK T1071.002", "ATT&CK T1048.003"]),
    ("mail-submission", &["ATT&CK T1071.003"]),
    ("database-out", &["ATT&CK T1048"]),
    ("proxy-out", &["ATT&CK T1090"]),
    ("unusual-protocol", &["ATT&CK T1095"]),
    ("port-scan", &["ATT&CK T1046"]),
    ("host-sweep", &["ATT&CK T1046", "ATT&CK T1018"]),
    ("beaconing", &["ATT&CK T1071", "ATT&CK T1029"]),
    ("large-upload", &["ATT&CK T1048", "ATT&CK T1567"]),
    ("new-destination", &["NIST 800-53 SI-4"]),
    ("skipped-records", &["NIST 800-53 AU-5"]),
    ("unresolved-interface", &["NIST 800-53 CM-8"]),
    ("expired-approval", &["NIST 800-53 CA-7"]),
];

/// The controls that a kind bears on; none, where no mapping exists.
pub fn benchmarks(kind: &str) -> &'static [&'static str] {
    let found = CONTROLS.iter().find(|(known, _)| *known == kind);
    found.map_or(&[], |(_, controls)| controls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::KINDS;

    #[test]
    fn every_mapping_is_of_a_kind() {
        for (kind, _) in CONTROLS {
            assert!(KINDS.iter().any(|known| known.id == *kind), "{kind}");
        }
    }
}
