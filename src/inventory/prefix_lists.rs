//! Prefix lists: those of gateway endpoints, of AWS services, and customers' own.

use ipnet::IpNet;

use super::{Note, Snapshot};
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
    /// Its addresses; empty when the snapshot has no entries for it.
    pub addresses: AddressSet,
    /// The VPCs with a gateway endpoint for it.
    pub endpoint_vpcs: Vec<String>,
    /// How many rules it counts for in a group.
    pub weight: u64,
}

/// What lists that AWS keeps count for, by the end of their name
/// (working-with-aws-managed-prefix-lists.html); the API does not say.
const WEIGHTS: &[(&str, u64)] = &[
    (".s3", 1),
    (".dynamodb", 1),
    (".cloudfront.origin-facing", 55),
    (".route53-healthchecks", 25),
    (".vpc-lattice", 10),
    (".s3express", 6),
    (".groundstation", 5),
    (".ec2-instance-connect", 2),
];

/// A customer's list counts for the entries it may have, used or not; AWS's lists
/// have weights of their own, and one that is not in the table counts for one.
fn weight(name: &str, max_entries: u64, entries: u64, aws_owned: bool) -> u64 {
    if aws_owned {
        WEIGHTS
            .iter()
            .find(|(end, _)| name.ends_with(end))
            .map_or(1, |&(_, weight)| weight)
    } else {
        max_entries.max(entries).max(1)
    }
}

/// Joins lists, entries and gateway endpoints. An endpoint names its list only
/// through the service: `ServiceName` = `PrefixListName`.
pub(super) fn join(snapshot: &Snapshot, notes: &mut Vec<Note>) -> Vec<PrefixList> {
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
        let texts = group
            .iter()
            .flat_map(|l| &l.cidrs)
            .chain(entries.map(|(_, entry)| &entry.cidr));
        let mut prefixes: Vec<IpNet> = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(prefix) => prefixes.push(prefix),
                Err(_) => notes.push(Note::new(format!(
                    "{id}: `{text}` is not a prefix and was left out"
                ))),
            }
        }
        let endpoint_vpcs = gateway_vpcs(snapshot, name);
        let aws_owned =
            group.iter().any(|l| l.owner_id == "AWS") || name.starts_with("com.amazonaws.");
        joined.push(PrefixList {
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
            addresses: AddressSet::new(&prefixes),
            endpoint_vpcs,
        });
    }
    joined
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
