"""Makes an organization in an emulator, with a VPC and an interface in each account, and prints its accounts by name.

    organization_estate.py URL ACTIVE

There are ACTIVE accounts beside the management account, and one more, which is closed.
"""

import json
import sys

import boto3


def client(url, service, credentials=None):
    key, secret, token = credentials or ("test", "test", None)
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def in_account(url, number):
    role = f"arn:aws:iam::{number}:role/setup"
    said = client(url, "sts").assume_role(RoleArn=role, RoleSessionName="setup")["Credentials"]
    return client(url, "ec2", (said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"]))


def furnish(ec2, second):
    vpc = ec2.create_vpc(CidrBlock=f"10.{second}.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{second}.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="app", Description="app", VpcId=vpc)["GroupId"]
    ec2.create_network_interface(SubnetId=subnet, Groups=[group])
    ec2.create_managed_prefix_list(PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[])


def main(url, active):
    organizations = client(url, "organizations")
    made = organizations.create_organization(FeatureSet="ALL")["Organization"]
    accounts = {"management": made["MasterAccountId"]}
    for name in [f"team-{number}" for number in range(int(active))] + ["closed"]:
        status = organizations.create_account(Email=f"{name}@example.com", AccountName=name)["CreateAccountStatus"]
        accounts[name] = status["AccountId"]
    organizations.close_account(AccountId=accounts["closed"])
    furnish(client(url, "ec2"), 0)
    for number, name in enumerate([name for name in accounts if name.startswith("team-")][:3]):
        furnish(in_account(url, accounts[name]), number + 1)
    print(json.dumps(accounts))


main(*sys.argv[1:])
