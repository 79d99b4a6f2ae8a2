//! A case, read from text. The words are explained in `README.md`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use closegate::inventory::{Direction, Rule, Target};
use serde_json::Value;

/// An account, what happened in it, and what closegate has to say of it.
#[derive(Default)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) pages: Vec<String>,
    pub(super) vpcs: Vec<(String, Vec<String>)>,
    pub(super) groups: Vec<Group>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) lists: Vec<List>,
    pub(super) peerings: Vec<Peering>,
    pub(super) transits: Vec<(String, [String; 2], bool)>,
    pub(super) more: Vec<Value>,
    pub(super) lacking: Vec<String>,
    pub(super) traffic: Vec<Traffic>,
    pub(super) expectations: Vec<Expectation>,
}

pub(super) struct Group {
    pub(super) id: String,
    pub(super) vpc: String,
    pub(super) owner: String,
    /// With what the rule says of the group it names.
    pub(super) rules: Vec<(Rule, Option<Pair>)>,
}

/// The peering connection that a rule names, and its status.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) peering: String,
    pub(super) status: String,
}

pub(super) struct Interface {
    pub(super) id: String,
    pub(super) groups: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) prefix: Option<String>,
    pub(super) public: Option<IpAddr>,
    pub(super) vpc: String,
    pub(super) subnet: String,
    pub(super) kind: String,
    pub(super) description: String,
    pub(super) instance: Option<String>,
    pub(super) is_silent: bool,
}

pub(super) struct List {
    pub(super) id: String,
    pub(super) options: BTreeMap<String, String>,
    /// Nothing where they were not saved.
    pub(super) entries: Option<Vec<String>>,
}

pub(super) struct Peering {
    pub(super) id: String,
    pub(super) vpcs: [String; 2],
    pub(super) status: String,
    pub(super) regions: [String; 2],
}

/// An interface of the case by id, with one of its addresses; or any address.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) interface: Option<String>,
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options of a line"
)]
pub(super) struct Traffic {
    pub(super) from: End,
    pub(super) to: End,
    /// How many of the initiator's ports.
    pub(super) times: u16,
    pub(super) protocol: u8,
    pub(super) at: Option<Vec<String>>,
    pub(super) rejected: Option<String>,
    pub(super) via: Option<String>,
    pub(super) icmp: (u8, u8),
    pub(super) is_one_way: bool,
    pub(super) is_mid: bool,
    pub(super) has_late_reject: bool,
    pub(super) is_hostile: bool,
    /// Nothing but flags could tell who opened it.
    pub(super) needs_flags: bool,
    pub(super) days: u64,
}

pub(super) struct Expectation {
    /// With the default format, and with the custom one.
    pub(super) holds_for: [bool; 2],
    pub(super) line: String,
}

impl Case {
    /// All cases of a file.
    pub(super) fn read_all(text: &str) -> Vec<Self> {
        let mut cases: Vec<Self> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            if word == "case" {
                cases.push(Self {
                    name: rest.to_owned(),
                    ..Self::default()
                });
                continue;
            }
            let case = cases.last_mut().expect("a file begins with a case");
            case.read_line(word, rest);
        }
        for case in &mut cases {
            if case.vpcs.is_empty() {
                let blocks = ["10.0.0.0/16", "2001:db8:1::/56"].map(str::to_owned);
                case.vpcs.push(("vpc-1".to_owned(), blocks.to_vec()));
            }
            assert!(!case.pages.is_empty(), "`{}` names no page", case.name);
            assert!(
                !case.expectations.is_empty(),
                "`{}` expects nothing",
                case.name
            );
        }
        cases
    }

    fn read_line(&mut self, word: &str, rest: &str) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match word {
            "page" => self.pages.extend(words.iter().map(|w| (*w).to_owned())),
            "vpc" => {
                let blocks = words[1..].iter().map(|w| (*w).to_owned()).collect();
                self.vpcs.push((words[0].to_owned(), blocks));
            }
            "group" => self.groups.push(group(rest)),
            "eni" => self.interfaces.push(interface(&words)),
            "list" => self.lists.push(list(&words)),
            "peering" => self.peerings.push(peering(&words)),
            "transit" => self.transits.push((
                words[0].to_owned(),
                [words[1].to_owned(), words[2].to_owned()],
                words.get(3) == Some(&"references"),
            )),
            "inventory" => self.more.push(serde_json::from_str(rest).unwrap()),
            "lacking" => self.lacking.push(rest.to_owned()),
            "traffic" => {
                let traffic = self.traffic(&words);
                self.traffic.push(traffic);
            }
            "expect" | "expect-default" | "expect-custom" => self.expectations.push(Expectation {
                holds_for: [word != "expect-custom", word != "expect-default"],
                line: rest.to_owned(),
            }),
            _ => panic!("{}: `{word}` is no word of a case", self.name),
        }
    }

    pub(super) fn interface(&self, id: &str) -> &Interface {
        let mut all = self.interfaces.iter();
        all.find(|i| i.id == id)
            .unwrap_or_else(|| panic!("{}: no {id}", self.name))
    }

    /// The interface that holds an address.
    fn holder(&self, address: IpAddr) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.holds(address))
    }

    /// `eni-a`, `eni-a:40000`, `eni-a/10.0.0.9:40000+20`, `host/10.0.0.9:40000`, which is no interface of the case, `10.0.0.9:40000`, `[2001:db8::1]:443`; the end, and how many ports.
    fn end(&self, text: &str, has_ports: bool) -> (End, u16) {
        let (place, port) = match text.rsplit_once(':') {
            Some((place, port)) if has_ports => (place, port),
            _ => (text, ""),
        };
        let place = place.replace(['[', ']'], "");
        let (port, times) = port.split_once('+').unwrap_or((port, "1"));
        let number = |text: &str| text.parse::<u16>().unwrap_or(0);
        let (interface, address) = match place.split_once('/') {
            Some(("host", address)) => (None, address.parse().unwrap()),
            Some((id, address)) => {
                let address = address.parse();
                (
                    Some(id.to_owned()),
                    address.unwrap_or_else(|_| panic!("{}: {text}", self.name)),
                )
            }
            None => match place.parse::<IpAddr>() {
                Ok(address) => (self.holder(address).map(|i| i.id.clone()), address),
                Err(_) => (Some(place.clone()), self.interface(&place).addresses[0]),
            },
        };
        let end = End {
            interface,
            address,
            port: number(port),
        };
        (end, number(times).max(1))
    }

    fn traffic(&self, words: &[&str]) -> Traffic {
        let [from, arrow, to, protocol] = words[..4] else {
            panic!("{}: {words:?}", self.name)
        };
        assert_eq!(arrow, "->", "{}", self.name);
        let protocol = number_of(protocol);
        let has_ports = [6, 17].contains(&protocol);
        let ((from, times), (to, _)) = (self.end(from, has_ports), self.end(to, has_ports));
        let mut traffic = Traffic {
            from,
            to,
            times,
            protocol,
            at: None,
            rejected: None,
            via: None,
            icmp: if protocol == 58 { (128, 0) } else { (8, 0) },
            is_one_way: false,
            is_mid: false,
            has_late_reject: false,
            is_hostile: false,
            needs_flags: false,
            days: 16,
        };
        for option in &words[4..] {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key {
                "at" => traffic.at = Some(value.split(',').map(str::to_owned).collect()),
                "one-way" => traffic.is_one_way = true,
                "mid" => traffic.is_mid = true,
                "rejected" => traffic.rejected = Some(value.to_owned()),
                "late-reject" => traffic.has_late_reject = true,
                "flags-only" => traffic.needs_flags = true,
                "hostile" => traffic.is_hostile = true,
                "via" => traffic.via = Some(value.to_owned()),
                "days" => traffic.days = value.parse().unwrap(),
                "icmp" => {
                    let (kind, code) = value.split_once('/').unwrap();
                    traffic.icmp = (kind.parse().unwrap(), code.parse().unwrap());
                }
                _ => panic!("{}: `{option}` is no option of traffic", self.name),
            }
        }
        traffic
    }
}

impl Interface {
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        let in_prefix = |text: &String| {
            let net: ipnet::IpNet = text.parse().unwrap();
            net.contains(&address)
        };
        self.addresses.contains(&address) || self.prefix.as_ref().is_some_and(in_prefix)
    }

    /// The address that its own records have for one of its family.
    pub(super) fn primary(&self, address: IpAddr) -> IpAddr {
        let mut all = self.addresses.iter().copied();
        all.find(|own| own.is_ipv4() == address.is_ipv4())
            .unwrap_or(address)
    }
}

/// `key=value` words.
fn options<'w>(words: &[&'w str]) -> BTreeMap<&'w str, &'w str> {
    let pairs = words.iter().map(|w| w.split_once('=').unwrap_or((w, "")));
    pairs.collect()
}

fn group(text: &str) -> Group {
    let (id, mut rest) = text.split_once(' ').unwrap_or((text, ""));
    let (mut vpc, mut owner) = ("vpc-1".to_owned(), "111122223333".to_owned());
    while let Some((key, value)) = rest.split(' ').next().and_then(|word| word.split_once('=')) {
        match key {
            "vpc" => value.clone_into(&mut vpc),
            "owner" => value.clone_into(&mut owner),
            _ => panic!("{text}"),
        }
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
    }
    let rules = rest.split(';').map(str::trim).filter(|r| !r.is_empty());
    Group {
        id: id.to_owned(),
        vpc,
        owner,
        rules: rules.map(rule).collect(),
    }
}

/// `out tcp/443 sg-b`, with what it says of the group that it names.
pub(super) fn rule(text: &str) -> (Rule, Option<Pair>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [direction, service, target] = words[..] else {
        panic!("`{text}` is no rule")
    };
    let direction = direction_of(direction);
    let (protocol, from, to) = service_of(service);
    let (target, pair) = match target.split_once('+') {
        Some((id, said)) => {
            let (peering, status) = said.split_once('!').unwrap_or((said, "active"));
            let pair = Pair {
                peering: peering.to_owned(),
                status: status.to_owned(),
            };
            (id, Some(pair))
        }
        None => (target, None),
    };
    let rule = Rule::from_parts(direction, &protocol, from, to, target_of(target))
        .unwrap_or_else(|| panic!("`{text}` is no rule that AWS takes"));
    (rule, pair)
}

pub(super) fn direction_of(word: &str) -> Direction {
    match word {
        "out" => Direction::Egress,
        "in" => Direction::Ingress,
        _ => panic!("`{word}` is neither out nor in"),
    }
}

pub(super) fn target_of(text: &str) -> Target {
    if text.starts_with("sg-") {
        Target::Group(text.to_owned())
    } else if text.starts_with("pl-") {
        Target::PrefixList(text.to_owned())
    } else {
        Target::cidr(text).unwrap_or_else(|| panic!("`{text}` is no target"))
    }
}

/// `tcp/443`, `icmp/8/-1`, `-1`, `47`: protocol, from and to.
pub(super) fn service_of(text: &str) -> (String, Option<i64>, Option<i64>) {
    let parts: Vec<&str> = text.split('/').collect();
    let number = |text: &str| Some(text.parse::<i64>().unwrap());
    let (from, to) = match (parts[0], &parts[1..]) {
        ("icmp" | "icmpv6", []) => (Some(-1), Some(-1)),
        ("icmp" | "icmpv6", [kind]) => (number(kind), Some(-1)),
        ("icmp" | "icmpv6", [kind, code]) => (number(kind), number(code)),
        (_, [ports]) => {
            let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
            (number(from), number(to))
        }
        _ => (None, None),
    };
    (parts[0].to_owned(), from, to)
}

/// The number of a protocol.
pub(super) fn number_of(text: &str) -> u8 {
    match text {
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" => 58,
        number => number
            .parse()
            .unwrap_or_else(|_| panic!("`{text}` is no protocol")),
    }
}

fn interface(words: &[&str]) -> Interface {
    let options = options(&words[3..]);
    for key in options.keys() {
        let known = [
            "vpc",
            "type",
            "also",
            "prefix",
            "public",
            "silent",
            "subnet",
            "description",
            "instance",
        ];
        assert!(known.contains(key), "`{key}` is no option of an interface");
    }
    let option = |key: &str, other: &str| options.get(key).map_or(other, |v| v).to_owned();
    let vpc = option("vpc", "vpc-1");
    let also = options.get("also").into_iter().flat_map(|v| v.split(','));
    Interface {
        id: words[0].to_owned(),
        groups: words[1]
            .split(',')
            .filter(|g| *g != "-")
            .map(str::to_owned)
            .collect(),
        addresses: std::iter::once(words[2])
            .chain(also)
            .map(|a| a.parse().unwrap_or_else(|_| panic!("{words:?}")))
            .collect(),
        prefix: options.get("prefix").map(|v| (*v).to_owned()),
        public: options.get("public").map(|v| v.parse().unwrap()),
        subnet: option("subnet", &format!("subnet-{vpc}")),
        kind: option("type", "interface"),
        description: option("description", "").replace('_', " "),
        instance: options.get("instance").map(|v| (*v).to_owned()),
        is_silent: options.contains_key("silent"),
        vpc,
    }
}

fn list(words: &[&str]) -> List {
    let (options, entries): (Vec<&str>, Vec<&str>) =
        words[1..].iter().partition(|w| w.contains('='));
    let options = options
        .iter()
        .map(|w| w.split_once('=').unwrap())
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    let is_unknown = entries.contains(&"unknown");
    List {
        id: words[0].to_owned(),
        options: options.collect(),
        entries: (!is_unknown).then(|| entries.iter().map(|e| (*e).to_owned()).collect()),
    }
}

fn peering(words: &[&str]) -> Peering {
    let options = options(&words[3..]);
    let regions = options.get("regions").unwrap_or(&"us-east-1,us-east-1");
    let (a, b) = regions.split_once(',').unwrap();
    Peering {
        id: words[0].to_owned(),
        vpcs: [words[1].to_owned(), words[2].to_owned()],
        status: (*options.get("status").unwrap_or(&"active")).to_owned(),
        regions: [a.to_owned(), b.to_owned()],
    }
}
