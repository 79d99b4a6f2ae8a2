//! Whether a destination is a stranger.

use super::ends::{End, Place};
use crate::flow::FlowTable;
use crate::inventory::Inventory;

/// Ranges of these codes hold any customer's machines, or nothing in particular
/// (aws-ip-syntax.html): an address in them is as foreign as any other.
const NOBODY_IN_PARTICULAR: &[&str] = &["EC2", "GLOBALACCELERATOR"];

/// The AWS service behind an address: as the rows name it, else by AWS's published
/// ranges.
pub fn aws_service<'a>(
    inventory: &'a Inventory,
    table: &'a FlowTable,
    end: End,
) -> Option<&'a str> {
    table
        .services
        .get(&end.address)
        .map(String::as_str)
        .or_else(|| inventory.service_of(end.address))
}

/// A public address that is neither ours nor a service of AWS.
pub fn is_stranger(inventory: &Inventory, table: &FlowTable, end: End) -> bool {
    end.place == Place::Outside
        && crate::net::is_public(end.address)
        && inventory.interface_with_public(end.address).is_none()
        && aws_service(inventory, table, end)
            .is_none_or(|service| NOBODY_IN_PARTICULAR.contains(&service))
}
