//! Reading the files: every top-level key of every page, whatever the file's name.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::wire;
use super::{InventoryError, Note};

/// Everything found in the files, in path order, not yet connected.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) groups: Vec<wire::Group>,
    pub(super) rules: Vec<wire::GroupRule>,
    pub(super) interfaces: Vec<wire::Interface>,
    pub(super) vpcs: Vec<wire::Vpc>,
    pub(super) subnets: Vec<wire::Subnet>,
    pub(super) prefix_lists: Vec<wire::PrefixList>,
    /// Entries with the id of their list.
    pub(super) entries: Vec<(String, wire::Entry)>,
    pub(super) endpoints: Vec<wire::Endpoint>,
    pub(super) peerings: Vec<wire::Peering>,
    pub(super) transit_gateways: Vec<wire::TransitGateway>,
    pub(super) attachments: Vec<wire::TransitGatewayVpcAttachment>,
    pub(super) nat_gateways: Vec<wire::NatGateway>,
    pub(super) route_tables: Vec<wire::RouteTable>,
    pub(super) group_vpcs: Vec<wire::GroupVpc>,
    pub(super) flow_logs: Vec<wire::FlowLog>,
    pub(super) reservations: Vec<wire::Reservation>,
    pub(super) ranges: Vec<wire::ServicePrefix>,
    /// Top-level keys that were there at all, even with an empty list.
    pub(super) present: Vec<&'static str>,
    pub(super) notes: Vec<Note>,
}

/// Every top-level key that is read; the contract's list, and `prefixes` for
/// ip-ranges.json.
const KEYS: &[(&str, Reader)] = &[
    ("SecurityGroups", |s, v| extend(&mut s.groups, v)),
    ("SecurityGroupRules", |s, v| extend(&mut s.rules, v)),
    ("NetworkInterfaces", |s, v| extend(&mut s.interfaces, v)),
    ("Vpcs", |s, v| extend(&mut s.vpcs, v)),
    ("Subnets", |s, v| extend(&mut s.subnets, v)),
    ("PrefixLists", |s, v| extend(&mut s.prefix_lists, v)),
    ("VpcEndpoints", |s, v| extend(&mut s.endpoints, v)),
    ("VpcPeeringConnections", |s, v| extend(&mut s.peerings, v)),
    ("TransitGateways", |s, v| extend(&mut s.transit_gateways, v)),
    ("TransitGatewayVpcAttachments", |s, v| {
        extend(&mut s.attachments, v)
    }),
    ("NatGateways", |s, v| extend(&mut s.nat_gateways, v)),
    ("RouteTables", |s, v| extend(&mut s.route_tables, v)),
    ("SecurityGroupVpcAssociations", |s, v| {
        extend(&mut s.group_vpcs, v)
    }),
    ("FlowLogs", |s, v| extend(&mut s.flow_logs, v)),
    ("Reservations", |s, v| extend(&mut s.reservations, v)),
    ("prefixes", |s, v| extend(&mut s.ranges, v)),
    ("ipv6_prefixes", |s, v| extend(&mut s.ranges, v)),
];

type Reader = fn(&mut Snapshot, Value) -> Result<(), serde_json::Error>;

fn extend<T: DeserializeOwned>(into: &mut Vec<T>, value: Value) -> Result<(), serde_json::Error> {
    into.extend(serde_json::from_value::<Option<Vec<T>>>(value)?.unwrap_or_default());
    Ok(())
}

impl Snapshot {
    /// Reads every JSON file under `dir`, sub-directories included.
    pub(super) fn read_dir(dir: &Path) -> Result<Self, InventoryError> {
        if !dir.is_dir() {
            return Err(InventoryError::NotADirectory(dir.to_path_buf()));
        }
        let mut snapshot = Self::default();
        let walk = walkdir::WalkDir::new(dir)
            .follow_links(true)
            .sort_by_file_name();
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    snapshot
                        .notes
                        .push(Note::new(format!("inventory: {error}")));
                    continue;
                }
            };
            if entry.file_type().is_file() {
                snapshot.read_file(entry.path())?;
            }
        }
        Ok(snapshot)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), InventoryError> {
        let named_json = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let bytes = fs::read(path).map_err(|source| InventoryError::Unreadable {
            path: path.to_path_buf(),
            source,
        })?;
        let looks_like_json = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
        if !named_json && !looks_like_json {
            return Ok(());
        }
        self.read_bytes(path, &bytes)
    }

    /// Reads one file's text; pages that were appended to one file are read one
    /// after the other.
    pub(super) fn read_bytes(&mut self, path: &Path, bytes: &[u8]) -> Result<(), InventoryError> {
        for page in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
            let page = page.map_err(|source| InventoryError::Json {
                path: path.to_path_buf(),
                key: None,
                source,
            })?;
            if let Value::Object(page) = page {
                self.read_page(path, page)?;
            }
        }
        Ok(())
    }

    fn read_page(
        &mut self,
        path: &Path,
        mut page: Map<String, Value>,
    ) -> Result<(), InventoryError> {
        for &(key, read) in KEYS {
            let Some(value) = page.remove(key) else {
                continue;
            };
            if !self.present.contains(&key) {
                self.present.push(key);
            }
            read(self, value).map_err(|source| json_error(path, key, source))?;
        }
        let Some(entries) = page.remove("Entries") else {
            return Ok(());
        };
        let mut found: Vec<wire::Entry> = Vec::new();
        extend(&mut found, entries).map_err(|source| json_error(path, "Entries", source))?;
        let list = page
            .get("PrefixListId")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| list_id_in_name(path));
        match list {
            Some(list) => self.entries.extend(found.into_iter().map(|e| (list.clone(), e))),
            None => self.notes.push(Note::new(format!(
                "{}: prefix list entries that do not say which list they belong to; put the list's id (pl-…) into the file's name",
                path.display()
            ))),
        }
        Ok(())
    }
}

fn json_error(path: &Path, key: &'static str, source: serde_json::Error) -> InventoryError {
    InventoryError::Json {
        path: PathBuf::from(path),
        key: Some(key),
        source,
    }
}

/// get-managed-prefix-list-entries does not print the id it was called with, so
/// the file's name has to carry it.
fn list_id_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let start = name.find("pl-")?;
    let digits: String = name[start + 3..]
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .collect();
    (digits.len() >= 8).then(|| format!("pl-{digits}"))
}
