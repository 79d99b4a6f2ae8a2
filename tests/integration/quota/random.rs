//! Random accounts, whose rules are counted without the program's help.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::account::{
    Account, Run, ingress, open_egress, private, rows, scattered, sparse, target,
};

/// A group: what its egress is, and how many more ingress rules it has.
type RandomGroup = (Egress, u16);

/// What a group may send today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Egress {
    Nothing,
    Everything,
    /// Every port of the traffic, to everybody.
    Ports,
}

impl Egress {
    fn rules(self) -> Value {
        let ports = |from: u16, to: u16| {
            json!({
                "IpProtocol": "tcp", "FromPort": from, "ToPort": to,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            })
        };
        match self {
            Self::Nothing => json!([]),
            Self::Everything => open_egress(),
            Self::Ports => json!([ports(443, 443), ports(5000, 8999), ports(9000, 9000)]),
        }
    }
}

/// Interface, kind of destinations, how many, and their port.
type RandomTraffic = (usize, u8, u32, u16);

/// Destinations of a kind.
fn destinations(kind: u8, count: u32) -> Vec<String> {
    match kind {
        0 => scattered(count),
        1 => private(count),
        2 => sparse(3, 160, count),
        3 => (0..count).map(|n| format!("2a00:1450:{n:x}::1")).collect(),
        4 => (0..count)
            .map(|n| format!("198.51.{}.{}", 100 + n / 64, n % 64 * 4))
            .collect(),
        _ => vec!["192.0.2.66".to_owned()],
    }
}

/// An account with such groups, interfaces that carry some of them, and traffic that today's rules permit.
fn random(groups: &[RandomGroup], interfaces: &[Vec<usize>], traffic: &[RandomTraffic]) -> Account {
    let mut account = Account {
        blocklist: "192.0.2.66\n".to_owned(),
        ..Account::default()
    };
    let id = |n: usize| format!("sg-{n:02}");
    for (n, (egress, more)) in groups.iter().enumerate() {
        let mut rules = ingress(*more);
        let all = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]});
        rules.as_array_mut().unwrap().push(all);
        account.group(&id(n), &rules, &egress.rules());
    }
    let mut open = Vec::new();
    for (n, carried) in interfaces.iter().enumerate() {
        let carried: BTreeSet<usize> = carried.iter().map(|group| group % groups.len()).collect();
        let ids: Vec<String> = carried.iter().map(|&group| id(group)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (interface, address) = (format!("eni-{n:02}"), format!("10.0.0.{}", n + 1));
        account.interface(&interface, &address, &ids);
        if carried
            .iter()
            .any(|&group| groups[group].0 != Egress::Nothing)
        {
            open.push((interface, address));
        }
    }
    for (at, kind, count, port) in traffic {
        if open.is_empty() {
            break;
        }
        let (interface, address) = open[at % open.len()].clone();
        let (peer, to) = &open[(at + 1) % open.len()];
        if *kind < 6 {
            account.connect(&interface, &address, &destinations(*kind, *count), *port);
        } else if *to != address {
            for port in 5000..5000 + u16::try_from(*count).unwrap() {
                account.record(&interface, &address, to, port);
                account.record(peer, &address, to, port);
            }
        }
    }
    account
}

/// Rules by group, direction and family, as AWS counts them: a group as a target counts for both families.
type Counted = BTreeMap<(String, String, bool), u64>;

fn count(counted: &mut Counted, group: &str, direction: &str, target: &str) {
    let families: &[bool] = match target.parse::<IpNet>() {
        Ok(IpNet::V4(_)) => &[false],
        Ok(IpNet::V6(_)) => &[true],
        Err(_) => &[false, true],
    };
    for &is_v6 in families {
        *counted
            .entry((group.to_owned(), direction.to_owned(), is_v6))
            .or_default() += 1;
    }
}

fn today(account: &Account) -> Counted {
    let mut counted = Counted::new();
    for group in &account.groups {
        let id = group["GroupId"].as_str().unwrap();
        for (key, direction) in [
            ("IpPermissions", "ingress"),
            ("IpPermissionsEgress", "egress"),
        ] {
            for permission in rows(group, key) {
                let v4 = rows(permission, "IpRanges")
                    .iter()
                    .map(|range| &range["CidrIp"]);
                let v6 = rows(permission, "Ipv6Ranges")
                    .iter()
                    .map(|range| &range["CidrIpv6"]);
                for prefix in v4.chain(v6) {
                    count(&mut counted, id, direction, prefix.as_str().unwrap());
                }
            }
        }
    }
    counted
}

/// Rules to add that permit a quarantined connection.
fn permitting<'a>(run: &'a Run, connection: &Value) -> Vec<&'a Value> {
    let address: IpAddr = connection["responder"]["address"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let port = connection["port"].as_u64().unwrap();
    let groups = rows(&connection["initiator"], "groups");
    let permits = |rule: &&Value| {
        let ports = rule["from_port"].as_u64().unwrap()..=rule["to_port"].as_u64().unwrap();
        let prefix = target(rule).parse::<IpNet>();
        groups.contains(&rule["group_id"])
            && rule["direction"] == "egress"
            && ports.contains(&port)
            && prefix.is_ok_and(|prefix| prefix.contains(&address))
    };
    run.to_add().filter(permits).collect()
}

/// What a row permits.
fn says(row: &Value) -> [&Value; 6] {
    [
        "group_id",
        "direction",
        "protocol",
        "from_port",
        "to_port",
        "target",
    ]
    .map(|key| &row[key])
}

fn egress() -> impl Strategy<Value = Egress> {
    use Egress::{Everything, Nothing, Ports};
    prop::sample::select(vec![Nothing, Everything, Everything, Ports, Ports])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// No group gets more rules than AWS takes, no step loses an accepted connection or permits what is quarantined, and no rule goes
    /// to be made again; at every level, also where single ports are narrowed.
    #[test]
    fn no_group_is_ever_over_its_quota(
        groups in prop::collection::vec((egress(), prop::sample::select(vec![0u16, 0, 70])), 1..5),
        interfaces in prop::collection::vec(prop::collection::vec(0usize..8, 1..3), 1..5),
        traffic in prop::collection::vec(
            (0usize..8, 0u8..7, prop::sample::select(vec![1u32, 5, 20, 61, 80]), prop::sample::select(vec![443u16, 5000, 9000])),
            1..7,
        ),
        narrow: bool,
        level in prop::sample::select(vec!["exact", "exact", "balanced", "compact"]),
    ) {
        let mut account = random(&groups, &interfaces, &traffic);
        account.configuration = format!("[generalise]\nlevel = \"{level}\"\nnarrow = {narrow}\n");
        prop_assume!(!account.log.is_empty());
        let run = account.run();
        let mut counted = today(&account);
        let most = counted.values().copied().fold(60, u64::max);
        // Rules are added before any goes, so that all of today's stand beside them for a while.
        for rule in run.to_add() {
            count(&mut counted, rule["group_id"].as_str().unwrap(), rule["direction"].as_str().unwrap(), target(rule));
        }
        for (place, rules) in &counted {
            prop_assert!(*rules <= most, "{:?}: {} of {}", place, rules, most);
        }
        for stage in rows(&run.change, "stages") {
            prop_assert_eq!(&stage["lost"], 0, "{}", stage);
        }
        for gone in rows(&run.change, "revocations") {
            let is_narrowed = gone["reason"] == "open-egress-port";
            prop_assert!(narrow || !is_narrowed, "{}", gone);
            prop_assert!(!run.to_add().any(|rule| says(rule) == says(gone)), "{}", gone);
        }
        let connections = rows(&run.audit, "connections").iter();
        for quarantined in connections.filter(|connection| connection["verdict"] == "quarantined") {
            prop_assert!(permitting(&run, quarantined).is_empty(), "{}", quarantined);
        }
    }
}
