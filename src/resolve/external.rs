//! What is known of an external destination.

use super::ends::{End, Place};
use crate::flow::FlowTable;
use crate::inventory::Inventory;

/// Ranges of these codes hold the machines of any customer (aws-ip-syntax.html), so an address in them is not a
/// service of AWS.
const CUSTOMER_RANGES: &[&str] = &["EC2", "GLOBALACCELERATOR"];

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

/// Whether an end is a public address outside the inventory that is no service of AWS.
pub fn is_unknown_external(inventory: &Inventory, table: &FlowTable, end: End) -> bool {
    end.place == Place::Outside
        && crate::net::is_public(end.address)
        && inventory.interface_with_public(end.address).is_none()
        && aws_service(inventory, table, end)
            .is_none_or(|service| CUSTOMER_RANGES.contains(&service))
}
