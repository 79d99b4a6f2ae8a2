//! Who opened what, and what that is worth.

use closegate::audit::Audit;
use closegate::resolve::{
    Confidence, Connection, DirectionBasis, Quarantine, Unattributed, Verdict,
};
use std::fmt::Write as _;

use crate::common::audit_text;

/// Two instances, a load balancer, a Lambda function and a NAT gateway.
const GROUPS: &str = r#"{"SecurityGroups":[
 {"GroupId":"sg-0a","GroupName":"client","VpcId":"vpc-1","IpPermissions":[],"IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]},
 {"GroupId":"sg-0b","GroupName":"server","VpcId":"vpc-1","IpPermissions":[
   {"IpProtocol":"tcp","FromPort":50051,"ToPort":50051,"UserIdGroupPairs":[{"GroupId":"sg-0a"}]},
   {"IpProtocol":"udp","FromPort":123,"ToPort":8125,"UserIdGroupPairs":[{"GroupId":"sg-0a"}]}],
   "IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]},
 {"GroupId":"sg-0c","GroupName":"loose","VpcId":"vpc-1","IpPermissions":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}],"IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]}]}"#;

fn inventory() -> tempfile::TempDir {
    let interface = |id: &str, kind: &str, address: &str, group: &str| {
        let groups = if group.is_empty() {
            String::new()
        } else {
            format!("{{\"GroupId\":\"{group}\"}}")
        };
        format!(
            r#"{{"NetworkInterfaceId":"{id}","InterfaceType":"{kind}","VpcId":"vpc-1","PrivateIpAddress":"{address}","Groups":[{groups}]}}"#
        )
    };
    let interfaces = [
        interface("eni-a", "interface", "10.0.0.1", "sg-0a"),
        interface("eni-b", "interface", "10.0.0.2", "sg-0b"),
        interface("eni-c", "interface", "10.0.0.3", "sg-0c"),
        interface("eni-d", "interface", "10.0.0.4", "sg-0c"),
        interface("eni-l", "lambda", "10.0.0.5", "sg-0c"),
        interface("eni-n", "nat_gateway", "10.0.0.99", ""),
    ];
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("g.json"), GROUPS).unwrap();
    std::fs::write(
        dir.path().join("i.json"),
        format!("{{\"NetworkInterfaces\":[{}]}}", interfaces.join(",")),
    )
    .unwrap();
    dir
}

/// Rows as `interface src:port dst:port protocol action flags start`, flags `-`
/// for a format without them.
fn audit(rows: &[&str]) -> Audit {
    let mut log = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start end packets bytes log-status\n".to_owned();
    for row in rows {
        let parts: Vec<&str> = row.split([' ', ':']).collect();
        let [
            interface,
            src,
            sport,
            dst,
            dport,
            protocol,
            action,
            flags,
            start,
        ] = parts[..]
        else {
            panic!("{row}")
        };
        let (ends, when) = (
            format!("{src} {sport} {dst} {dport}"),
            format!("{start} {start}"),
        );
        writeln!(
            log,
            "{interface} {ends} {protocol} {action} {flags} {when} 1 40 OK"
        )
        .unwrap();
    }
    audit_text(&log, inventory().path())
}

fn only(rows: &[&str]) -> Connection {
    let audit = audit(rows);
    assert_eq!(audit.connections.len(), 1, "{:#?}", audit.connections);
    audit.connections[0].clone()
}

fn is(c: &Connection, initiator: &str, responder: &str, service: &str) {
    let found = (
        c.initiator.address.to_string(),
        c.responder.address.to_string(),
        c.service.to_string(),
    );
    assert_eq!(
        found,
        (
            initiator.to_owned(),
            responder.to_owned(),
            service.to_owned()
        )
    );
}

#[test]
fn flags_decide_and_hold_for_intervals_without_them() {
    let c = only(&[
        "eni-c 10.0.0.3:41000 10.0.0.4:51000 6 ACCEPT 2 1000",
        "eni-c 10.0.0.4:51000 10.0.0.3:41000 6 ACCEPT 18 1000",
        "eni-c 10.0.0.4:51000 10.0.0.3:41000 6 ACCEPT 0 5000",
        "eni-d 10.0.0.3:41000 10.0.0.4:51000 6 ACCEPT 0 5000",
    ]);
    is(&c, "10.0.0.3", "10.0.0.4", "tcp/51000");
    assert_eq!(
        (c.confidence, c.basis),
        (Confidence::Certain, DirectionBasis::Flags)
    );
    assert_eq!(
        (c.totals.records, c.totals.packets),
        (4, 3),
        "packets are counted at one end"
    );
    assert_eq!((c.totals.first, c.totals.last), (1000, 5000));
}

/// The default format has no flags. What no ingress rule admits was a reply.
#[test]
fn logic_on_todays_rules_decides_without_flags() {
    let c = only(&[
        "eni-a 10.0.0.1:33000 10.0.0.2:50051 6 ACCEPT - 1000",
        "eni-a 10.0.0.2:50051 10.0.0.1:33000 6 ACCEPT - 1000",
    ]);
    is(&c, "10.0.0.1", "10.0.0.2", "tcp/50051");
    assert_eq!(
        (c.confidence, c.basis),
        (Confidence::Certain, DirectionBasis::Rules)
    );
    let c = only(&["eni-a 198.51.100.1:443 10.0.0.1:1500 6 ACCEPT - 1000"]);
    is(&c, "10.0.0.1", "198.51.100.1", "tcp/443");
}

#[test]
fn a_refused_packet_is_no_reply() {
    let c = only(&[
        "eni-b 10.0.0.1:33000 10.0.0.2:60000 6 REJECT - 1000",
        "eni-a 10.0.0.1:33000 10.0.0.2:60000 6 ACCEPT - 1000",
    ]);
    is(&c, "10.0.0.1", "10.0.0.2", "tcp/60000");
    assert_eq!(c.verdict, Verdict::Rejected);
    // Late packets of a server after the connection was closed are not an attempt.
    let c = only(&["eni-c 198.51.100.1:443 10.0.0.3:41000 6 REJECT - 1000"]);
    is(&c, "10.0.0.3", "198.51.100.1", "tcp/443");
}

#[test]
fn a_function_never_listens() {
    let c = only(&[
        "eni-l 10.0.0.5:1433 10.0.0.3:40000 6 ACCEPT - 1000",
        "eni-l 10.0.0.3:40000 10.0.0.5:1433 6 ACCEPT - 1000",
    ]);
    is(&c, "10.0.0.5", "10.0.0.3", "tcp/40000");
    assert_eq!(c.basis, DirectionBasis::Role);
}

/// A handshake that was seen once settles every conversation with that listener.
#[test]
fn a_listener_is_known_from_elsewhere() {
    let audit = audit(&[
        "eni-c 198.51.100.1:50000 10.0.0.3:45000 6 ACCEPT 2 1000",
        "eni-c 10.0.0.3:45000 198.51.100.1:50000 6 ACCEPT 18 1000",
        "eni-c 10.0.0.3:45000 198.51.100.2:40000 6 ACCEPT 0 900",
        "eni-c 198.51.100.2:40000 10.0.0.3:45000 6 ACCEPT 0 901",
    ]);
    assert!(
        audit
            .connections
            .iter()
            .all(|c| c.responder.address.to_string() == "10.0.0.3")
    );
    assert!(
        audit
            .connections
            .iter()
            .any(|c| c.basis == DirectionBasis::Listener)
    );
}

/// Load balancers and NAT gateways use client ports from 1024 on, so the lower
/// port is often the client's.
#[test]
fn many_peers_make_a_listener() {
    let mut rows = Vec::new();
    for port in [2000, 3000, 4000, 5000] {
        rows.push(format!(
            "eni-d 198.51.100.7:{port} 10.0.0.4:60001 6 ACCEPT - 1000"
        ));
        rows.push(format!(
            "eni-d 10.0.0.4:60001 198.51.100.7:{port} 6 ACCEPT - 1000"
        ));
    }
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let c = only(&rows);
    is(&c, "198.51.100.7", "10.0.0.4", "tcp/60001");
    assert_eq!(c.basis, DirectionBasis::FanIn);
}

#[test]
fn udp_that_is_never_answered_comes_from_its_sender() {
    let c = only(&["eni-c 10.0.0.3:51000 10.0.0.4:38125 17 ACCEPT - 1000"]);
    is(&c, "10.0.0.3", "10.0.0.4", "udp/38125");
    let c = only(&[
        "eni-a 10.0.0.1:123 10.0.0.2:123 17 ACCEPT - 1000",
        "eni-a 10.0.0.2:123 10.0.0.1:123 17 ACCEPT - 1000",
    ]);
    is(&c, "10.0.0.1", "10.0.0.2", "udp/123");
}

/// Two guesses: on a service's port it may become a rule, on a client's it may not.
#[test]
fn a_guess_never_opens_a_clients_port() {
    let c = only(&[
        "eni-c 10.0.0.3:40000 10.0.0.4:50000 6 ACCEPT - 1000",
        "eni-c 10.0.0.4:50000 10.0.0.3:40000 6 ACCEPT - 1001",
    ]);
    assert_eq!(
        (c.confidence, c.verdict),
        (
            Confidence::Guessed,
            Verdict::Quarantined(Quarantine::GuessedPort)
        )
    );
    let c = only(&[
        "eni-c 10.0.0.3:40000 10.0.0.4:9700 6 ACCEPT - 1000",
        "eni-c 10.0.0.4:9700 10.0.0.3:40000 6 ACCEPT - 1000",
    ]);
    is(&c, "10.0.0.3", "10.0.0.4", "tcp/9700");
    assert_eq!(
        (c.confidence, c.verdict),
        (Confidence::Guessed, Verdict::Accepted)
    );
}

/// The listener's rule was removed since: its traffic looks like replies to a
/// client of the internet, and must not become a rule on that client's port.
#[test]
fn a_stale_snapshot_does_not_turn_a_server_into_a_client() {
    let c = only(&[
        "eni-a 198.51.100.1:50000 10.0.0.1:8443 6 ACCEPT - 1000",
        "eni-a 10.0.0.1:8443 198.51.100.1:50000 6 ACCEPT - 1000",
    ]);
    assert!(!matches!(c.verdict, Verdict::Accepted), "{c:#?}");
}

#[test]
fn what_todays_rules_do_not_admit_gets_no_rule() {
    // The responder let it in, as its own row shows: the rules have changed since.
    let audit = audit(&[
        "eni-a 10.0.0.1:40000 10.0.0.2:22 6 ACCEPT 2 1000",
        "eni-b 10.0.0.1:40000 10.0.0.2:22 6 ACCEPT 2 1000",
    ]);
    assert_eq!(
        audit.connections[0].verdict,
        Verdict::Quarantined(Quarantine::NotPermittedToday)
    );
    assert!(audit.rules.rules.is_empty());
    // Only let out, never seen to arrive: it would have been refused.
    let c = only(&["eni-a 10.0.0.1:40000 10.0.0.2:22 6 ACCEPT 2 1000"]);
    assert_eq!(c.verdict, Verdict::Rejected);
}

/// In the default format a NAT gateway's address stands for whoever is behind it.
#[test]
fn a_nat_gateway_is_nobodys_destination() {
    let audit = audit(&[
        "eni-a 10.0.0.1:40000 198.51.100.1:443 6 ACCEPT - 1000",
        "eni-a 198.51.100.1:443 10.0.0.1:40000 6 ACCEPT - 1000",
        "eni-n 10.0.0.1:40000 10.0.0.99:443 6 ACCEPT - 1000",
        "eni-n 10.0.0.99:443 10.0.0.1:40000 6 ACCEPT - 1000",
        "eni-n 10.0.0.99:1030 198.51.100.1:443 6 ACCEPT - 1000",
        "eni-n 198.51.100.1:443 10.0.0.99:1030 6 ACCEPT - 1000",
    ]);
    let verdicts: Vec<Verdict> = audit.connections.iter().map(|c| c.verdict).collect();
    let forwarded = Verdict::Unattributed(Unattributed::Forwarded);
    assert_eq!(verdicts.iter().filter(|&&v| v == forwarded).count(), 2);
    assert_eq!(
        verdicts.iter().filter(|&&v| v == Verdict::Accepted).count(),
        1
    );
    assert!(
        audit
            .connections
            .iter()
            .all(|c| c.responder.address.to_string() != "10.0.0.1")
    );
    assert_eq!(audit.rules.rules.len(), 1);
}

/// What a NAT gateway saw is evidence only where the client was not seen.
#[test]
fn a_nat_gateway_repeats_no_finding() {
    let nat = "eni-n 10.0.0.99:1030 198.51.100.1:6667 6 ACCEPT 2 1000";
    let host = "eni-a 10.0.0.1:40000 198.51.100.1:6667 6 ACCEPT 2 1000";
    let irc = |rows: &[&str]| {
        audit(rows)
            .findings
            .iter()
            .filter(|f| f.kind.id == "irc")
            .map(|f| f.found.local.unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(irc(&[nat, host]), ["10.0.0.1"]);
    assert_eq!(irc(&[nat]), ["10.0.0.99"]);
}

/// Strangers on both sides, and an interface that is not in the snapshot.
#[test]
fn what_cannot_be_tied_to_a_group_is_said_to_be_so() {
    let c = only(&["eni-z 192.0.2.1:40000 198.51.100.1:443 6 ACCEPT 2 1000"]);
    assert_eq!(c.verdict, Verdict::Unattributed(Unattributed::NoLocalEnd));
}

/// Every row is in exactly one connection, whatever it looks like.
#[test]
fn rows_add_up() {
    let audit = audit(&[
        "eni-a 10.0.0.1:40000 10.0.0.2:50051 6 ACCEPT - 1000",
        "eni-a 10.0.0.1:40000 10.0.0.2:50051 6 REJECT - 1000",
        "eni-b 10.0.0.2:50051 10.0.0.1:40000 6 REJECT - 1000",
        "eni-z 10.0.0.77:0 10.0.0.1:0 1 ACCEPT - 1000",
        "- 10.0.0.99:1 1.2.3.4:2 17 ACCEPT - 1000",
        "eni-c 10.0.0.3:5 10.0.0.3:6 17 ACCEPT - 1000",
    ]);
    assert_eq!(
        audit
            .connections
            .iter()
            .map(|c| c.totals.records)
            .sum::<u64>(),
        audit.intake.rows
    );
}
