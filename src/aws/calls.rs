//! Every call to AWS that this program makes: what a policy has to allow, and what is lost
//! where it doesn't.

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What makes it.
    pub command: Caller,
    /// The service, as IAM names it.
    pub service: &'static str,
    /// The operation, as the API names it.
    pub operation: &'static str,
    /// The action that allows it, where that is not the operation's own name.
    pub action: Option<&'static str>,
    /// What it may touch, where that is not what the rest of its command may.
    pub resource: Option<&'static str>,
    /// What is lost without it; empty where nothing goes without.
    pub cost: &'static str,
}

/// What makes calls. One policy each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// `closegate collect inventory`
    CollectInventory,
    /// `closegate collect inventory --history`
    History,
    /// `closegate collect inventory --organization`, beside what it calls in the account that is signed in
    Organization,
    /// `--flows s3://…`, `--cloudtrail s3://…`
    S3,
    /// `--flows cloudwatch:…`
    CloudWatch,
    /// `--flows athena:…`
    Athena,
    /// `--flows insights:…`
    Insights,
}

impl Caller {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CollectInventory,
        Self::History,
        Self::Organization,
        Self::S3,
        Self::CloudWatch,
        Self::Athena,
        Self::Insights,
    ];

    /// What the file with its policy is called, without its ending.
    pub const fn policy(self) -> &'static str {
        match self {
            Self::CollectInventory => "collect-inventory",
            Self::History => "collect-history",
            Self::Organization => "collect-organization",
            Self::S3 => "flows-s3",
            Self::CloudWatch => "flows-cloudwatch",
            Self::Athena => "flows-athena",
            Self::Insights => "flows-insights",
        }
    }

    /// What its policy may touch; the reader puts the names in. Describe calls of EC2 know no
    /// resources (service authorization reference, Amazon EC2).
    const fn resources(self) -> &'static [&'static str] {
        match self {
            Self::CollectInventory | Self::History | Self::Organization | Self::Athena => &["*"],
            Self::S3 => &["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/PREFIX/*"],
            Self::CloudWatch | Self::Insights => {
                &["arn:aws:logs:REGION:ACCOUNT:log-group:LOG_GROUP:*"]
            }
        }
    }
}

const fn ec2(operation: &'static str, cost: &'static str) -> Call {
    Call {
        command: Caller::CollectInventory,
        service: "ec2",
        operation,
        action: None,
        resource: None,
        cost,
    }
}

/// A call to Elastic Load Balancing, version 2015-12-01.
const fn balancing(operation: &'static str) -> Call {
    Call {
        service: "elasticloadbalancing",
        ..ec2(
            operation,
            "which targets a Network Load Balancer stands before, and which of them see its clients' addresses, is inferred from the logs",
        )
    }
}

const fn call(command: Caller, service: &'static str, operation: &'static str) -> Call {
    Call {
        command,
        service,
        operation,
        action: None,
        resource: None,
        cost: "",
    }
}

/// The table. Actions: the service authorization reference.
pub const CALLS: &[Call] = &[
    ec2("DescribeSecurityGroups", ""),
    ec2("DescribeNetworkInterfaces", ""),
    ec2(
        "DescribeSecurityGroupRules",
        "rules can't be named by their sgr- id",
    ),
    ec2(
        "DescribeVpcs",
        "the Amazon DNS address of each VPC is unknown",
    ),
    ec2(
        "DescribeSubnets",
        "the address of each subnet's router is unknown",
    ),
    ec2(
        "DescribeManagedPrefixLists",
        "S3 and DynamoDB destinations become exact addresses, which change",
    ),
    ec2(
        "GetManagedPrefixListEntries",
        "what a prefix list holds is unknown, and rules with it prove nothing",
    ),
    ec2(
        "DescribeVpcEndpoints",
        "gateway endpoints are not recognised",
    ),
    ec2(
        "DescribeVpcPeeringConnections",
        "groups in other VPCs are reached by address instead of by reference",
    ),
    ec2(
        "DescribeNatGateways",
        "a NAT gateway is known by its interface's type only",
    ),
    ec2(
        "DescribeRouteTables",
        "middleboxes between subnets, which groups can't be named across, are not seen",
    ),
    ec2(
        "DescribeFlowLogs",
        "the format of logs without a header has to be given",
    ),
    ec2(
        "DescribeInstances",
        "interfaces are shown without their instance's name",
    ),
    ec2(
        "DescribeTransitGateways",
        "groups across a transit gateway are reached by address",
    ),
    ec2(
        "DescribeTransitGatewayVpcAttachments",
        "groups across a transit gateway are reached by address",
    ),
    ec2(
        "DescribeSecurityGroupVpcAssociations",
        "groups are taken to be used in their own VPC only",
    ),
    ec2("DescribeRegions", "only the configured region is collected"),
    balancing("DescribeLoadBalancers"),
    balancing("DescribeTargetGroups"),
    balancing("DescribeTargetGroupAttributes"),
    balancing("DescribeTargetHealth"),
    Call {
        cost: "",
        ..call(Caller::CollectInventory, "sts", "GetCallerIdentity")
    },
    Call {
        cost: "interfaces that are gone stay unknown",
        ..call(Caller::History, "config", "ListDiscoveredResources")
    },
    Call {
        cost: "interfaces that are gone stay unknown",
        ..call(Caller::History, "config", "GetResourceConfigHistory")
    },
    Call {
        cost: "which groups interfaces carried before stays unknown",
        ..call(Caller::History, "cloudtrail", "LookupEvents")
    },
    call(Caller::Organization, "organizations", "ListAccounts"),
    Call {
        resource: Some("arn:aws:iam::*:role/ROLE"),
        cost: "the account's groups and interfaces are unknown",
        ..call(Caller::Organization, "sts", "AssumeRole")
    },
    Call {
        action: Some("ListBucket"),
        ..call(Caller::S3, "s3", "ListObjectsV2")
    },
    Call {
        action: Some("ListBucket"),
        cost: "the bucket has to lie in the configured region",
        ..call(Caller::S3, "s3", "HeadBucket")
    },
    call(Caller::S3, "s3", "GetObject"),
    call(Caller::CloudWatch, "logs", "DescribeLogStreams"),
    call(Caller::CloudWatch, "logs", "FilterLogEvents"),
    call(Caller::Athena, "athena", "GetTableMetadata"),
    call(Caller::Athena, "athena", "StartQueryExecution"),
    call(Caller::Athena, "athena", "GetQueryExecution"),
    call(Caller::Athena, "athena", "GetQueryResults"),
    call(Caller::Athena, "athena", "StopQueryExecution"),
    call(Caller::Insights, "logs", "StartQuery"),
    call(Caller::Insights, "logs", "GetQueryResults"),
    call(Caller::Insights, "logs", "StopQuery"),
];

/// What an identity needs that makes the calls of a command, as a policy document
/// (`reference_policies_elements.html` of the IAM user guide).
pub fn policy(command: Caller) -> serde_json::Value {
    let calls = || CALLS.iter().filter(|call| call.command == command);
    let common: Vec<&Call> = calls().filter(|call| call.resource.is_none()).collect();
    let mut statements = vec![statement("Closegate", &common, command.resources())];
    for call in calls() {
        if let Some(resource) = call.resource {
            let sid = format!("Closegate{}", call.operation);
            statements.push(statement(&sid, &[call], &[resource]));
        }
    }
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": statements,
    })
}

fn statement(sid: &str, calls: &[&Call], resources: &[&str]) -> serde_json::Value {
    let mut actions: Vec<String> = calls
        .iter()
        .map(|call| format!("{}:{}", call.service, call.action.unwrap_or(call.operation)))
        .collect();
    actions.sort();
    actions.dedup();
    serde_json::json!({
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources,
    })
}

/// What is lost without an operation.
pub(crate) fn cost(operation: &str) -> &'static str {
    let known = CALLS.iter().find(|call| call.operation == operation);
    known.map_or("", |call| call.cost)
}
