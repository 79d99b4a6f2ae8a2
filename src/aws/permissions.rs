//! What credentials may call, asked of AWS by the calls themselves.
//!
//! EC2 answers a dry run with `DryRunOperation` where the call is permitted (`API_DescribeVpcs.html` and the others). Of other services
//! closegate asks for as little as the call can give. What would start a query is not called.

use aws_sdk_config::types::ResourceType;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use super::account::{Account, CallError};
use super::calls::{CALLS, Call, Caller};
use super::{collect, s3};
use crate::documents::{HeldTerm, Identity};

/// What AWS says of one call.
#[derive(Clone, Debug)]
pub struct HeldCall {
    /// The call.
    pub call: &'static Call,
    /// What it was about, where that is not everything: `s3://BUCKET/PREFIX`, a log group, a table.
    pub resource: Option<String>,
    /// What AWS says.
    pub held: HeldTerm,
    /// What it said in its own words, where that was not yes; why it was not asked. Hostile.
    pub reason: Option<String>,
}

/// Codes by which AWS says that a policy denies the call, and nothing else (EC2 and common error codes).
const DENIED: &[&str] = &[
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedAccess",
    "Forbidden",
];

/// The code of a dry run that is permitted.
const PERMITTED: &str = "DryRunOperation";

/// An answer, or why there is none.
type Said = Result<(), CallError>;

/// Who asks, and which of the calls of `collect inventory`, and of these flow sources, are permitted; in the order of
/// [`CALLS`]. Fails where AWS does not even say who asks.
pub fn held(account: &Account, sources: &[String]) -> Result<(Identity, Vec<HeldCall>), CallError> {
    account.wait(async {
        let identity = collect::identity(account).await?;
        let mut asked = Asked {
            account,
            calls: Vec::new(),
        };
        let of_snapshot = Caller::CollectInventory;
        asked.add(of_snapshot, "GetCallerIdentity", None, Ok(()));
        asked.compute().await;
        asked.balancers().await;
        asked.history().await;
        for source in sources {
            asked.source(source).await;
        }
        let Asked { mut calls, .. } = asked;
        // Stable: what was asked of several sources stays in their order.
        calls.sort_by_key(|held| {
            let is_it = |call: &Call| {
                call.command == held.call.command && call.operation == held.call.operation
            };
            CALLS.iter().position(is_it)
        });
        Ok((identity, calls))
    })
}

struct Asked<'a> {
    account: &'a Account,
    calls: Vec<HeldCall>,
}

impl Asked<'_> {
    fn add(&mut self, caller: Caller, operation: &str, resource: Option<&str>, said: Said) {
        let mut known = CALLS
            .iter()
            .filter(|call| call.command == caller && call.operation == operation);
        let call = known.next().expect("every call is in the table");
        let (held, reason) = match said {
            Ok(()) => (HeldTerm::Permitted, None),
            Err(CallError { code, message, .. }) => match code.as_deref() {
                Some(PERMITTED) => (HeldTerm::Permitted, None),
                Some(code) if DENIED.contains(&code) => (HeldTerm::Denied, Some(message)),
                _ => (HeldTerm::Unknown, Some(message)),
            },
        };
        self.calls.push(HeldCall {
            call,
            resource: resource.map(str::to_owned),
            held,
            reason,
        });
    }

    /// The calls of EC2, side by side.
    async fn compute(&mut self) {
        let client = aws_sdk_ec2::Client::new(&self.account.config);
        // AWS has a prefix list of its own in every region, and an id that there is not has another answer.
        let lists = client.describe_managed_prefix_lists().max_results(1);
        let lists = lists.send().await.ok();
        let list = lists
            .as_ref()
            .and_then(|said| said.prefix_lists().first()?.prefix_list_id());
        let list = list.unwrap_or("pl-00000000");
        let calls = CALLS.iter().filter(|call| call.service == "ec2");
        let operations: Vec<&'static str> = calls.map(|call| call.operation).collect();
        let asked = operations.iter().copied();
        let asked = asked.map(|operation| dry_run(&client, list, operation));
        let said = join_all(asked).await;
        for (operation, said) in operations.into_iter().zip(said) {
            self.add(Caller::CollectInventory, operation, None, said);
        }
    }

    async fn balancers(&mut self) {
        const BALANCERS: &str = "DescribeLoadBalancers";
        const GROUPS: &str = "DescribeTargetGroups";
        const OF_GROUP: [&str; 2] = ["DescribeTargetGroupAttributes", "DescribeTargetHealth"];
        let client = aws_sdk_elasticloadbalancingv2::Client::new(&self.account.config);
        let caller = Caller::CollectInventory;
        let said = client.describe_load_balancers().page_size(1).send().await;
        let said = said.map_err(|error| CallError::new(BALANCERS, &error));
        self.add(caller, BALANCERS, None, said.map(drop));
        let said = client.describe_target_groups().page_size(1).send().await;
        let said = said.map_err(|error| CallError::new(GROUPS, &error));
        let found = said.as_ref().ok();
        let group = found.and_then(|said| said.target_groups().first()?.target_group_arn());
        let said_of_group = match group {
            Some(arn) => {
                let attributes = client
                    .describe_target_group_attributes()
                    .target_group_arn(arn);
                let attributes = attributes.send().await.map(drop);
                let health = client.describe_target_health().target_group_arn(arn);
                let health = health.send().await.map(drop);
                [
                    attributes.map_err(|error| CallError::new(OF_GROUP[0], &error)),
                    health.map_err(|error| CallError::new(OF_GROUP[1], &error)),
                ]
            }
            None => OF_GROUP.map(|operation| not_asked(operation, "no target group")),
        };
        self.add(caller, GROUPS, None, said.map(drop));
        for (operation, said) in OF_GROUP.into_iter().zip(said_of_group) {
            self.add(caller, operation, None, said);
        }
    }

    async fn history(&mut self) {
        const LIST: &str = "ListDiscoveredResources";
        const GET: &str = "GetResourceConfigHistory";
        const EVENTS: &str = "LookupEvents";
        let client = aws_sdk_config::Client::new(&self.account.config);
        let interfaces = client
            .list_discovered_resources()
            .resource_type(ResourceType::NetworkInterface);
        let said = interfaces.limit(1).send().await;
        let said = said.map_err(|error| CallError::new(LIST, &error));
        let found = said.as_ref().ok();
        let id = found.and_then(|said| said.resource_identifiers().first()?.resource_id());
        let history = match id {
            Some(id) => {
                let history = client
                    .get_resource_config_history()
                    .resource_type(ResourceType::NetworkInterface)
                    .resource_id(id);
                let history = history.limit(1).send().await.map(drop);
                history.map_err(|error| CallError::new(GET, &error))
            }
            None => not_asked(GET, "no interface that AWS Config lists"),
        };
        self.add(Caller::History, LIST, None, said.map(drop));
        self.add(Caller::History, GET, None, history);
        let client = aws_sdk_cloudtrail::Client::new(&self.account.config);
        let said = client.lookup_events().max_results(1).send().await;
        let said = said.map_err(|error| CallError::new(EVENTS, &error));
        self.add(Caller::History, EVENTS, None, said.map(drop));
    }

    /// The calls of one flow source, as it was named.
    async fn source(&mut self, source: &str) {
        if source.starts_with("s3:") {
            for (operation, said) in s3::ask_little(self.account, source).await {
                self.add(Caller::S3, operation, Some(source), said);
            }
        } else if let Some(group) = source.strip_prefix("cloudwatch:") {
            self.log_group(group).await;
        } else if let Some(group) = source.strip_prefix("insights:") {
            self.not_queried(Caller::Insights, group);
        } else if let Some(table) = source.strip_prefix("athena:") {
            self.table(table).await;
        }
    }

    async fn log_group(&mut self, group: &str) {
        const STREAMS: &str = "DescribeLogStreams";
        const EVENTS: &str = "FilterLogEvents";
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.account.config);
        let streams = client.describe_log_streams().log_group_name(group).limit(1);
        let said = streams.send().await.map(drop);
        let said = said.map_err(|error| CallError::new(STREAMS, &error));
        self.add(Caller::CloudWatch, STREAMS, Some(group), said);
        // The first millisecond of 1970: there is nothing to search.
        let events = client.filter_log_events().log_group_name(group).limit(1);
        let said = events.start_time(0).end_time(1).send().await.map(drop);
        let said = said.map_err(|error| CallError::new(EVENTS, &error));
        self.add(Caller::CloudWatch, EVENTS, Some(group), said);
    }

    async fn table(&mut self, name: &str) {
        const METADATA: &str = "GetTableMetadata";
        if let Some((database, table)) = name.split_once('.') {
            let client = aws_sdk_athena::Client::new(&self.account.config);
            let asked = client
                .get_table_metadata()
                .catalog_name("AwsDataCatalog")
                .database_name(database)
                .table_name(table);
            let said = asked.send().await.map(drop);
            let said = said.map_err(|error| CallError::new(METADATA, &error));
            self.add(Caller::Athena, METADATA, Some(name), said);
        }
        self.not_queried(Caller::Athena, name);
    }

    /// The calls of an engine that are about queries.
    fn not_queried(&mut self, caller: Caller, resource: &str) {
        let calls = CALLS.iter().filter(|call| call.command == caller);
        let queries = calls.filter(|call| call.operation.contains("Query"));
        for call in queries {
            let said = not_asked(call.operation, "no query, and starting one costs");
            self.add(caller, call.operation, Some(resource), said);
        }
    }
}

fn not_asked(operation: &str, lack: &str) -> Said {
    Err(CallError::other(
        operation,
        format!("not asked: there is {lack}"),
    ))
}

/// Whether EC2 permits a call, by a dry run of it; `list` is a prefix list to ask about.
fn dry_run<'c>(
    client: &'c aws_sdk_ec2::Client,
    list: &'c str,
    operation: &'static str,
) -> BoxFuture<'c, Said> {
    macro_rules! ask {
        ($($name:literal => $call:ident $(.$set:ident($value:expr))*;)*) => {
            match operation {
                $($name => async move {
                    let said = client.$call()$(.$set($value))*.dry_run(true).send().await;
                    said.map(drop).map_err(|error| CallError::new(operation, &error))
                }.boxed(),)*
                other => async move { not_asked(other, "no dry run of it") }.boxed(),
            }
        };
    }
    ask! {
        "DescribeSecurityGroups" => describe_security_groups;
        "DescribeSecurityGroupRules" => describe_security_group_rules;
        "DescribeNetworkInterfaces" => describe_network_interfaces;
        "DescribeVpcs" => describe_vpcs;
        "DescribeSubnets" => describe_subnets;
        "DescribeManagedPrefixLists" => describe_managed_prefix_lists;
        "GetManagedPrefixListEntries" => get_managed_prefix_list_entries.prefix_list_id(list);
        "DescribeVpcEndpoints" => describe_vpc_endpoints;
        "DescribeVpcPeeringConnections" => describe_vpc_peering_connections;
        "DescribeNatGateways" => describe_nat_gateways;
        "DescribeRouteTables" => describe_route_tables;
        "DescribeFlowLogs" => describe_flow_logs;
        "DescribeInstances" => describe_instances;
        "DescribeTransitGateways" => describe_transit_gateways;
        "DescribeTransitGatewayVpcAttachments" => describe_transit_gateway_vpc_attachments;
        "DescribeSecurityGroupVpcAssociations" => describe_security_group_vpc_associations;
        "DescribeRegions" => describe_regions;
    }
}
