//! A week later: the policy of the first week has been applied, and most groups are locked.
//!
//! Groups came and went, an administrator opened a locked group by hand, and one host uses the opening.

use std::net::{IpAddr, Ipv4Addr};

use super::network::{ANALYTICS, EVERYTHING, Interface, Network, Rule, SecurityGroup};
use super::story::{ABROAD, Abroad, HABITS, HTTPS, Habit, LINUX, SSH, Story, Truth, WEBS};
use super::{DAY, DAYS, START};

/// Midnight of 9 November 2026, UTC.
const MONDAY: u64 = START + 7 * DAY;

/// When `web` is opened by hand, in seconds of the story: the second day, 16:00.
const OPENED: u64 = DAY + 16 * 3600;

/// Groups that are gone. AWS can't rename a group, so the warehouse has a new one.
const GONE: &[&str] = &["order-mailer", "warehouse"];

/// The id of the old one, which a rule in the other VPC still names.
const OLD_WAREHOUSE: &str = "sg-0a1b2c3d4e5f90011";

/// Groups that are locked and had open egress.
const LOCKED: &[&str] = &["load-balancer", "web", "db", "cache", "base", "monitoring"];

/// A new rule: its group, whether it is egress, the rule, its description.
type NewRule = (&'static str, bool, Rule, Option<&'static str>);

/// What Terraform added for the accepted entries.
const APPLIED: &[NewRule] = &[
    (
        "load-balancer",
        true,
        ("tcp", 80, 80, "web"),
        Some("to web: HTTP"),
    ),
    (
        "web",
        true,
        ("tcp", 443, 443, "192.0.2.44/31"),
        Some("to 192.0.2.44/31: HTTPS"),
    ),
    (
        "web",
        true,
        ("tcp", 443, 443, "pl-63a5400a"),
        Some("to com.amazonaws.us-east-1.s3: HTTPS"),
    ),
    (
        "web",
        true,
        ("tcp", 443, 443, "endpoints"),
        Some("to endpoints: HTTPS"),
    ),
    ("web", true, ("tcp", 3306, 3306, "db"), Some("to db: MySQL")),
    (
        "web",
        true,
        ("tcp", 6379, 6379, "cache"),
        Some("to cache: Redis"),
    ),
    (
        "web",
        true,
        ("tcp", 50051, 50051, "reports"),
        Some("to reports: gRPC"),
    ),
    (
        "web",
        true,
        ("udp", 8125, 8125, "monitoring"),
        Some("to monitoring: StatsD"),
    ),
    (
        "cache",
        false,
        ("tcp", 6379, 6379, "web"),
        Some("from web: Redis"),
    ),
    (
        "bastion",
        true,
        ("icmp", -1, -1, "web"),
        Some("to web: ICMP"),
    ),
    ("bastion", true, ("tcp", 22, 22, "web"), Some("to web: SSH")),
    (
        "reports",
        true,
        ("tcp", 3306, 3306, "db"),
        Some("to db: MySQL"),
    ),
    (
        "reports",
        true,
        ("tcp", 5432, 5432, OLD_WAREHOUSE),
        Some("to warehouse: PostgreSQL"),
    ),
    (
        "endpoints",
        false,
        ("tcp", 443, 443, "web"),
        Some("from web: HTTPS"),
    ),
    (
        "monitoring",
        true,
        ("tcp", 9100, 9100, "base"),
        Some("to base: node exporter"),
    ),
    (
        "monitoring",
        false,
        ("udp", 8125, 8125, "web"),
        Some("from web: StatsD"),
    ),
];

/// What teams added for new servers, and what an administrator opened by hand.
const BY_TEAMS: &[NewRule] = &[
    ("dashboard", false, ("tcp", 22, 22, "bastion"), None),
    ("dashboard", true, EVERYTHING, None),
    (
        "monitoring",
        false,
        ("tcp", 9090, 9090, "dashboard"),
        Some("dashboard"),
    ),
    (
        "data-warehouse",
        false,
        ("tcp", 5432, 5432, "10.20.10.0/23"),
        None,
    ),
    ("web", true, EVERYTHING, Some("payments fail, remove later")),
];

/// New connections inside the account.
const NEW_HABITS: &[Habit] = &[
    Habit {
        from: &["dashboard"],
        to: &["prometheus"],
        service: (6, 9090),
        client_ports: LINUX,
        per_day: 6,
        longest: 60,
    },
    Habit {
        from: &["bastion"],
        to: &["dashboard"],
        service: SSH,
        client_ports: LINUX,
        per_day: 1,
        longest: 900,
    },
    Habit {
        from: &["reports"],
        to: &["ssm"],
        service: HTTPS,
        client_ports: LINUX,
        per_day: 4,
        longest: 60,
    },
];

/// New connections to the world: a second address of the partner, and what tells it that there are files.
const NEW_ABROAD: &[Abroad] = &[
    ("reports", [192, 0, 2, 78], SSH, 1),
    ("reports", [192, 0, 2, 120], HTTPS, 3),
];

/// The payment provider's new address, which the policy does not permit yet.
const PROVIDER: [u8; 4] = [192, 0, 2, 46];

/// Devices of others that the third web server tries to enter by Telnet, as worms do.
const DEVICES: [[u8; 4]; 2] = [[203, 0, 113, 166], [203, 0, 113, 171]];

const TELNET: (u8, u16) = (6, 23);

/// The account of the second week.
pub(super) fn network() -> Network {
    let mut network = Network::shop();
    network.groups.retain(|group| !GONE.contains(&group.handle));
    // A second group "web", in the other VPC.
    for (handle, name, number, description) in [
        ("dashboard", "web", 13, "Dashboards"),
        ("data-warehouse", "data-warehouse", 14, "PostgreSQL"),
    ] {
        network.groups.push(SecurityGroup {
            handle,
            name,
            id: format!("sg-0a1b2c3d4e5f9{number:04}"),
            vpc: ANALYTICS,
            description,
        });
    }
    network.rules.retain(|rule| {
        let (_, _, _, target) = rule.rule;
        let revoked = rule.is_egress && rule.rule == EVERYTHING && LOCKED.contains(&rule.group);
        !GONE.contains(&rule.group) && !GONE.contains(&target) && !revoked
    });
    for &(group, is_egress, rule, description) in APPLIED.iter().chain(BY_TEAMS) {
        network.add(group, is_egress, rule, description);
    }
    network.interfaces.retain(|i| i.name != "mailer");
    for interface in &mut network.interfaces {
        if interface.name == "warehouse" {
            interface.groups = &["data-warehouse"];
        }
    }
    network.interfaces.push(Interface {
        name: "dashboard",
        id: "eni-0a1b2c3d4e5f70016".to_owned(),
        address: Ipv4Addr::new(10, 30, 0, 31),
        public: None,
        vpc: ANALYTICS,
        kind: "interface",
        description: "",
        groups: &["dashboard"],
        instance: Some("i-0a1b2c3d4e5f80016".to_owned()),
    });
    network
}

/// What happens in it.
pub(super) fn tell(network: &Network) -> Story {
    let mut story = Story::begin(20_261_109, MONDAY);
    // The order mailer is gone, and nobody asks the reports for figures any more.
    let habits = HABITS
        .iter()
        .filter(|habit| habit.from != ["mailer"] && habit.service != (6, 50051));
    let abroad = ABROAD.iter().filter(|(from, ..)| *from != "mailer");
    story.ordinary(network, habits.chain(NEW_HABITS), abroad.chain(NEW_ABROAD));
    story.visitors(network);
    story.scanner(network);
    let address = |name: &str| IpAddr::V4(network.interface(name).address);
    // Prometheus is to scrape the new server, which its locked group does not permit.
    for _ in 0..6 * DAYS {
        story.act(
            address("prometheus"),
            address("dashboard"),
            (6, 9100),
            LINUX,
            5,
            Truth::Stopped,
        );
    }
    // What the lock stopped goes out through the opening.
    for (within, payment, worm) in [
        ((DAY, OPENED), Truth::Stopped, Truth::Stopped),
        ((OPENED, DAYS * DAY), Truth::Legitimate, Truth::Hostile),
    ] {
        story.within = within;
        for web in WEBS {
            for _ in 0..6 {
                let provider = IpAddr::from(PROVIDER);
                story.act(address(web), provider, HTTPS, LINUX, 60, payment);
            }
        }
        for device in DEVICES {
            for _ in 0..8 {
                let device = IpAddr::from(device);
                story.act(address("web-3"), device, TELNET, LINUX, 60, worm);
            }
        }
    }
    story.end()
}
