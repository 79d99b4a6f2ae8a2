//! Prefix lists: those of gateway endpoints, of AWS services, and customers' own.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::note::Note;
use super::ranges::ServiceRanges;
use super::rules::Target;
use super::snapshot::Snapshot;
use crate::net::AddressSet;

/// Who keeps a list, best choice for a rule first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeper {
    /// A gateway endpoint of the inventory uses it: traffic to it stays inside AWS.
    GatewayEndpoint,
    /// AWS keeps it (working-with-aws-managed-prefix-lists.html).
    Aws,
    /// The customer keeps it.
    Customer,
}

/// A prefix list with its addresses.
#[derive(Clone, Debug)]
pub struct PrefixList {
    /// `pl-…`
    pub id: String,
    /// Its name; hostile where the customer chose it.
    pub name: String,
    /// Who keeps it.
    pub keeper: Keeper,
    /// Its addresses; empty when neither the snapshot nor AWS's published ranges
    /// have any for it.
    pub addresses: AddressSet,
    /// Whether its addresses are known: the snapshot has its entries, or AWS publishes them.
    pub complete: bool,
    /// The snapshot has no entries for it: its addresses are what AWS publishes for
    /// its service and region.
    pub published: bool,
    /// The VPCs with a gateway endpoint for it.
    pub endpoint_vpcs: Vec<String>,
    /// How many rules it counts for in a group.
    pub weight: u64,
    /// The family of its addresses, of which a list has one (managed-prefix-lists.html); both where the inventory doesn't tell.
    pub families: Families,
}

/// Which address families something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Families {
    /// What a list says of itself, else what its addresses are, else what its name says of a list that AWS keeps.
    fn of(said: &str, addresses: &AddressSet, name: &str, aws_owned: bool) -> Self {
        let has = |part: AddressSet| part != AddressSet::EMPTY;
        let only = |v4: bool| Self { v4, v6: !v4 };
        let of_addresses = Self {
            v4: has(addresses.only_v4()),
            v6: has(addresses.only_v6()),
        };
        if said.eq_ignore_ascii_case("IPv4") || said.eq_ignore_ascii_case("IPv6") {
            only(said.eq_ignore_ascii_case("IPv4"))
        } else if of_addresses.v4 || of_addresses.v6 {
            of_addresses
        } else if aws_owned {
            only(!name.contains("ipv6."))
        } else {
            Self { v4: true, v6: true }
        }
    }
}

/// What lists that AWS keeps count for, by the end of their name
/// (working-with-aws-managed-prefix-lists.html; the API does not say), and the
/// service code of their addresses in ip-ranges.json, where there is one.
const MANAGED: &[ManagedList] = &[
    managed_list("s3", 1, Some("S3")),
    managed_list("dynamodb", 1, Some("DYNAMODB")),
    managed_list(
        "cloudfront.origin-facing",
        55,
        Some("CLOUDFRONT_ORIGIN_FACING"),
    ),
    managed_list("route53-healthchecks", 25, Some("ROUTE53_HEALTHCHECKS")),
    managed_list("secretsmanager-managed-external-secrets", 20, None),
    managed_list("vpc-lattice", 10, None),
    managed_list("s3express", 6, None),
    managed_list("groundstation", 5, None),
    managed_list("ec2-instance-connect", 2, Some("EC2_INSTANCE_CONNECT")),
];

/// A list that AWS keeps in every region.
struct ManagedList {
    /// The end of its name.
    name: &'static str,
    weight: u64,
    service: Option<&'static str>,
}

const fn managed_list(
    name: &'static str,
    weight: u64,
    service: Option<&'static str>,
) -> ManagedList {
    ManagedList {
        name,
        weight,
        service,
    }
}

/// `com.amazonaws.REGION.SERVICE` → region and row; IPv6 lists have `ipv6.` before
/// or after the region.
fn managed(name: &str) -> Option<(&str, &'static ManagedList)> {
    let rest = name.strip_prefix("com.amazonaws.")?;
    let rest = rest.strip_prefix("ipv6.").unwrap_or(rest);
    let (region, service) = rest.split_once('.')?;
    let service = service.strip_prefix("ipv6.").unwrap_or(service);
    let row = MANAGED.iter().find(|list| list.name == service)?;
    Some((region, row))
}

/// The addresses that AWS publishes for the service of a list, of the list's family.
fn published(name: &str, ranges: &ServiceRanges) -> AddressSet {
    let Some((region, service)) = managed(name).and_then(|(r, list)| Some((r, list.service?)))
    else {
        return AddressSet::EMPTY;
    };
    let region = if region == "global" { "GLOBAL" } else { region };
    let both = ranges.published(service, region);
    if name.contains(".ipv6.") {
        both.only_v6()
    } else {
        both.only_v4()
    }
}

/// A customer's list counts for the entries it may have, used or not; AWS's lists
/// have weights of their own, and one that is not in the table counts for one.
fn weight(name: &str, max_entries: u64, entries: u64, aws_owned: bool) -> u64 {
    if aws_owned {
        managed(name).map_or(1, |(_, list)| list.weight)
    } else {
        max_entries.max(entries).max(1)
    }
}

/// Joins lists, entries and gateway endpoints. An endpoint names its list only
/// through the service: `ServiceName` = `PrefixListName`.
pub(super) fn join(
    snapshot: &Snapshot,
    ranges: &ServiceRanges,
    notes: &mut Vec<Note>,
) -> Vec<PrefixList> {
    notes.extend(absent(snapshot));
    let mut lists: Vec<&super::wire::PrefixList> = snapshot.prefix_lists.iter().collect();
    lists.sort_by(|a, b| {
        (&a.prefix_list_id, &a.prefix_list_name).cmp(&(&b.prefix_list_id, &b.prefix_list_name))
    });
    let mut joined: Vec<PrefixList> = Vec::new();
    for group in lists.chunk_by(|a, b| a.prefix_list_id == b.prefix_list_id) {
        let id = &group[0].prefix_list_id;
        let name = group
            .iter()
            .map(|l| &l.prefix_list_name)
            .max()
            .expect("a chunk is never empty");
        let entries = snapshot.entries.iter().filter(|(list, _)| list == id);
        let inline = group.iter().flat_map(|l| &l.cidrs);
        let mut prefixes: Vec<IpNet> = inline
            .chain(entries.map(|(_, entry)| &entry.cidr))
            .copied()
            .collect();
        // Every account that a list is shared with prints its entries.
        prefixes.sort_unstable();
        prefixes.dedup();
        let endpoint_vpcs = gateway_vpcs(snapshot, name);
        let aws_owned =
            group.iter().any(|l| l.owner_id == "AWS") || name.starts_with("com.amazonaws.");
        let mut addresses = AddressSet::new(&prefixes);
        let mut stand_in = false;
        if addresses.count() == 0 && aws_owned {
            addresses = published(name, ranges);
            stand_in = addresses.count() > 0;
        }
        if stand_in {
            let day = ranges.bundled_on.map_or_else(
                || "of the inventory's ip-ranges.json".to_owned(),
                |day| format!("of {day}"),
            );
            notes.push(Note::new(format!(
                "{id}: the inventory lacks its entries; AWS's published ranges {day} stand in for them"
            )));
        }
        let listed = snapshot.listed_entries.iter().any(|list| list == id);
        let complete = listed || stand_in || !prefixes.is_empty();
        if !complete {
            notes.push(Note::new(format!(
                "{id}: the inventory lacks its entries: closegate can't tell what rules that name it permit"
            )));
        }
        let said = group.iter().map(|l| l.address_family.as_str()).max();
        joined.push(PrefixList {
            families: Families::of(said.unwrap_or_default(), &addresses, name, aws_owned),
            complete,
            published: stand_in,
            id: id.clone(),
            name: name.clone(),
            keeper: match (endpoint_vpcs.is_empty(), aws_owned) {
                (false, _) => Keeper::GatewayEndpoint,
                (true, true) => Keeper::Aws,
                (true, false) => Keeper::Customer,
            },
            weight: weight(
                name,
                group
                    .iter()
                    .map(|l| l.max_entries)
                    .max()
                    .unwrap_or_default(),
                prefixes.len() as u64,
                aws_owned,
            ),
            addresses,
            endpoint_vpcs,
        });
    }
    joined
}

/// A note for each list that a rule names and the inventory lacks altogether.
fn absent(snapshot: &Snapshot) -> impl Iterator<Item = Note> + use<> {
    let permissions = snapshot.groups.iter().flat_map(|group| {
        let egress = group.ip_permissions_egress.iter().flatten();
        egress.chain(group.ip_permissions.iter().flatten())
    });
    let of_groups = permissions.flat_map(|permission| permission.targets.iter().map(|(t, _)| t));
    let of_rules = snapshot.rules.iter().map(|rule| &rule.rule.target);
    let named: BTreeSet<String> = of_groups
        .chain(of_rules)
        .filter_map(|target| match target {
            Target::PrefixList(id) => Some(id.clone()),
            Target::Cidr(_) | Target::Group(_) => None,
        })
        .filter(|id| {
            snapshot
                .prefix_lists
                .iter()
                .all(|list| list.prefix_list_id != *id)
        })
        .collect();
    named.into_iter().map(|id| {
        Note::new(format!(
            "{id}: a rule names it and the inventory lacks it: closegate can't tell what that rule permits"
        ))
    })
}

fn gateway_vpcs(snapshot: &Snapshot, service: &str) -> Vec<String> {
    let mut vpcs: Vec<String> = snapshot
        .endpoints
        .iter()
        .filter(|e| {
            e.vpc_endpoint_type == "Gateway"
                && e.service_name == service
                && e.state.eq_ignore_ascii_case("available")
        })
        .map(|e| e.vpc_id.clone())
        .collect();
    vpcs.sort();
    vpcs.dedup();
    vpcs
}
