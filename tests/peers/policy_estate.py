"""Changes the account that ec2_estate.py made, as an account changes while a team keeps a policy.

    policy_estate.py URL first          a third group, `old`, with an interface
    policy_estate.py URL second         `old` goes; another group called `web` comes, in the other VPC
    policy_estate.py URL open GROUP     somebody opens a group by hand
"""

import sys

from ec2_estate import client


def vpc(ec2, cidr):
    found = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": [cidr]}])["Vpcs"]
    return found[0]["VpcId"]


def group_with_interface(ec2, name, vpc_id, subnet):
    group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)["GroupId"]
    ec2.create_network_interface(SubnetId=subnet, Groups=[group], Description=f"member of {group}")


def first(ec2):
    vpc_id = vpc(ec2, "10.0.0.0/16")
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Subnets"]
    group_with_interface(ec2, "old", vpc_id, subnets[0]["SubnetId"])


def second(ec2):
    old = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["old"]}])
    old = old["SecurityGroups"][0]["GroupId"]
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [old]}])
    for interface in interfaces["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=old)
    vpc_id = vpc(ec2, "10.1.0.0/16")
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    group_with_interface(ec2, "web", vpc_id, subnet)


def open_group(ec2, group):
    everybody = [{"CidrIp": "0.0.0.0/0"}]
    ec2.authorize_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": everybody}]
    )


if __name__ == "__main__":
    url, what, *rest = sys.argv[1:]
    {"first": first, "second": second, "open": open_group}[what](client(url), *rest)
