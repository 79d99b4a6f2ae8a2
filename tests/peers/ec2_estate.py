"""Makes an account in an EC2 emulator, or compares a snapshot of one with what boto3 reads there.

    ec2_estate.py URL make INTERFACES
    ec2_estate.py URL compare SNAPSHOT

boto3 reads the same service model as the AWS CLI; so a snapshot that equals what it returns, times aside, is what
`aws ec2 describe-*` would have printed.
"""

import datetime
import json
import sys
from pathlib import Path

import boto3

CALLS = {
    "describe_security_groups": "SecurityGroups",
    "describe_security_group_rules": "SecurityGroupRules",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_vpcs": "Vpcs",
    "describe_subnets": "Subnets",
    "describe_managed_prefix_lists": "PrefixLists",
    "describe_vpc_endpoints": "VpcEndpoints",
    "describe_vpc_peering_connections": "VpcPeeringConnections",
    "describe_nat_gateways": "NatGateways",
    "describe_route_tables": "RouteTables",
    "describe_flow_logs": "FlowLogs",
    "describe_instances": "Reservations",
}


def client(url, service="ec2", region="us-east-1"):
    return boto3.client(
        service, endpoint_url=url, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
    )


def make(url, interfaces):
    ec2 = client(url)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    peer = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/20")["Subnet"]["SubnetId"]
    group = lambda name: ec2.create_security_group(GroupName=name, Description='for <b>"' + name, VpcId=vpc)["GroupId"]
    web, app = group("web"), group("app & co")
    pair = {"GroupId": web, "Description": "from the web"}
    ec2.authorize_security_group_ingress(
        GroupId=app, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8081, "UserIdGroupPairs": [pair]}]
    )
    prefix_list = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        MaxEntries=5,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "192.0.2.0/24", "Description": "x"}],
    )["PrefixList"]["PrefixListId"]
    lists = [{"PrefixListId": prefix_list}]
    ec2.authorize_security_group_egress(
        GroupId=web, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": lists}]
    )
    for number in range(int(interfaces)):
        ec2.create_network_interface(
            SubnetId=subnet, Groups=[web if number % 2 else app], Description=f"number {number}"
        )
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway")
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        SecurityGroupIds=[app],
    )
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)
    ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
    instances = ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[web]
    )
    instance = instances["Instances"][0]["InstanceId"]
    elb = client(url, "elbv2")
    balancer = elb.create_load_balancer(Name="front", Type="network", Subnets=[subnet])["LoadBalancers"][0]
    targets = elb.create_target_group(Name="app", Protocol="TCP", Port=8443, VpcId=vpc, TargetType="instance")
    arn = targets["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="TCP",
        Port=443,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": instance, "Port": 8443}])
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "preserve_client_ip.enabled", "Value": "true"}]
    )
    client(url, "s3").create_bucket(Bucket="flow-logs")
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::flow-logs",
        LogFormat="${version} ${interface-id} ${srcaddr}",
    )


def log_vpcs(url):
    """The default VPC of one region logs into a bucket, and that of another into a log group."""
    client(url, "s3").create_bucket(Bucket="logs")
    for region, destination in {
        "us-east-1": {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::logs/by-hand"},
        "eu-west-1": {
            "LogGroupName": "/vpc/all of it",
            "DeliverLogsPermissionArn": "arn:aws:iam::123456789012:role/flow-logs",
        },
    }.items():
        ec2 = client(url, region=region)
        client(url, "logs", region).create_log_group(logGroupName="/vpc/all of it")
        vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"]]
        ec2.create_flow_logs(ResourceIds=vpcs, ResourceType="VPC", TrafficType="ALL", **destination)


def same(expected, found, where):
    if isinstance(expected, dict):
        assert set(expected) == set(found), f"{where}: {sorted(set(expected) ^ set(found))}"
        for key in expected:
            same(expected[key], found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(expected) == len(found), f"{where}: {len(expected)} and {len(found)}"
        for number, (a, b) in enumerate(zip(expected, found)):
            same(a, b, f"{where}[{number}]")
    elif isinstance(expected, datetime.datetime):
        assert abs(expected - datetime.datetime.fromisoformat(found)) < datetime.timedelta(seconds=1), where
    else:
        assert expected == found and type(expected) is type(found), f"{where}: {expected!r} and {found!r}"


def compare(url, snapshot):
    ec2 = client(url)
    found = {}
    for path in Path(snapshot).glob("*/us-east-1/*.json"):
        content = json.loads(path.read_text())
        if "Entries" in content:
            entries = ec2.get_managed_prefix_list_entries(PrefixListId=content["PrefixListId"])["Entries"]
            same(entries, content["Entries"], path.name)
        elif "TargetGroupArn" not in content:
            found.update(content)
    for call, key in CALLS.items():
        pages = ec2.get_paginator(call).paginate()
        same([thing for page in pages for thing in page[key]], found[key], key)
    assert found["FlowLogs"] and found["Reservations"]


if __name__ == "__main__":
    url, what, *rest = sys.argv[1:]
    {"make": make, "log_vpcs": log_vpcs, "compare": compare}[what](url, *rest)
