//! A snapshot that can be shown to others: what identifies its owner is replaced, the same by the
//! same everywhere, so that what is connected stays connected.
//!
//! Replaced are account numbers, wherever they stand; names, descriptions, and tags; and public addresses.
//! Private addresses, ports and the ids of resources stay: without them nothing could be said about
//! the rules.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::Value;

use super::collect::{Collected, MemberAccount};
use crate::net::is_public;

/// Keys whose text people choose, and what stands for it.
const CHOSEN: &[(&str, &str)] = &[
    ("GroupName", "group"),
    ("Description", "description"),
    ("PrefixListName", "prefix-list"),
    ("LoadBalancerName", "balancer"),
    ("TargetGroupName", "target-group"),
    ("KeyName", "key"),
    ("LogGroupName", "log-group"),
    ("LogDestination", "destination"),
    ("PublicDnsName", "host"),
    ("PrivateDnsName", "host"),
    ("RequesterId", "requester"),
    ("UserName", "user"),
    ("Arn", "arn"),
    ("arn", "arn"),
];

/// Names that AWS gives, which tell more than they give away: its prefix lists, its default groups, and
/// what its services write into descriptions.
const AWS_OWN: &[&str] = &[
    "com.amazonaws.",
    "default",
    "Interface for NAT Gateway ",
    "VPC Endpoint Interface ",
    "amazon-",
];

/// What stands for what, in the order of meeting: the same in all snapshots that one redaction is given.
#[derive(Debug, Default)]
pub struct Redaction {
    accounts: BTreeMap<String, String>,
    chosen: BTreeMap<(&'static str, String), String>,
    addresses: BTreeMap<IpAddr, IpAddr>,
}

impl Redaction {
    /// Replaces everything that identifies.
    pub fn snapshot(&mut self, collected: &mut Collected) {
        for (path, content) in &mut collected.files {
            self.value("", content);
            *path = self.accounts(path);
        }
        collected.list_files();
        let manifest = &mut collected.manifest;
        for identity in &mut manifest.identities {
            identity.account = self.accounts(&identity.account);
            identity.arn = self.chosen("arn", &identity.arn);
        }
        for call in &mut manifest.calls {
            call.account = self.accounts(&call.account);
        }
        for refused in &mut manifest.refused {
            refused.account = self.accounts(&refused.account);
        }
        for member in &mut manifest.accounts {
            self.member(member);
        }
    }

    /// Replaces what identifies an account of an organization.
    pub fn member(&mut self, member: &mut MemberAccount) {
        member.account = self.accounts(&member.account);
        let next = self.chosen.len() + 1;
        let known = self.chosen.entry(("account", member.name.clone()));
        member.name = known.or_insert_with(|| format!("account-{next}")).clone();
    }

    fn value(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::Object(object) => {
                // Attributes of target groups have these members too, and name nobody.
                let tag = key != "Attributes"
                    && object.len() == 2
                    && object.contains_key("Key")
                    && object.contains_key("Value");
                for (key, value) in object.iter_mut() {
                    match (tag, key.as_str(), &*value) {
                        (true, "Value", Value::String(text)) => {
                            *value = self.chosen("tag", &text.clone()).into();
                        }
                        (true, "Key", Value::String(text))
                            if text != "Name" && !text.starts_with("aws:") =>
                        {
                            *value = self.chosen("tag-key", &text.clone()).into();
                        }
                        _ => self.value(key, value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.value(key, value)),
            Value::String(text) => *text = self.text(key, text),
            _ => {}
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        if let Some(redacted) = self.balancer(text) {
            return redacted;
        }
        if let Some((_, kind)) = CHOSEN.iter().find(|(name, _)| *name == key) {
            return self.chosen(kind, text);
        }
        if let Ok(address) = text.parse() {
            return self.address(address).to_string();
        }
        if let Ok(prefix) = text.parse::<IpNet>() {
            // A wide one names nobody.
            let host = prefix.prefix_len() >= if prefix.addr().is_ipv4() { 20 } else { 44 };
            if host && is_public(prefix.addr()) {
                let address = self.address(prefix.addr());
                return match IpNet::new(address, prefix.prefix_len()) {
                    Ok(prefix) => prefix.trunc().to_string(),
                    Err(_) => text.to_owned(),
                };
            }
        }
        self.accounts(text)
    }

    /// A load balancer or target group as ARNs and descriptions name it, with another name: `…/NAME/ID`.
    fn balancer(&mut self, text: &str) -> Option<String> {
        const BEFORE: &[(&str, &str)] = &[
            ("ELB net/", "balancer"),
            ("ELB app/", "balancer"),
            (":loadbalancer/net/", "balancer"),
            (":loadbalancer/app/", "balancer"),
            (":targetgroup/", "target-group"),
        ];
        let (before, kind) = BEFORE.iter().find(|(before, _)| text.contains(before))?;
        let (start, rest) = text.split_once(before)?;
        let (name, id) = rest.split_once('/')?;
        let name = self.chosen(kind, name);
        Some(format!("{}{before}{name}/{id}", self.accounts(start)))
    }

    fn chosen(&mut self, kind: &'static str, text: &str) -> String {
        if text.is_empty() || AWS_OWN.iter().any(|own| text.starts_with(own)) {
            return self.accounts(text);
        }
        let next = self.chosen.len() + 1;
        let known = self.chosen.entry((kind, text.to_owned()));
        known.or_insert_with(|| format!("{kind}-{next}")).clone()
    }

    /// Text with its account numbers, twelve digits each, replaced.
    fn accounts(&mut self, text: &str) -> String {
        const DIGITS: usize = 12;
        let mut redacted = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let length = rest[start..]
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len() - start);
            let (before, digits) = (&rest[..start], &rest[start..start + length]);
            redacted.push_str(before);
            // The digits of an id are part of a longer word.
            let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric())
                && !rest[start + length..].starts_with(|c: char| c.is_ascii_alphanumeric());
            if length == DIGITS && alone {
                let next = self.accounts.len() + 1;
                let known = self.accounts.entry(digits.to_owned());
                redacted.push_str(known.or_insert_with(|| format!("{next:012}")));
            } else {
                redacted.push_str(digits);
            }
            rest = &rest[start + length..];
        }
        redacted + rest
    }

    /// Public addresses become addresses of the ranges for benchmarks and documentation (RFC 2544, RFC 3849).
    fn address(&mut self, address: IpAddr) -> IpAddr {
        if !is_public(address) {
            return address;
        }
        let next = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let stand_in = match address {
            // 2^17 of them, which is more than an account has.
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(
                Ipv4Addr::new(198, 18, 0, 0).to_bits() | next & 0x1_ffff,
            )),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).to_bits() | u128::from(next) << 64,
            )),
        };
        *self.addresses.entry(address).or_insert(stand_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Identity, SnapshotManifest};
    use serde_json::json;

    #[test]
    fn what_identifies_is_gone_and_what_is_connected_stays() {
        let content = json!({"SecurityGroups": [
            {"GroupId": "sg-0123456789abcdef0", "GroupName": "secret-app", "OwnerId": "111122223333", "Description": "for ACME",
             "SecurityGroupArn": "arn:aws:ec2:us-east-1:111122223333:security-group/sg-0123456789abcdef0",
             "Tags": [{"Key": "Name", "Value": "secret-app"}, {"Key": "owner", "Value": "alice"}],
             "IpPermissionsEgress": [{"IpRanges": [{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "93.184.216.34/32"}, {"CidrIp": "10.1.2.0/24"}]}]},
            {"GroupId": "sg-1", "GroupName": "secret-app", "OwnerId": "111122223333", "PublicIp": "93.184.216.34", "PrivateIp": "10.1.2.3"},
        ]});
        let mut collected = Collected {
            files: vec![(
                "111122223333/us-east-1/security-groups.json".to_owned(),
                content,
            )],
            manifest: SnapshotManifest {
                identities: vec![Identity {
                    account: "111122223333".to_owned(),
                    arn: "arn:aws:iam::111122223333:user/alice".to_owned(),
                }],
                ..SnapshotManifest::default()
            },
        };
        Redaction::default().snapshot(&mut collected);
        let text =
            format!("{:?}{}", collected.manifest, collected.files[0].1) + &collected.files[0].0;
        for secret in [
            "secret",
            "111122223333",
            "ACME",
            "alice",
            "93.184.216.34",
            "owner",
        ] {
            assert!(
                !text.contains(&format!("\"{secret}")) && !text.contains(&format!("{secret}\"")),
                "{secret} in {text}"
            );
            assert!(
                secret == "owner" || !text.contains(secret),
                "{secret} in {text}"
            );
        }
        for kept in [
            "sg-0123456789abcdef0",
            "0.0.0.0/0",
            "10.1.2.0/24",
            "10.1.2.3",
            "\"Name\"",
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
        let groups = &collected.files[0].1["SecurityGroups"];
        assert_eq!(groups[0]["GroupName"], groups[1]["GroupName"]);
        assert_eq!(groups[0]["OwnerId"], "000000000001");
        let cidr = groups[0]["IpPermissionsEgress"][0]["IpRanges"][1]["CidrIp"]
            .as_str()
            .unwrap();
        assert_eq!(
            Some(cidr),
            groups[1]["PublicIp"]
                .as_str()
                .map(|ip| format!("{ip}/32"))
                .as_deref()
        );
    }
}
