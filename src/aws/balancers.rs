//! Load balancers and their targets, for a snapshot.
//!
//! Four calls of Elastic Load Balancing; two of them are made for each target group, and their answers don't say whose they are, so the
//! ARN is written beside them.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, ProtocolEnum, TargetGroup,
    TargetTypeEnum,
};
use serde_json::{Value, json};

use super::account::{Account, CallError};

/// One answer of a snapshot: the operation, its file below the region's directory, its pages and things, and the content.
pub(super) struct BalancerAnswer {
    pub(super) operation: &'static str,
    pub(super) file: String,
    pub(super) pages: usize,
    pub(super) items: usize,
    pub(super) content: Value,
}

/// An operation that AWS refused, with the rest of what was asked.
pub(super) type Refusal = (&'static str, CallError);

/// Everything in a region, and what was refused. Fails where AWS can't be reached.
pub(super) async fn collect(
    account: &Account,
    region: &str,
) -> Result<(Vec<BalancerAnswer>, Vec<Refusal>), CallError> {
    let client = Client::new(&account.in_region(region));
    let (mut answers, mut refused) = (Vec::new(), Vec::new());
    let balancers = load_balancers(&client).await;
    keep("DescribeLoadBalancers", balancers, &mut refused)?
        .into_iter()
        .for_each(|answer| answers.push(answer));
    let Some((answer, groups)) = keep(
        "DescribeTargetGroups",
        target_groups(&client).await,
        &mut refused,
    )?
    else {
        return Ok((answers, refused));
    };
    answers.push(answer);
    for arn in groups {
        let attributes = attributes(&client, &arn).await;
        answers.extend(keep(
            "DescribeTargetGroupAttributes",
            attributes,
            &mut refused,
        )?);
        let targets = targets(&client, &arn).await;
        answers.extend(keep("DescribeTargetHealth", targets, &mut refused)?);
    }
    refused.dedup_by_key(|(operation, _)| *operation);
    Ok((answers, refused))
}

/// An answer; nothing where it was refused, which is noted once.
fn keep<T>(
    operation: &'static str,
    said: Result<T, CallError>,
    refused: &mut Vec<Refusal>,
) -> Result<Option<T>, CallError> {
    match said {
        Ok(said) => Ok(Some(said)),
        Err(error) if error.is_refusal() => {
            if refused.iter().all(|(known, _)| *known != operation) {
                refused.push((operation, error));
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn load_balancers(client: &Client) -> Result<BalancerAnswer, CallError> {
    const OPERATION: &str = "DescribeLoadBalancers";
    let (mut all, mut pages, mut marker) = (Vec::new(), 0, None);
    loop {
        let said = client.describe_load_balancers().set_marker(marker).send();
        let said = said
            .await
            .map_err(|error| CallError::new(OPERATION, &error))?;
        pages += 1;
        all.extend(said.load_balancers.iter().flatten().map(load_balancer));
        marker = said.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            break;
        }
    }
    Ok(BalancerAnswer {
        operation: OPERATION,
        file: "load-balancers".to_owned(),
        pages,
        items: all.len(),
        content: json!({ "LoadBalancers": all }),
    })
}

/// The answer, and the ARNs of target groups that a Network Load Balancer may have.
async fn target_groups(client: &Client) -> Result<(BalancerAnswer, Vec<String>), CallError> {
    const OPERATION: &str = "DescribeTargetGroups";
    let (mut all, mut arns, mut pages, mut marker) = (Vec::new(), Vec::new(), 0, None);
    loop {
        let said = client.describe_target_groups().set_marker(marker).send();
        let said = said
            .await
            .map_err(|error| CallError::new(OPERATION, &error))?;
        pages += 1;
        for group in said.target_groups.iter().flatten() {
            all.push(target_group(group));
            let protocol = group.protocol.as_ref().map(ProtocolEnum::as_str);
            if !protocol.is_some_and(|protocol| protocol.starts_with("HTTP")) {
                arns.extend(group.target_group_arn.clone());
            }
        }
        marker = said.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            break;
        }
    }
    let answer = BalancerAnswer {
        operation: OPERATION,
        file: "target-groups".to_owned(),
        pages,
        items: all.len(),
        content: json!({ "TargetGroups": all }),
    };
    Ok((answer, arns))
}

async fn attributes(client: &Client, arn: &str) -> Result<BalancerAnswer, CallError> {
    const OPERATION: &str = "DescribeTargetGroupAttributes";
    let asked = client
        .describe_target_group_attributes()
        .target_group_arn(arn);
    let said = asked
        .send()
        .await
        .map_err(|error| CallError::new(OPERATION, &error))?;
    let attributes: Vec<Value> = said
        .attributes
        .iter()
        .flatten()
        .map(|a| json!({"Key": a.key, "Value": a.value}))
        .collect();
    Ok(BalancerAnswer {
        operation: OPERATION,
        file: format!("target-group-attributes-{}", end_of(arn)),
        pages: 1,
        items: attributes.len(),
        content: json!({"TargetGroupArn": arn, "Attributes": attributes}),
    })
}

async fn targets(client: &Client, arn: &str) -> Result<BalancerAnswer, CallError> {
    const OPERATION: &str = "DescribeTargetHealth";
    let asked = client.describe_target_health().target_group_arn(arn);
    let said = asked
        .send()
        .await
        .map_err(|error| CallError::new(OPERATION, &error))?;
    let targets: Vec<Value> = said
        .target_health_descriptions
        .iter()
        .flatten()
        .filter_map(|described| described.target.as_ref())
        .map(|target| json!({"Target": {"Id": target.id, "Port": target.port}}))
        .collect();
    Ok(BalancerAnswer {
        operation: OPERATION,
        file: format!("target-health-{}", end_of(arn)),
        pages: 1,
        items: targets.len(),
        content: json!({"TargetGroupArn": arn, "TargetHealthDescriptions": targets}),
    })
}

/// What is behind the last bar of an ARN.
fn end_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// As `aws elbv2 describe-load-balancers` prints it, as far as closegate reads it.
fn load_balancer(balancer: &LoadBalancer) -> Value {
    let kind = balancer.r#type.as_ref().map(LoadBalancerTypeEnum::as_str);
    json!({
        "LoadBalancerArn": balancer.load_balancer_arn,
        "LoadBalancerName": balancer.load_balancer_name,
        "Type": kind,
        "Scheme": balancer.scheme.as_ref().map(LoadBalancerSchemeEnum::as_str),
        "VpcId": balancer.vpc_id,
        "SecurityGroups": balancer.security_groups,
    })
}

/// As `aws elbv2 describe-target-groups` prints it, as far as closegate reads it.
fn target_group(group: &TargetGroup) -> Value {
    json!({
        "TargetGroupArn": group.target_group_arn,
        "TargetGroupName": group.target_group_name,
        "Protocol": group.protocol.as_ref().map(ProtocolEnum::as_str),
        "Port": group.port,
        "VpcId": group.vpc_id,
        "TargetType": group.target_type.as_ref().map(TargetTypeEnum::as_str),
        "LoadBalancerArns": group.load_balancer_arns,
    })
}
