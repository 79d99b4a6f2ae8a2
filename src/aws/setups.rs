//! The flow logs of an account, and what they may log.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{DestinationOptionsResponse, FlowLog, LogDestinationType, TrafficType};

use super::account::{Account, CallError};
use crate::inventory::{FlowLogSetup, LogDestination, LogSetups, LoggedVpc};

/// What some regions of an account say of flow logs, with the account's number.
pub fn log_setups(account: &Account, regions: &[String]) -> Result<(String, LogSetups), CallError> {
    account.wait(async {
        let mut setups = LogSetups::default();
        let mut number = String::new();
        for region in regions {
            let config = account.in_region(region);
            if number.is_empty() {
                let sts = aws_sdk_sts::Client::new(&config);
                let said = sts.get_caller_identity().send().await;
                let said = said.map_err(|error| CallError::new("GetCallerIdentity", &error))?;
                number = said.account.unwrap_or_default();
            }
            let client = Client::new(&config);
            add_region(&mut setups, &client, (number.as_str(), region.as_str())).await?;
        }
        Ok((number, setups))
    })
}

async fn add_region(
    setups: &mut LogSetups,
    client: &Client,
    (number, region): (&str, &str),
) -> Result<(), CallError> {
    let mut logs = client.describe_flow_logs().into_paginator().items().send();
    while let Some(log) = logs.next().await {
        let log = log.map_err(|error| CallError::new("DescribeFlowLogs", &error))?;
        let id = log.flow_log_id().unwrap_or_default().to_owned();
        setups.flow_logs.insert(id, setup(&log, number, region));
    }
    let mut vpcs = client.describe_vpcs().into_paginator().items().send();
    while let Some(vpc) = vpcs.next().await {
        let vpc = vpc.map_err(|error| CallError::new("DescribeVpcs", &error))?;
        let logged = LoggedVpc {
            account: Some(vpc.owner_id().unwrap_or(number).to_owned()),
            region: Some(region.to_owned()),
        };
        let id = vpc.vpc_id().unwrap_or_default().to_owned();
        setups.vpcs.insert(id, logged);
    }
    let mut subnets = client.describe_subnets().into_paginator().items().send();
    while let Some(subnet) = subnets.next().await {
        let subnet = subnet.map_err(|error| CallError::new("DescribeSubnets", &error))?;
        let id = subnet.subnet_id().unwrap_or_default().to_owned();
        let vpc = subnet.vpc_id().unwrap_or_default().to_owned();
        setups.subnets.insert(id, vpc);
    }
    Ok(())
}

fn setup(log: &FlowLog, number: &str, region: &str) -> FlowLogSetup {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let kind = log.log_destination_type().map(LogDestinationType::as_str);
    let options = log.destination_options();
    FlowLogSetup {
        account: Some(number.to_owned()),
        region: Some(region.to_owned()),
        resource: text(log.resource_id()),
        traffic: text(log.traffic_type().map(TrafficType::as_str)),
        status: text(log.flow_log_status()),
        delivery_error: log.deliver_logs_error_message().map(str::to_owned),
        format: text(log.log_format()),
        destination: LogDestination::new(
            kind.unwrap_or_default(),
            log.log_destination().unwrap_or_default(),
            log.log_group_name().unwrap_or_default(),
        ),
        is_hive: options
            .and_then(DestinationOptionsResponse::hive_compatible_partitions)
            .unwrap_or_default(),
    }
}
