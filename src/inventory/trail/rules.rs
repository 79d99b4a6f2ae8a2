//! Rules over time: who made one, and when one went.

use std::collections::BTreeMap;
use std::ops::Range;

use ipnet::IpNet;
use serde_json::Value;

use super::{Event, EventName, items, text};
use crate::documents::Direction;
use crate::inventory::rules::{Rule, RulePorts, RuleProtocol, Target, services};

/// Who made a rule, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Unix seconds.
    pub time: u64,
    /// An ARN, or the AWS service; made visible.
    pub who: String,
    /// The event.
    pub event: &'static str,
}

/// A rule that stood once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRule {
    /// The rule.
    pub rule: Rule,
    /// When it stood, Unix seconds; from 0 on if nothing tells.
    pub lifetime: Range<u64>,
}

/// What is known of every group's rules, by group id.
#[derive(Debug, Default)]
pub(in crate::inventory) struct RuleHistory {
    /// Rules that were made and did not go.
    pub(in crate::inventory) births: BTreeMap<String, Vec<(Rule, Birth)>>,
    /// Rules that went.
    pub(in crate::inventory) past: BTreeMap<String, Vec<PastRule>>,
}

pub(in crate::inventory) fn rule_history(events: &[Event]) -> RuleHistory {
    let mut history = RuleHistory::default();
    for event in events {
        history.tell(event);
    }
    history
}

impl RuleHistory {
    fn tell(&mut self, event: &Event) {
        let Event {
            request, response, ..
        } = event;
        let asked = || text(request, "groupId").unwrap_or_default().to_owned();
        match event.name {
            EventName::CreateSecurityGroup => {
                // A new group of a VPC lets everything out (vpc-security-groups.html); no event of its own says so.
                if let (Some(id), Some(_)) = (text(response, "groupId"), text(request, "vpcId")) {
                    self.born(id, open_egress(), event);
                }
            }
            EventName::AuthorizeSecurityGroupEgress | EventName::AuthorizeSecurityGroupIngress => {
                let direction = direction(event.name);
                let said: Vec<(String, Rule)> = items(response, "securityGroupRuleSet")
                    .filter_map(printed)
                    .collect();
                if said.is_empty() {
                    let rules: Vec<Rule> = permissions(request, direction).collect();
                    for rule in rules {
                        self.born(&asked(), rule, event);
                    }
                }
                for (group, rule) in said {
                    self.born(&group, rule, event);
                }
            }
            EventName::RevokeSecurityGroupEgress | EventName::RevokeSecurityGroupIngress => {
                let gone: Vec<(String, Rule)> = items(response, "revokedSecurityGroupRuleSet")
                    .filter_map(printed)
                    .collect();
                for (group, rule) in &gone {
                    self.gone(group, rule, event.time);
                }
                let ids: Vec<&str> = items(request, "securityGroupRuleIds")
                    .filter_map(|id| id.as_str().or_else(|| text(id, "securityGroupRuleId")))
                    .collect();
                let group = asked();
                let named: Vec<Rule> = self
                    .births
                    .get(&group)
                    .into_iter()
                    .flatten()
                    .map(|(rule, _)| rule)
                    .filter(|rule| rule.rule_id.as_deref().is_some_and(|id| ids.contains(&id)))
                    .cloned()
                    .collect();
                let rules: Vec<Rule> = permissions(request, direction(event.name)).collect();
                let all = named.iter().chain(&rules);
                for rule in all {
                    self.gone(&group, rule, event.time);
                }
            }
            EventName::ModifySecurityGroupRules => self.modified(event),
            _ => {}
        }
    }

    /// A rule is another from now on. What it was before is known where its making is.
    fn modified(&mut self, event: &Event) {
        let request = event.request.get("ModifySecurityGroupRulesRequest");
        let request = request.unwrap_or(&event.request);
        let group = ["groupId", "GroupId"]
            .iter()
            .find_map(|key| text(request, key));
        let id = |value: &Value| {
            let keys = ["securityGroupRuleId", "SecurityGroupRuleId"];
            let id = keys.iter().find_map(|key| text(value, key));
            id.map(str::to_owned)
        };
        let changed = [
            "securityGroupRules",
            "SecurityGroupRule",
            "SecurityGroupRules",
        ];
        let mut ids: Vec<String> = Vec::new();
        for key in changed {
            ids.extend(items(request, key).filter_map(id));
            ids.extend(request.get(key).and_then(id));
        }
        let Some(group) = group else { return };
        let births = self.births.get(group).into_iter().flatten();
        let before: Vec<Rule> = births
            .map(|(rule, _)| rule)
            .filter(|rule| rule.rule_id.as_ref().is_some_and(|id| ids.contains(id)))
            .cloned()
            .collect();
        for rule in &before {
            self.gone(group, rule, event.time);
        }
    }

    fn born(&mut self, group: &str, rule: Rule, event: &Event) {
        let birth = Birth {
            time: event.time,
            who: event.who.clone(),
            event: event.name.as_str(),
        };
        self.births
            .entry(group.to_owned())
            .or_default()
            .push((rule, birth));
    }

    fn gone(&mut self, group: &str, rule: &Rule, time: u64) {
        let births = self.births.entry(group.to_owned()).or_default();
        let birth = births
            .iter()
            .rposition(|(born, _)| born.same_permission(rule));
        let start = birth.map_or(0, |position| births.remove(position).1.time);
        let past = self.past.entry(group.to_owned()).or_default();
        let known = past
            .iter()
            .any(|p| p.rule.same_permission(rule) && p.lifetime.end == time);
        if !known {
            past.push(PastRule {
                rule: rule.clone(),
                lifetime: start..time,
            });
        }
    }
}

const fn direction(name: EventName) -> Direction {
    match name {
        EventName::AuthorizeSecurityGroupEgress | EventName::RevokeSecurityGroupEgress => {
            Direction::Egress
        }
        _ => Direction::Ingress,
    }
}

fn open_egress() -> Rule {
    Rule {
        direction: Direction::Egress,
        protocol: RuleProtocol::All,
        ports: RulePorts::Any,
        target: Target::Cidr(IpNet::V4(ipnet::Ipv4Net::default())),
        rule_id: None,
        tags: Vec::new(),
        description: String::new(),
    }
}

/// A rule as describe-security-group-rules has it, in lower camel case; with its group.
fn printed(value: &Value) -> Option<(String, Rule)> {
    let direction = if value["isEgress"].as_bool()? {
        Direction::Egress
    } else {
        Direction::Ingress
    };
    let net = |key| {
        text(value, key)?
            .parse::<IpNet>()
            .ok()
            .map(|net| Target::Cidr(net.trunc()))
    };
    let group = ["referencedGroupId", "groupId"]
        .iter()
        .find_map(|key| text(&value["referencedGroupInfo"], key));
    let target = net("cidrIpv4")
        .or_else(|| net("cidrIpv6"))
        .or_else(|| Some(Target::PrefixList(text(value, "prefixListId")?.to_owned())))
        .or_else(|| Some(Target::Group(group?.to_owned())))?;
    let rule = rule(value, direction, target)?;
    let id = text(value, "securityGroupRuleId").map(str::to_owned);
    let group = text(value, "groupId")?.to_owned();
    Some((
        group,
        Rule {
            rule_id: id,
            ..rule
        },
    ))
}

/// The rules that a request names: its `ipPermissions`, and the older form with one rule in the request itself.
fn permissions(request: &Value, direction: Direction) -> impl Iterator<Item = Rule> {
    let all = items(request, "ipPermissions").chain([request]);
    all.flat_map(move |permission| {
        let of = |list, key, target: fn(&str) -> Option<Target>| {
            let found = items(permission, list).filter_map(move |value| target(text(value, key)?));
            found.collect::<Vec<Target>>()
        };
        let cidr = |text: &str| Some(Target::Cidr(text.parse::<IpNet>().ok()?.trunc()));
        let mut targets = of("ipRanges", "cidrIp", cidr);
        targets.extend(of("ipv6Ranges", "cidrIpv6", cidr));
        targets.extend(of("prefixListIds", "prefixListId", |id| {
            Some(Target::PrefixList(id.to_owned()))
        }));
        targets.extend(of("groups", "groupId", |id| {
            Some(Target::Group(id.to_owned()))
        }));
        targets.extend(text(permission, "cidrIp").and_then(cidr));
        targets
            .into_iter()
            .filter_map(move |target| rule(permission, direction, target))
    })
}

/// Protocol and ports in the API's spelling, which writes `-1` with ports of 0 here.
fn rule(value: &Value, direction: Direction, target: Target) -> Option<Rule> {
    let (from, to) = (value["fromPort"].as_i64(), value["toPort"].as_i64());
    let (protocol, ports) = services(text(value, "ipProtocol")?, from, to).ok()?;
    Some(Rule {
        direction,
        protocol,
        ports,
        target,
        rule_id: None,
        tags: Vec::new(),
        description: text(value, "description").unwrap_or_default().to_owned(),
    })
}
