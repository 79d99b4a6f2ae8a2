//! `aws_vpc_security_group_rules_exclusive`: Terraform takes from a locked group every rule that is not in its list.

use hcl_edit::expr::{Array, Expression};
use hcl_edit::structure::Block;

use super::hcl::{self, line};
use super::terraform::policy_heading;
use crate::documents::{ChangeDocument, Direction, GroupRow, RuleRow, Status};
use crate::net::{identifier, visible};

/// What the file says on top, and a block for each locked group all of whose rules stand.
pub(super) fn exclusive(change: &ChangeDocument) -> (String, Vec<Block>) {
    let mut comment = policy_heading("the rules that locked groups may have")
        + "\nTerraform revokes every other egress rule of these groups; ingress rules of today are all in the lists, for\n\
           locking does not close ingress. The resource needs version 6.29 of the AWS provider or later.";
    let mut blocks = Vec::new();
    let locked = change.groups.iter().filter(|group| group.locked);
    for group in locked.filter(|group| group.kept_by.is_none()) {
        match block(change, group) {
            Ok(block) => blocks.push(block),
            Err(why) => {
                let line = format!("Not yet: {} ({}), for {why}.", group.name, group.id);
                comment += "\n";
                comment += &visible(&line, 400);
            }
        }
    }
    (comment, blocks)
}

/// A group's block; or why it has none yet.
fn block(change: &ChangeDocument, group: &GroupRow) -> Result<Block, &'static str> {
    let wanted: Vec<&RuleRow> = change
        .rules
        .iter()
        .filter(|rule| rule.group_id == group.id)
        .collect();
    if wanted.iter().any(|rule| rule.status == Status::Add) {
        return Err(
            "some of its rules do not stand; apply the others, take the inventory again and write the files once more",
        );
    }
    let ingress = group
        .today
        .iter()
        .filter(|rule| rule.permission.direction == Direction::Ingress);
    let ingress = ingress.map(|rule| rule.security_group_rule_id.as_deref());
    let egress = wanted
        .iter()
        .filter(|rule| rule.permission.direction == Direction::Egress);
    let egress = egress.map(|rule| rule.security_group_rule_id.as_deref());
    let no_ids = "the inventory lacks the ids of its rules; add what `aws ec2 describe-security-group-rules` prints";
    let ingress: Vec<&str> = ingress.collect::<Option<_>>().ok_or(no_ids)?;
    let egress: Vec<&str> = egress.collect::<Option<_>>().ok_or(no_ids)?;
    let lines = vec![
        line("security_group_id", group.id.as_str()),
        line("ingress_rule_ids", ids(ingress)),
        line("egress_rule_ids", ids(egress)),
    ];
    let name = identifier(&group.id).replace('-', "_");
    Ok(hcl::block(
        "resource",
        &["aws_vpc_security_group_rules_exclusive", &name],
        lines.into_iter().map(|line| vec![line]).collect(),
    ))
}

/// A list of ids, one in a line.
fn ids(mut ids: Vec<&str>) -> Expression {
    ids.sort_unstable();
    if ids.is_empty() {
        return Expression::Array(Array::new());
    }
    hcl::list(2, ids.into_iter().map(Expression::from).collect())
}
