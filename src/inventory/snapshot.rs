//! Reading the files: every top-level key of every page, whatever the file's name.

use std::collections::BTreeMap;
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
    /// Those of snapshots that a later one of the same account and region replaces.
    pub(super) past: Vec<wire::Interface>,
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
        let mut paths = Vec::new();
        let walk = walkdir::WalkDir::new(dir)
            .follow_links(true)
            .sort_by_file_name();
        for entry in walk {
            match entry {
                Ok(entry) if entry.file_type().is_file() => paths.push(entry.into_path()),
                Ok(_) => {}
                Err(error) => snapshot
                    .notes
                    .push(Note::new(format!("inventory: {error}"))),
            }
        }
        let history = History::of(&paths, &mut snapshot.notes);
        for path in &paths {
            let before = snapshot.interfaces.len();
            match history.place(path) {
                Place::Current { absent_until } => {
                    snapshot.read_file(path)?;
                    for interface in &mut snapshot.interfaces[before..] {
                        interface.closegate_absent_until = absent_until;
                    }
                }
                Place::Past { gone_at } => {
                    let mut past = Self::default();
                    past.read_file(path)?;
                    for mut interface in past.interfaces {
                        interface.closegate_gone_at = Some(gone_at);
                        snapshot.past.push(interface);
                    }
                }
            }
        }
        Ok(snapshot)
    }

    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), InventoryError> {
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

/// Snapshots of one account and region that lie side by side: each in a directory with a manifest that tells
/// its time, and with the same files below it.
struct History {
    /// By directory.
    times: BTreeMap<PathBuf, u64>,
    /// By path below such a directory: when there was such a file, in order.
    files: BTreeMap<PathBuf, Vec<u64>>,
}

/// What a file is to the others of its name.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// The newest, and when the one before it was made.
    Current { absent_until: Option<u64> },
    /// Another was made at this time.
    Past { gone_at: u64 },
}

impl History {
    fn of(paths: &[PathBuf], notes: &mut Vec<Note>) -> Self {
        let mut times = BTreeMap::new();
        for path in paths.iter().filter(|path| path.ends_with("manifest.json")) {
            let manifest =
                fs::read(path).map(|bytes| serde_json::from_slice::<wire::Manifest>(&bytes));
            // A file of that name that is something else.
            let (Some(dir), Ok(Ok(manifest))) = (path.parent(), manifest) else {
                continue;
            };
            times.insert(dir.to_path_buf(), manifest.collected_at);
            for refused in manifest.refused {
                let wire::Refused {
                    account,
                    region,
                    operation,
                    code,
                    cost,
                } = refused;
                notes.push(Note::new(format!(
                    "{operation} was refused in {account} {region} ({code}){}{cost}",
                    if cost.is_empty() { "" } else { ": " },
                )));
            }
        }
        let mut history = Self {
            times,
            files: BTreeMap::new(),
        };
        for path in paths {
            if let Some((time, file)) = history.find(path) {
                history
                    .files
                    .entry(file.to_path_buf())
                    .or_default()
                    .push(time);
            }
        }
        history
            .files
            .values_mut()
            .for_each(|times| times.sort_unstable());
        history
    }

    /// The time of the snapshot that a file is of, and its path in there.
    fn find<'a>(&self, path: &'a Path) -> Option<(u64, &'a Path)> {
        let dir = path
            .ancestors()
            .skip(1)
            .find(|dir| self.times.contains_key(*dir))?;
        Some((self.times[dir], path.strip_prefix(dir).ok()?))
    }

    fn place(&self, path: &Path) -> Place {
        let Some((time, file)) = self.find(path) else {
            return Place::Current { absent_until: None };
        };
        let times = &self.files[file];
        match times.iter().find(|&&later| later > time) {
            Some(&gone_at) => Place::Past { gone_at },
            None => Place::Current {
                absent_until: times.iter().rev().find(|&&earlier| earlier < time).copied(),
            },
        }
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
