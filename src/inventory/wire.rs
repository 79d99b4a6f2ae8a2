//! The JSON that `aws ec2 describe-*` prints, as far as it is needed.
//!
//! AWS leaves members out, prints them empty, or prints null, and means the same: what `may` be there has a default.
//! What `must` be there is what AWS always prints and closegate can't do without. Members that are not listed are
//! passed over. Shapes: the AWS CLI reference, one page per command.

#![expect(
    clippy::struct_field_names,
    reason = "the API repeats the resource's name in its fields"
)]

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::json::{JsonPath, Misfit, Wire, may, must, object};
use super::rules::{Rule, RulePorts, RuleProtocol, Target, services};
use crate::documents::Direction;
use crate::net::Protocol;

macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($field:ident = $($key:literal)|+: $how:ident $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name {
            $(pub(super) $field: $kind,)*
        }

        impl Wire for $name {
            fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
                let mut object = object(value, at)?;
                Ok(Self { $($field: $how(&mut object, &[$($key),+], at)?,)* })
            }

            fn sort(&mut self) {
                $(self.$field.sort();)*
            }
        }
    )*};
}

wire! {
    /// describe-security-groups
    Group {
        group_id = "GroupId": must String, group_name = "GroupName": may String, owner_id = "OwnerId": may String,
        vpc_id = "VpcId": may String, tags = "Tags": may Vec<Tag>,
        ip_permissions = "IpPermissions": may Option<Vec<Permission>>, ip_permissions_egress = "IpPermissionsEgress": may Option<Vec<Permission>>,
    }
    Tag { key = "Key": may String, value = "Value": may String }
    /// One entry of `IpPermissions` as it is printed: `-1` has no ports here, and has -1/-1 in describe-security-group-rules.
    PrintedPermission {
        ip_protocol = "IpProtocol": must String, from_port = "FromPort": may Option<i64>, to_port = "ToPort": may Option<i64>,
        ip_ranges = "IpRanges": may Vec<IpRange>, ipv6_ranges = "Ipv6Ranges": may Vec<Ipv6Range>,
        prefix_list_ids = "PrefixListIds": may Vec<PrefixListRef>, user_id_group_pairs = "UserIdGroupPairs": may Vec<GroupPair>,
    }
    IpRange { cidr_ip = "CidrIp": must IpNet, description = "Description": may String }
    Ipv6Range { cidr_ipv6 = "CidrIpv6": must IpNet, description = "Description": may String }
    PrefixListRef { prefix_list_id = "PrefixListId": must String, description = "Description": may String }
    /// A group as rules name it; one of another VPC or account with where it is.
    GroupPair {
        group_id = "GroupId": must String, description = "Description": may String, user_id = "UserId": may String, vpc_id = "VpcId": may String,
        vpc_peering_connection_id = "VpcPeeringConnectionId": may String, peering_status = "PeeringStatus": may String,
    }
    /// describe-security-group-rules, as it is printed
    PrintedRule {
        security_group_rule_id = "SecurityGroupRuleId": must String, group_id = "GroupId": must String, is_egress = "IsEgress": must bool,
        ip_protocol = "IpProtocol": must String, from_port = "FromPort": may Option<i64>, to_port = "ToPort": may Option<i64>,
        cidr_ipv4 = "CidrIpv4": may Option<IpNet>, cidr_ipv6 = "CidrIpv6": may Option<IpNet>, prefix_list_id = "PrefixListId": may Option<String>,
        referenced_group_info = "ReferencedGroupInfo": may Option<GroupPair>, description = "Description": may String,
        tags = "Tags": may Vec<Tag>,
    }
    /// describe-network-interfaces; tags are in `TagSet` here and nowhere else. Ours are the time until which the interface
    /// was not there, the time from which it no longer was, and the time of the snapshot, in Unix seconds; `closegate collect` writes the
    /// second.
    Interface {
        network_interface_id = "NetworkInterfaceId": must String, interface_type = "InterfaceType": may String, description = "Description": may String,
        vpc_id = "VpcId": may String, subnet_id = "SubnetId": may String, availability_zone = "AvailabilityZone": may String,
        private_ip_address = "PrivateIpAddress": may Option<IpAddr>, private_ip_addresses = "PrivateIpAddresses": may Vec<PrivateAddress>,
        ipv4_prefixes = "Ipv4Prefixes": may Vec<Ipv4Prefix>, ipv6_addresses = "Ipv6Addresses": may Vec<Ipv6Address>,
        ipv6_prefixes = "Ipv6Prefixes": may Vec<Ipv6Prefix>, groups = "Groups": may Option<Vec<GroupRef>>, attachment = "Attachment": may Option<Attachment>,
        tag_set = "TagSet" | "Tags": may Vec<Tag>, association = "Association": may Option<Association>,
        absent_until = "ClosegateAbsentUntil": may Option<u64>, gone_at = "ClosegateGoneAt" | "ClosegateLastSeen": may Option<u64>,
        seen_at = "ClosegateSeenAt": may Option<u64>,
    }
    PrivateAddress { private_ip_address = "PrivateIpAddress": must IpAddr, primary = "Primary": may bool, association = "Association": may Option<Association> }
    Association { public_ip = "PublicIp": may Option<IpAddr> }
    Ipv4Prefix { ipv4_prefix = "Ipv4Prefix": must IpNet }
    Ipv6Address { ipv6_address = "Ipv6Address": must IpAddr }
    Ipv6Prefix { ipv6_prefix = "Ipv6Prefix": must IpNet }
    GroupRef { group_id = "GroupId": must String, group_name = "GroupName": may String }
    Attachment { instance_id = "InstanceId": may Option<String> }
    /// describe-vpcs
    Vpc {
        vpc_id = "VpcId": must String, cidr_block = "CidrBlock": may Option<IpNet>,
        cidr_block_association_set = "CidrBlockAssociationSet": may Vec<CidrBlock>,
        ipv6_cidr_block_association_set = "Ipv6CidrBlockAssociationSet": may Vec<Ipv6CidrBlock>,
    }
    Ipv6CidrBlock { ipv6_cidr_block = "Ipv6CidrBlock": may Option<IpNet> }
    CidrBlock { cidr_block = "CidrBlock": may Option<IpNet> }
    /// describe-subnets
    Subnet {
        subnet_id = "SubnetId": must String, vpc_id = "VpcId": may String, owner_id = "OwnerId": may String,
        cidr_block = "CidrBlock": may Option<IpNet>,
    }
    /// describe-managed-prefix-lists, and describe-prefix-lists, which has the CIDRs inline
    PrefixList {
        prefix_list_id = "PrefixListId": must String, prefix_list_name = "PrefixListName": may String, owner_id = "OwnerId": may String,
        address_family = "AddressFamily": may String, max_entries = "MaxEntries": may u64, version = "Version": may u64, cidrs = "Cidrs": may Vec<IpNet>,
    }
    /// get-managed-prefix-list-entries
    Entry { cidr = "Cidr": must IpNet }
    /// describe-vpc-endpoints; the casing of State varies
    Endpoint {
        vpc_endpoint_id = "VpcEndpointId": may Option<String>, vpc_endpoint_type = "VpcEndpointType": may String, vpc_id = "VpcId": must String,
        service_name = "ServiceName": may String, state = "State": may String,
    }
    /// describe-vpc-peering-connections
    Peering {
        vpc_peering_connection_id = "VpcPeeringConnectionId": may Option<String>, status = "Status": may PeeringStatus,
        requester_vpc_info = "RequesterVpcInfo": must PeeringSide, accepter_vpc_info = "AccepterVpcInfo": must PeeringSide,
    }
    #[derive(Default)]
    PeeringStatus { code = "Code": may String }
    PeeringSide {
        vpc_id = "VpcId": must String, owner_id = "OwnerId": may String, region = "Region": may Option<String>,
        cidr_block = "CidrBlock": may Option<IpNet>,
        cidr_block_set = "CidrBlockSet": may Vec<CidrBlock>, ipv6_cidr_block_set = "Ipv6CidrBlockSet": may Vec<Ipv6CidrBlock>,
    }
    /// describe-transit-gateways
    TransitGateway { transit_gateway_id = "TransitGatewayId": must String, options = "Options": may TransitGatewayOptions }
    /// describe-transit-gateway-vpc-attachments
    TransitGatewayVpcAttachment {
        transit_gateway_attachment_id = "TransitGatewayAttachmentId": may Option<String>, transit_gateway_id = "TransitGatewayId": must String,
        vpc_id = "VpcId": must String, state = "State": may String, options = "Options": may TransitGatewayOptions,
    }
    #[derive(Default)]
    TransitGatewayOptions { security_group_referencing_support = "SecurityGroupReferencingSupport": may String }
    /// describe-nat-gateways
    NatGateway { nat_gateway_id = "NatGatewayId": may Option<String>, nat_gateway_addresses = "NatGatewayAddresses": may Vec<NatGatewayAddress> }
    NatGatewayAddress { network_interface_id = "NetworkInterfaceId": may Option<String> }
    /// describe-route-tables
    RouteTable {
        route_table_id = "RouteTableId": may Option<String>, vpc_id = "VpcId": must String,
        associations = "Associations": may Vec<RouteTableAssociation>, routes = "Routes": may Vec<Route>,
    }
    RouteTableAssociation { main = "Main": may bool, subnet_id = "SubnetId": may Option<String> }
    Route {
        destination_cidr_block = "DestinationCidrBlock": may Option<IpNet>, destination_ipv6_cidr_block = "DestinationIpv6CidrBlock": may Option<IpNet>,
        gateway_id = "GatewayId": may Option<String>, network_interface_id = "NetworkInterfaceId": may Option<String>,
        instance_id = "InstanceId": may Option<String>,
    }
    /// elbv2 describe-load-balancers
    LoadBalancer { load_balancer_arn = "LoadBalancerArn": must String, kind = "Type": may String }
    /// elbv2 describe-target-groups
    TargetGroup {
        target_group_arn = "TargetGroupArn": must String, protocol = "Protocol": may String, port = "Port": may Option<i64>,
        target_type = "TargetType": may String, load_balancer_arns = "LoadBalancerArns": may Vec<String>,
    }
    /// elbv2 describe-target-group-attributes, which does not print the target group
    TargetGroupAttribute { key = "Key": must String, value = "Value": may String }
    /// elbv2 describe-target-health, likewise
    TargetHealth { target = "Target": must RegisteredTarget }
    RegisteredTarget { id = "Id": must String, port = "Port": may Option<i64> }
    /// describe-security-group-vpc-associations
    GroupVpc { group_id = "GroupId": must String, vpc_id = "VpcId": must String, state = "State": may String }
    /// describe-flow-logs
    FlowLog {
        flow_log_id = "FlowLogId": must String, log_format = "LogFormat": may String, resource_id = "ResourceId": may String,
        traffic_type = "TrafficType": may String, flow_log_status = "FlowLogStatus": may String, deliver_logs_status = "DeliverLogsStatus": may String,
        max_aggregation_interval = "MaxAggregationInterval": may Option<u64>,
    }
    /// describe-instances
    Reservation { instances = "Instances": may Vec<Instance> }
    Instance { instance_id = "InstanceId": must String, tags = "Tags": may Vec<Tag> }
    /// One entry of ip-ranges.json (aws-ip-syntax.html).
    ServicePrefix { ip_prefix = "ip_prefix" | "ipv6_prefix": must IpNet, service = "service": must String, region = "region": may String }
    /// `manifest.json` of a snapshot that `closegate collect` made; its time is in Unix seconds.
    Manifest {
        schema_version = "schema_version": may Option<u64>, collected_at = "collected_at": must u64, refused = "refused": may Vec<Refused>,
        accounts = "accounts": may Vec<MemberAccount>,
    }
    /// An account of the organization that a snapshot is of.
    MemberAccount {
        account = "account": must String, name = "name": may String, state = "state": may String, operation = "operation": may String,
        code = "code": may String,
    }
    Refused {
        account = "account": must String, region = "region": must String, operation = "operation": must String,
        code = "code": may String, cost = "cost": may String,
    }
}

/// One entry of `IpPermissions`: services, and the targets with their descriptions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Permission {
    pub(super) protocol: RuleProtocol,
    pub(super) ports: RulePorts,
    pub(super) targets: Vec<(Target, String)>,
    /// The groups among the targets, with where they are.
    pub(super) pairs: Vec<GroupPair>,
}

impl Wire for Permission {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        let PrintedPermission {
            ip_protocol,
            from_port,
            to_port,
            ip_ranges,
            ipv6_ranges,
            prefix_list_ids,
            user_id_group_pairs,
        } = PrintedPermission::read(value, at)?;
        let (protocol, ports) = printed_services(&ip_protocol, from_port, to_port, at)?;
        let v4 = ip_ranges
            .into_iter()
            .map(|r| (Target::Cidr(r.cidr_ip), r.description));
        let v6 = ipv6_ranges
            .into_iter()
            .map(|r| (Target::Cidr(r.cidr_ipv6), r.description));
        let lists = prefix_list_ids
            .into_iter()
            .map(|r| (Target::PrefixList(r.prefix_list_id), r.description));
        let groups = user_id_group_pairs
            .iter()
            .map(|r| (Target::Group(r.group_id.clone()), r.description.clone()));
        let targets: Vec<_> = v4.chain(v6).chain(lists).chain(groups).collect();
        if targets.is_empty() {
            return Err(at.wrong("names no target: IpRanges, Ipv6Ranges, PrefixListIds and UserIdGroupPairs are empty"));
        }
        Ok(Self {
            protocol,
            ports,
            targets,
            pairs: user_id_group_pairs,
        })
    }

    fn sort(&mut self) {
        self.targets.sort_unstable();
        self.pairs.sort_unstable();
    }
}

/// One row of describe-security-group-rules: a rule, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupRule {
    pub(super) group_id: String,
    pub(super) rule: Rule,
    /// The group that it names, with where that is.
    pub(super) pair: Option<GroupPair>,
}

impl Wire for GroupRule {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        let PrintedRule {
            security_group_rule_id,
            group_id,
            is_egress,
            ip_protocol,
            from_port,
            to_port,
            cidr_ipv4,
            cidr_ipv6,
            prefix_list_id,
            referenced_group_info,
            description,
            tags,
        } = PrintedRule::read(value, at)?;
        let (protocol, ports) = printed_services(&ip_protocol, from_port, to_port, at)?;
        let addresses = cidr_ipv4.into_iter().chain(cidr_ipv6).map(Target::Cidr);
        let list = prefix_list_id.map(Target::PrefixList);
        let group = referenced_group_info.as_ref();
        let group = group.map(|group| Target::Group(group.group_id.clone()));
        let mut targets = addresses.chain(list).chain(group);
        let (Some(target), None) = (targets.next(), targets.next()) else {
            return Err(at.wrong(
                "doesn't name exactly one target: CidrIpv4, CidrIpv6, PrefixListId or ReferencedGroupInfo",
            ));
        };
        let tags = tags.into_iter().map(|tag| (tag.key, tag.value));
        let mut tags: Vec<(String, String)> =
            tags.filter(|(key, _)| !key.starts_with("aws:")).collect();
        tags.sort_unstable();
        let direction = if is_egress {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        Ok(Self {
            group_id,
            rule: Rule {
                direction,
                protocol,
                ports,
                target,
                rule_id: Some(security_group_rule_id),
                description,
                tags,
            },
            pair: referenced_group_info,
        })
    }
}

/// As [`services`], and stricter: AWS prints the type and code of every `icmp` rule, so a rule without them is damaged.
fn printed_services(
    protocol: &str,
    from: Option<i64>,
    to: Option<i64>,
    at: JsonPath<'_>,
) -> Result<(RuleProtocol, RulePorts), Misfit> {
    let read =
        services(protocol, from, to).map_err(|wrong| at.key(wrong.field).wrong(wrong.what))?;
    if read.0 == RuleProtocol::One(Protocol::ICMP) && from.is_none() {
        return Err(at.wrong("has no FromPort, the type of icmp; -1 stands for all of them"));
    }
    Ok(read)
}

/// The value of the `Name` tag, or nothing.
pub(super) fn name_tag(tags: &[Tag]) -> String {
    tags.iter()
        .find(|tag| tag.key == "Name")
        .map(|tag| tag.value.clone())
        .unwrap_or_default()
}
