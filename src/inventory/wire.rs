//! The JSON that `aws ec2 describe-*` prints, as far as it is needed.
//!
//! Absent, empty and null are three different things in these files and mean the
//! same here: every field has a default, and unknown fields are passed over.
//! Shapes: the AWS CLI reference, one page per command.

#![expect(
    clippy::struct_field_names,
    reason = "the API repeats the resource's name in its fields"
)]

use serde::{Deserialize, Deserializer};

/// Reads `null` as the default, as well as an absent field.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty $(= $alias:literal)?),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub(super) struct $name {
            $(#[serde(default, deserialize_with = "nullable" $(, alias = $alias)?)] pub(super) $field: $kind,)*
        }
    )*};
}

wire! {
    /// describe-security-groups
    Group { group_id: String, group_name: String, owner_id: String, vpc_id: String, tags: Vec<Tag>,
            ip_permissions: Vec<Permission>, ip_permissions_egress: Vec<Permission> }
    Tag { key: String, value: String }
    /// One entry of `IpPermissions`: `-1` has no ports here, and has -1/-1 in describe-security-group-rules.
    Permission { ip_protocol: String, from_port: Option<i64>, to_port: Option<i64>, ip_ranges: Vec<IpRange>, ipv6_ranges: Vec<Ipv6Range>,
                 prefix_list_ids: Vec<PrefixListRef>, user_id_group_pairs: Vec<GroupPair> }
    IpRange { cidr_ip: String, description: String }
    Ipv6Range { cidr_ipv6: String, description: String }
    PrefixListRef { prefix_list_id: String, description: String }
    GroupPair { group_id: String, description: String }
    /// describe-security-group-rules
    GroupRule { security_group_rule_id: String, group_id: String, is_egress: bool, ip_protocol: String, from_port: Option<i64>, to_port: Option<i64>,
                cidr_ipv4: Option<String>, cidr_ipv6: Option<String>, prefix_list_id: Option<String>, referenced_group_info: Option<GroupPair>, description: String }
    /// describe-network-interfaces; tags are in `TagSet` here and nowhere else. A time before which there was none
    /// such, and one from which on there was none, are ours; Unix seconds.
    Interface { network_interface_id: String, interface_type: String, description: String, vpc_id: String, subnet_id: String,
                availability_zone: String, private_ip_address: Option<String>, private_ip_addresses: Vec<PrivateAddress>, ipv4_prefixes: Vec<Ipv4Prefix>,
                ipv6_addresses: Vec<Ipv6Address>, ipv6_prefixes: Vec<Ipv6Prefix>, groups: Vec<GroupRef>, attachment: Option<Attachment>, tag_set: Vec<Tag> = "Tags",
                association: Option<Association>, closegate_absent_until: Option<u64>, closegate_gone_at: Option<u64> }
    PrivateAddress { private_ip_address: String, primary: bool, association: Option<Association> }
    Association { public_ip: Option<String> }
    Ipv4Prefix { ipv4_prefix: String }
    Ipv6Address { ipv6_address: String }
    Ipv6Prefix { ipv6_prefix: String }
    GroupRef { group_id: String, group_name: String }
    Attachment { instance_id: Option<String> }
    /// describe-vpcs
    Vpc { vpc_id: String, cidr_block: Option<String>, cidr_block_association_set: Vec<CidrBlock>, ipv6_cidr_block_association_set: Vec<Ipv6CidrBlock> }
    Ipv6CidrBlock { ipv6_cidr_block: Option<String> }
    CidrBlock { cidr_block: Option<String> }
    /// describe-subnets
    Subnet { subnet_id: String, cidr_block: Option<String> }
    /// describe-managed-prefix-lists, and describe-prefix-lists with the CIDRs inline
    PrefixList { prefix_list_id: String, prefix_list_name: String, owner_id: String, max_entries: u64, cidrs: Vec<String> }
    /// get-managed-prefix-list-entries
    Entry { cidr: String }
    /// describe-vpc-endpoints; the casing of State varies
    Endpoint { vpc_endpoint_type: String, vpc_id: String, service_name: String, state: String }
    /// describe-vpc-peering-connections
    Peering { status: PeeringStatus, requester_vpc_info: PeeringSide, accepter_vpc_info: PeeringSide }
    PeeringStatus { code: String }
    PeeringSide { vpc_id: String, region: Option<String> }
    /// describe-transit-gateways
    TransitGateway { transit_gateway_id: String, options: TransitGatewayOptions }
    /// describe-transit-gateway-vpc-attachments
    TransitGatewayVpcAttachment { transit_gateway_id: String, vpc_id: String, state: String, options: TransitGatewayOptions }
    TransitGatewayOptions { security_group_referencing_support: String }
    /// describe-nat-gateways
    NatGateway { nat_gateway_addresses: Vec<NatGatewayAddress> }
    NatGatewayAddress { network_interface_id: Option<String> }
    /// describe-route-tables
    RouteTable { vpc_id: String, associations: Vec<RouteTableAssociation>, routes: Vec<Route> }
    RouteTableAssociation { main: bool, subnet_id: Option<String> }
    Route { destination_cidr_block: Option<String>, destination_ipv6_cidr_block: Option<String>, gateway_id: Option<String>,
            network_interface_id: Option<String>, instance_id: Option<String> }
    /// describe-security-group-vpc-associations
    GroupVpc { group_id: String, vpc_id: String, state: String }
    /// describe-flow-logs
    FlowLog { flow_log_id: String, log_format: String }
    /// describe-instances
    Reservation { instances: Vec<Instance> }
    Instance { instance_id: String, tags: Vec<Tag> }
}

/// `manifest.json` of a snapshot that `closegate collect` made.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    /// Unix seconds.
    pub(super) collected_at: u64,
    #[serde(default)]
    pub(super) refused: Vec<Refused>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) operation: String,
    pub(super) code: String,
    pub(super) cost: String,
}

/// One entry of ip-ranges.json (aws-ip-syntax.html).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ServicePrefix {
    #[serde(alias = "ipv6_prefix")]
    pub(super) ip_prefix: String,
    pub(super) service: String,
    #[serde(default)]
    pub(super) region: String,
}

/// The value of the `Name` tag, or nothing.
pub(super) fn name_tag(tags: &[Tag]) -> String {
    tags.iter()
        .find(|tag| tag.key == "Name")
        .map(|tag| tag.value.clone())
        .unwrap_or_default()
}
