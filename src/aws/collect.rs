//! A snapshot of the network configuration: every describe call that the inventory knows.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::account::{Account, CallError};
use super::calls::cost;
use super::{balancers, history, shapes, trail};
use crate::documents::SCHEMA_VERSION;
pub use crate::documents::{
    Answered, Identity, MemberAccount, MemberState, Refused, SnapshotManifest,
};

/// What was collected: files by path, and the account of it.
#[derive(Debug, Default)]
pub struct Collected {
    /// Path below the snapshot's directory, and content.
    pub files: Vec<(String, Value)>,
    /// The account of it.
    pub manifest: SnapshotManifest,
}

impl Refused {
    fn new(account: &str, region: &str, operation: &'static str, error: CallError) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            operation,
            code: error.code.unwrap_or_default(),
            cost: cost(operation),
        }
    }
}

/// What an operation's answers are collected under: its key in the CLI's JSON, its file, and
/// the most things that a page may hold (the API reference, one page per operation).
struct Describe {
    operation: &'static str,
    key: &'static str,
    file: &'static str,
    page: i32,
}

const fn describe(
    operation: &'static str,
    key: &'static str,
    file: &'static str,
    page: i32,
) -> Describe {
    Describe {
        operation,
        key,
        file,
        page,
    }
}

const DESCRIBES: &[Describe] = &[
    describe(
        "DescribeSecurityGroups",
        "SecurityGroups",
        "security-groups",
        1000,
    ),
    describe(
        "DescribeSecurityGroupRules",
        "SecurityGroupRules",
        "security-group-rules",
        1000,
    ),
    describe(
        "DescribeNetworkInterfaces",
        "NetworkInterfaces",
        "network-interfaces",
        1000,
    ),
    describe("DescribeVpcs", "Vpcs", "vpcs", 1000),
    describe("DescribeSubnets", "Subnets", "subnets", 1000),
    describe(
        "DescribeManagedPrefixLists",
        "PrefixLists",
        "managed-prefix-lists",
        100,
    ),
    describe(
        "DescribeVpcEndpoints",
        "VpcEndpoints",
        "vpc-endpoints",
        1000,
    ),
    describe(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections",
        "vpc-peering-connections",
        1000,
    ),
    describe("DescribeNatGateways", "NatGateways", "nat-gateways", 1000),
    describe("DescribeRouteTables", "RouteTables", "route-tables", 100),
    describe("DescribeFlowLogs", "FlowLogs", "flow-logs", 1000),
    describe("DescribeInstances", "Reservations", "instances", 1000),
    describe(
        "DescribeTransitGateways",
        "TransitGateways",
        "transit-gateways",
        1000,
    ),
    describe(
        "DescribeTransitGatewayVpcAttachments",
        "TransitGatewayVpcAttachments",
        "transit-gateway-vpc-attachments",
        1000,
    ),
    describe(
        "DescribeSecurityGroupVpcAssociations",
        "SecurityGroupVpcAssociations",
        "security-group-vpc-associations",
        1000,
    ),
];

const ENTRIES: Describe = describe(
    "GetManagedPrefixListEntries",
    "Entries",
    "managed-prefix-list-entries",
    100,
);

/// Without these there is nothing to conclude from.
const NEEDED: [&str; 2] = ["DescribeSecurityGroups", "DescribeNetworkInterfaces"];

/// Calls under way at a time in one region: below the rate at which EC2's buckets of
/// non-mutating actions are filled again (throttling.html of the EC2 API reference).
const AT_ONCE: usize = 8;

/// Collects the regions that are named, or all that are enabled; with `history`, also interfaces
/// that are gone and that AWS Config remembers, and CloudTrail's events about interfaces and rules. `progress` is told of every
/// page: the region, the operation and its number of things.
pub fn collect(
    account: &Account,
    regions: &[String],
    history: bool,
    now: u64,
    progress: impl Fn(&str, &str, usize) + Send + Sync + 'static,
) -> Result<Collected, CallError> {
    let progress: Arc<Progress> = Arc::new(progress);
    account.wait(snapshot(account, regions, history, now, &progress))
}

/// The same, for whoever collects several accounts at once.
pub(super) async fn snapshot(
    account: &Account,
    regions: &[String],
    history: bool,
    now: u64,
    progress: &Arc<Progress>,
) -> Result<Collected, CallError> {
    let identity = identity(account).await?;
    let mut manifest = SnapshotManifest {
        schema_version: SCHEMA_VERSION,
        collected_at: now,
        ..SnapshotManifest::default()
    };
    let regions = match regions {
        [] => enabled_regions(account, &identity, &mut manifest).await?,
        named => named.to_vec(),
    };
    let mut collected = Collected {
        manifest,
        ..Collected::default()
    };
    let mut tasks = JoinSet::new();
    for region in regions {
        if history {
            let (account, region, identity) = (account.clone(), region.clone(), identity.clone());
            let events = (account.clone(), region.clone(), identity.account.clone());
            tasks.spawn(async move { remembered(&account, &identity.account, &region).await });
            tasks.spawn(async move { trail_of(&events.0, &events.2, &events.1).await });
        }
        let parts = (account.clone(), identity.account.clone(), region.clone());
        let told = Arc::clone(progress);
        tasks.spawn(async move { balancers_of(&parts.0, &parts.1, &parts.2, &told).await });
        let region = Region {
            client: Client::new(&account.in_region(&region)),
            account: identity.account.clone(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            progress: Arc::clone(progress),
            name: region,
        };
        tasks.spawn(async move { region.collect().await });
    }
    // Dropping the set ends what is still under way.
    while let Some(done) = tasks.join_next().await {
        let part = done.map_err(|error| CallError::other("collecting", error.to_string()))??;
        collected.add(part);
    }
    collected.manifest.identities.push(identity);
    for operation in NEEDED {
        let manifest = &collected.manifest;
        if !manifest
            .calls
            .iter()
            .any(|call| call.operation == operation)
            && let Some(refused) = manifest
                .refused
                .iter()
                .find(|call| call.operation == operation)
        {
            return Err(CallError {
                operation: operation.to_owned(),
                code: Some(refused.code.clone()),
                message: format!(
                    "{}: refused everywhere, and nothing can be concluded without it",
                    refused.code
                ),
            });
        }
    }
    collected.sort();
    Ok(collected)
}

impl Collected {
    /// Adds what was collected elsewhere.
    pub fn add(&mut self, other: Self) {
        let SnapshotManifest {
            schema_version,
            tool: _,
            files: _,
            collected_at,
            identities,
            calls,
            refused,
            accounts,
        } = other.manifest;
        self.files.extend(other.files);
        let manifest = &mut self.manifest;
        manifest.schema_version = manifest.schema_version.max(schema_version);
        // The snapshot is as old as its oldest part.
        if manifest.collected_at == 0 || (collected_at != 0 && collected_at < manifest.collected_at)
        {
            manifest.collected_at = collected_at;
        }
        manifest.identities.extend(identities);
        manifest.calls.extend(calls);
        manifest.refused.extend(refused);
        manifest.accounts.extend(accounts);
        self.sort();
    }

    /// Names the files in the manifest.
    pub(super) fn list_files(&mut self) {
        self.manifest.files = self.files.iter().map(|(path, _)| path.clone()).collect();
    }

    fn sort(&mut self) {
        self.files.sort_by(|a, b| a.0.cmp(&b.0));
        self.list_files();
        self.manifest.identities.sort();
        self.manifest.identities.dedup();
        self.manifest.calls.sort();
        self.manifest.refused.sort();
        self.manifest.accounts.sort();
    }
}

pub(super) async fn identity(account: &Account) -> Result<Identity, CallError> {
    let sts = aws_sdk_sts::Client::new(&account.config);
    let said = sts
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| CallError::new("GetCallerIdentity", &error))?;
    Ok(Identity {
        account: said.account.unwrap_or_default(),
        arn: said.arn.unwrap_or_default(),
    })
}

async fn enabled_regions(
    account: &Account,
    identity: &Identity,
    manifest: &mut SnapshotManifest,
) -> Result<Vec<String>, CallError> {
    const OPERATION: &str = "DescribeRegions";
    let said = Client::new(&account.config).describe_regions().send().await;
    let here = account.region().unwrap_or_default().to_owned();
    match said.map_err(|error| CallError::new(OPERATION, &error)) {
        Ok(said) => {
            let regions = said.regions.unwrap_or_default();
            Ok(regions
                .into_iter()
                .filter_map(|region| region.region_name)
                .collect())
        }
        Err(error) if error.is_refusal() => {
            manifest
                .refused
                .push(Refused::new(&identity.account, &here, OPERATION, error));
            Ok(vec![here])
        }
        Err(error) => Err(error),
    }
}

/// The interfaces that are gone. Where AWS Config does not record there are none to find.
async fn remembered(account: &Account, number: &str, region: &str) -> Result<Collected, CallError> {
    const OPERATION: &str = "GetResourceConfigHistory";
    let mut collected = Collected::default();
    match history::gone(account, region).await {
        Ok(interfaces) => {
            collected.manifest.calls.push(Answered {
                account: number.to_owned(),
                region: region.to_owned(),
                operation: OPERATION,
                pages: interfaces.len(),
                items: interfaces.len(),
            });
            let path = format!("{number}/{region}/network-interfaces-gone.json");
            let content = serde_json::json!({ "NetworkInterfaces": interfaces });
            collected.files.push((path, content));
        }
        Err(error) if error.is_refusal() => collected
            .manifest
            .refused
            .push(Refused::new(number, region, OPERATION, error)),
        Err(error) => return Err(error),
    }
    Ok(collected)
}

/// Load balancers and their targets.
async fn balancers_of(
    account: &Account,
    number: &str,
    region: &str,
    progress: &Arc<Progress>,
) -> Result<Collected, CallError> {
    let (answers, refused) = balancers::collect(account, region).await?;
    let mut collected = Collected::default();
    let manifest = &mut collected.manifest;
    for (operation, error) in refused {
        let refused = Refused::new(number, region, operation, error);
        manifest.refused.push(refused);
    }
    for answer in answers {
        progress(region, answer.operation, answer.items);
        let path = format!("{number}/{region}/{}.json", answer.file);
        collected.files.push((path, answer.content));
        let same = |call: &&mut Answered| call.operation == answer.operation;
        match manifest.calls.iter_mut().find(same) {
            // One call for each target group.
            Some(call) => {
                call.pages += answer.pages;
                call.items += answer.items;
            }
            None => manifest.calls.push(Answered {
                account: number.to_owned(),
                region: region.to_owned(),
                operation: answer.operation,
                pages: answer.pages,
                items: answer.items,
            }),
        }
    }
    Ok(collected)
}

/// What CloudTrail remembers of interfaces and rules.
async fn trail_of(account: &Account, number: &str, region: &str) -> Result<Collected, CallError> {
    let mut collected = Collected::default();
    match trail::records(account, region).await {
        Ok((records, pages)) => {
            collected.manifest.calls.push(Answered {
                account: number.to_owned(),
                region: region.to_owned(),
                operation: trail::OPERATION,
                pages,
                items: records.len(),
            });
            let path = format!("{number}/{region}/cloudtrail.json");
            let content = serde_json::json!({ "Records": records });
            collected.files.push((path, content));
        }
        Err(error) if error.is_refusal() => {
            collected
                .manifest
                .refused
                .push(Refused::new(number, region, trail::OPERATION, error));
        }
        Err(error) => return Err(error),
    }
    Ok(collected)
}

/// What is told of every page.
pub(super) type Progress = dyn Fn(&str, &str, usize) + Send + Sync;

/// One region of one account.
struct Region {
    client: Client,
    account: String,
    name: String,
    at_once: Arc<Semaphore>,
    progress: Arc<Progress>,
}

impl Region {
    async fn collect(self) -> Result<Collected, CallError> {
        let region = Arc::new(self);
        let mut collected = Collected::default();
        let mut tasks = JoinSet::new();
        for describe in DESCRIBES {
            let region = Arc::clone(&region);
            tasks.spawn(async move { (describe, None, region.pages(describe, None).await) });
        }
        while let Some(done) = tasks.join_next().await {
            let (describe, list, pages): (&Describe, Option<String>, _) =
                done.map_err(|error| CallError::other("collecting", error.to_string()))?;
            let Pages { things, count } = match pages {
                Ok(pages) => pages,
                Err(error) if error.is_refusal() => {
                    collected.manifest.refused.push(Refused::new(
                        &region.account,
                        &region.name,
                        describe.operation,
                        error,
                    ));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if describe.key == "PrefixLists" {
                for list in things
                    .iter()
                    .filter_map(|list| list.get("PrefixListId")?.as_str())
                {
                    let (region, list) = (Arc::clone(&region), list.to_owned());
                    tasks.spawn(async move {
                        let pages = region.pages(&ENTRIES, Some(&list)).await;
                        (&ENTRIES, Some(list), pages)
                    });
                }
            }
            collected.manifest.calls.push(Answered {
                account: region.account.clone(),
                region: region.name.clone(),
                operation: describe.operation,
                pages: count,
                items: things.len(),
            });
            let mut file = Map::new();
            let mut name = describe.file.to_owned();
            if let Some(list) = list {
                name = format!("{name}-{list}");
                file.insert("PrefixListId".to_owned(), Value::String(list));
            }
            file.insert(describe.key.to_owned(), Value::Array(things));
            let path = format!("{}/{}/{name}.json", region.account, region.name);
            collected.files.push((path, Value::Object(file)));
        }
        Ok(collected)
    }

    /// All pages of one operation.
    async fn pages(&self, describe: &Describe, list: Option<&str>) -> Result<Pages, CallError> {
        let mut pages = Pages::default();
        let mut token = None;
        loop {
            let page = {
                let _permit = self.at_once.acquire().await;
                self.page(describe, list, token).await?
            };
            let (mut page, next) = page;
            pages.count += 1;
            if let Some(Value::Array(things)) = page.remove(describe.key) {
                (self.progress)(&self.name, describe.operation, things.len());
                pages.things.extend(things);
            }
            match next {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(pages),
            }
        }
    }

    /// One page, and the token of the next.
    async fn page(
        &self,
        describe: &Describe,
        list: Option<&str>,
        token: Option<String>,
    ) -> Result<(Map<String, Value>, Option<String>), CallError> {
        let kept = Kept::default();
        macro_rules! ask {
            ($($operation:literal => $call:ident $(.$set:ident($value:expr))*;)*) => {
                match describe.operation {
                    $($operation => self.client.$call()
                        .max_results(describe.page)
                        .set_next_token(token)
                        $(.$set($value))*
                        .customize()
                        .interceptor(kept.clone())
                        .send()
                        .await
                        .map(|said| said.next_token)
                        .map_err(|error| CallError::new(describe.operation, &error)),)*
                    other => unreachable!("{other} is not in the table"),
                }
            };
        }
        let next = ask! {
            "DescribeSecurityGroups" => describe_security_groups;
            "DescribeSecurityGroupRules" => describe_security_group_rules;
            "DescribeNetworkInterfaces" => describe_network_interfaces;
            "DescribeVpcs" => describe_vpcs;
            "DescribeSubnets" => describe_subnets;
            "DescribeManagedPrefixLists" => describe_managed_prefix_lists;
            "DescribeVpcEndpoints" => describe_vpc_endpoints;
            "DescribeVpcPeeringConnections" => describe_vpc_peering_connections;
            "DescribeNatGateways" => describe_nat_gateways;
            "DescribeRouteTables" => describe_route_tables;
            "DescribeFlowLogs" => describe_flow_logs;
            "DescribeInstances" => describe_instances;
            "DescribeTransitGateways" => describe_transit_gateways;
            "DescribeTransitGatewayVpcAttachments" => describe_transit_gateway_vpc_attachments;
            "DescribeSecurityGroupVpcAssociations" => describe_security_group_vpc_associations;
            "GetManagedPrefixListEntries" => get_managed_prefix_list_entries.set_prefix_list_id(list.map(str::to_owned));
        }?;
        let answer = kept.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let page = shapes::json(describe.operation, &answer).map_err(|reason| {
            CallError::other(
                describe.operation,
                format!("what AWS answered can't be read: {reason}"),
            )
        })?;
        Ok((page, next))
    }
}

/// What an operation answered.
#[derive(Default)]
struct Pages {
    things: Vec<Value>,
    count: usize,
}

/// Keeps the last answer as it came.
#[derive(Clone, Debug, Default)]
struct Kept {
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Intercept for Kept {
    fn name(&self) -> &'static str {
        "Kept"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.clear();
        answer.extend_from_slice(context.response().body().bytes().unwrap_or_default());
        Ok(())
    }
}
