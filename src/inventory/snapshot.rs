//! Reading the files: every top-level key of every page, whatever the file's name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::dates::date_in;
use super::document::{JsonFile, is_named_json};
use super::history::{Age, History, is_manifest};
use super::json::{JsonPath, Misfit, Wire};
use super::list::{List, Origin};
use super::trail::Trail;
use super::unread::Unread;
use super::wire;
use super::{InventoryError, Note};
use crate::net::is_account_id;
use crate::platform;

/// Everything found in the files, in path order, not yet connected.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) groups: List<wire::Group>,
    pub(super) rules: List<wire::GroupRule>,
    pub(super) interfaces: List<wire::Interface>,
    /// Those of older snapshots of the same account and region, and those that AWS Config saw deleted.
    pub(super) past: Vec<wire::Interface>,
    pub(super) vpcs: List<wire::Vpc>,
    pub(super) subnets: List<wire::Subnet>,
    pub(super) prefix_lists: List<wire::PrefixList>,
    /// Entries with the id of their list.
    pub(super) entries: List<(String, wire::Entry)>,
    /// The lists whose entries are there, even if there are none.
    pub(super) listed_entries: Vec<String>,
    pub(super) endpoints: List<wire::Endpoint>,
    pub(super) peerings: List<wire::Peering>,
    pub(super) transit_gateways: List<wire::TransitGateway>,
    pub(super) attachments: List<wire::TransitGatewayVpcAttachment>,
    pub(super) nat_gateways: List<wire::NatGateway>,
    pub(super) route_tables: List<wire::RouteTable>,
    pub(super) group_vpcs: List<wire::GroupVpc>,
    pub(super) flow_logs: List<wire::FlowLog>,
    pub(super) instances: List<wire::Instance>,
    pub(super) balancers: List<wire::LoadBalancer>,
    pub(super) target_groups: List<wire::TargetGroup>,
    /// With the ARN of their target group.
    pub(super) target_group_attributes: List<(String, wire::TargetGroupAttribute)>,
    /// Likewise.
    pub(super) targets: List<(String, wire::TargetHealth)>,
    /// The target groups whose targets are there, even if there are none.
    pub(super) listed_targets: Vec<String>,
    pub(super) ranges: Vec<wire::ServicePrefix>,
    pub(super) trail: Trail,
    /// Accounts of which the inventory does not tell what joins their networks.
    pub(super) unknown_joins: BTreeSet<String>,
    /// Top-level keys that were there at all, even with an empty list.
    pub(super) present: Vec<&'static str>,
    /// Those of them whose list was empty, with the file.
    pub(super) empty: Vec<(&'static str, String)>,
    /// The files that closegate can't use.
    pub(super) unread: Unread,
    pub(super) notes: Vec<Note>,
    /// The files' names for notes, in path order.
    files: Vec<String>,
}

/// A list that `aws ec2 describe-*` prints.
struct Listing {
    /// Its top-level key; the contract's list, and those of ip-ranges.json.
    key: &'static str,
    /// The members that tell its things from those of all lists further down, where the key is missing or another, as
    /// `--query` leaves them.
    marks: &'static [&'static str],
    read: fn(&mut Snapshot, Value, JsonPath<'_>, Origin) -> Result<(), Misfit>,
}

macro_rules! listings {
    ($($key:literal [$($mark:literal)+] => $list:ident;)*) => {
        &[$(Listing {
            key: $key,
            marks: &[$($mark),+],
            read: |snapshot, value, at, origin| {
                snapshot.$list.add(list(value, at)?, origin);
                Ok(())
            },
        }),*]
    };
}

const LISTINGS: &[&[Listing]] = &[
    listings! {
        "SecurityGroups" ["GroupId" "IpPermissions"] => groups;
        "SecurityGroupRules" ["SecurityGroupRuleId" "IsEgress"] => rules;
        "Subnets" ["SubnetId" "CidrBlock"] => subnets;
        "Vpcs" ["VpcId" "CidrBlock"] => vpcs;
        "PrefixLists" ["PrefixListId" "PrefixListName"] => prefix_lists;
        "VpcEndpoints" ["VpcEndpointId" "ServiceName"] => endpoints;
        "VpcPeeringConnections" ["RequesterVpcInfo" "AccepterVpcInfo"] => peerings;
        "TransitGatewayVpcAttachments" ["TransitGatewayAttachmentId" "VpcId"] => attachments;
        "TransitGateways" ["TransitGatewayId" "Options"] => transit_gateways;
        "NatGateways" ["NatGatewayId" "NatGatewayAddresses"] => nat_gateways;
        "RouteTables" ["RouteTableId" "Routes"] => route_tables;
        "SecurityGroupVpcAssociations" ["GroupId" "VpcId" "State"] => group_vpcs;
        "FlowLogs" ["FlowLogId" "LogFormat"] => flow_logs;
        "Instances" ["InstanceId" "ImageId"] => instances;
        "LoadBalancers" ["LoadBalancerArn" "Type"] => balancers;
        "TargetGroups" ["TargetGroupArn" "TargetType"] => target_groups;
    },
    &[
        Listing {
            key: "NetworkInterfaces",
            marks: &["NetworkInterfaceId", "Groups"],
            read: |snapshot, value, at, origin| {
                let all: Vec<wire::Interface> = list(value, at)?;
                let (gone, here): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|i| i.gone_at.is_some());
                snapshot.past.extend(gone);
                snapshot.interfaces.add(here, origin);
                Ok(())
            },
        },
        Listing {
            key: "Reservations",
            marks: &["ReservationId", "Instances"],
            read: |snapshot, value, at, origin| {
                let all: Vec<wire::Reservation> = list(value, at)?;
                let instances = all.into_iter().flat_map(|r| r.instances);
                snapshot.instances.add(instances, origin);
                Ok(())
            },
        },
        Listing {
            key: "prefixes",
            marks: &["ip_prefix", "service"],
            read: |snapshot, value, at, _| {
                snapshot
                    .ranges
                    .extend(list::<wire::ServicePrefix>(value, at)?);
                Ok(())
            },
        },
        Listing {
            key: "ipv6_prefixes",
            marks: &["ipv6_prefix", "service"],
            read: |snapshot, value, at, _| {
                snapshot
                    .ranges
                    .extend(list::<wire::ServicePrefix>(value, at)?);
                Ok(())
            },
        },
    ],
];

fn listings() -> impl Iterator<Item = &'static Listing> {
    LISTINGS.iter().copied().flatten()
}

/// null stands for an empty list.
fn list<T: Wire + Ord>(value: Value, at: JsonPath<'_>) -> Result<Vec<T>, Misfit> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    Vec::read(value, at)
}

/// The listing that a thing belongs to, by its members.
fn recognise(thing: &Value) -> Option<&'static Listing> {
    let members = thing.as_object()?;
    listings().find(|listing| listing.marks.iter().all(|&mark| members.contains_key(mark)))
}

/// A list belongs to the listing of any thing in it: if the rest doesn't fit, that is an error with its place.
fn recognise_any(things: &[Value]) -> Option<&'static Listing> {
    things.iter().find_map(recognise)
}

impl Snapshot {
    /// Reads every JSON file under `dir`, sub-directories included. Names that begin with a dot are passed over.
    pub(super) fn read_dir(dir: &Path) -> Result<Self, InventoryError> {
        if !dir.is_dir() {
            return Err(InventoryError::NotADirectory(dir.to_path_buf()));
        }
        let mut snapshot = Self::default();
        let paths = snapshot.find(dir)?;
        let history = History::of(&paths, &mut snapshot.notes)?;
        snapshot.unknown_joins.clone_from(&history.unknown_joins);
        for path in &paths {
            let name = path.strip_prefix(dir).unwrap_or(path);
            let time = history.time(path);
            let before = snapshot.interfaces.len();
            match history.age(path) {
                Age::Current { absent_until } => {
                    snapshot.read_file(path, name, time)?;
                    for interface in snapshot.interfaces.since(before) {
                        interface.absent_until = absent_until;
                        interface.seen_at = time;
                    }
                }
                Age::Past { gone_at } => {
                    let mut past = Self::default();
                    past.read_file(path, name, time)?;
                    snapshot.past.append(&mut past.past);
                    snapshot.trail.append(&mut past.trail);
                    for (mut interface, _) in past.interfaces.take() {
                        interface.gone_at = Some(gone_at);
                        interface.seen_at = time;
                        snapshot.past.push(interface);
                    }
                }
            }
        }
        Ok(snapshot)
    }

    /// The regular files below a directory, in path order.
    fn find(&mut self, dir: &Path) -> Result<Vec<PathBuf>, InventoryError> {
        let is_hidden = |path: &Path| {
            let below = path.strip_prefix(dir).unwrap_or(path);
            let mut parts = below.components();
            parts.any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
        };
        let mut paths = Vec::new();
        let walk = walkdir::WalkDir::new(dir)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path()));
        for entry in walk {
            match entry {
                Ok(entry) if entry.file_type().is_file() => paths.push(entry.into_path()),
                Ok(entry) if !entry.file_type().is_dir() && is_named_json(entry.path()) => {
                    let name = entry.path().strip_prefix(dir).unwrap_or(entry.path());
                    self.unread.add(name, "not a regular file");
                }
                Ok(_) => {}
                Err(error) if error.path().is_some_and(is_hidden) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(dir).to_path_buf();
                    let source = match error.loop_ancestor() {
                        Some(ancestor) => std::io::Error::other(format!(
                            "it is a link to `{}`, which holds it",
                            ancestor.display()
                        )),
                        None => error.into(),
                    };
                    return Err(InventoryError::Unreadable { path, source });
                }
            }
        }
        Ok(paths)
    }

    /// Reads one file; `name` is for notes, `time` when its snapshot was made.
    pub(super) fn read_file(
        &mut self,
        path: &Path,
        name: &Path,
        time: Option<u64>,
    ) -> Result<(), InventoryError> {
        match JsonFile::read(path)? {
            JsonFile::Pages(pages) => self.read_pages(path, name, pages, (time, modified(path))),
            JsonFile::Other => Ok(()),
        }
    }

    /// Reads a trail file that is in memory already. Digest files, which lie beside them, hold no events.
    pub(super) fn read_trail(&mut self, name: &Path, bytes: &[u8]) -> Result<(), InventoryError> {
        let JsonFile::Pages(pages) = JsonFile::parse(name, bytes)? else {
            return Ok(());
        };
        let mut found = false;
        for page in &pages {
            for key in ["Records", "Events"] {
                found |= page.get(key).is_some_and(|list| self.trail.read(list));
            }
        }
        let is_digest = |page: &Value| page.get("digestS3Object").is_some();
        if !found && !pages.iter().any(is_digest) {
            return Err(InventoryError::NoTrail(name.to_path_buf()));
        }
        Ok(())
    }

    /// Reads text that is in memory already.
    pub(super) fn read_bytes(&mut self, name: &Path, bytes: &[u8]) -> Result<(), InventoryError> {
        match JsonFile::parse(name, bytes)? {
            JsonFile::Pages(pages) => self.read_pages(name, name, pages, (None, None)),
            JsonFile::Other => Ok(()),
        }
    }

    /// Reads the pages of a file; the times are those of [`Origin`].
    fn read_pages(
        &mut self,
        path: &Path,
        name: &Path,
        pages: Vec<Value>,
        (time, modified): (Option<u64>, Option<u64>),
    ) -> Result<(), InventoryError> {
        let origin = Origin {
            time,
            named: date_in(name),
            modified,
            account: account_in(name),
            file: self.files.len(),
        };
        self.files.push(platform::portable(name));
        if pages.is_empty() {
            self.unread.add(name, "empty");
        }
        for page in pages {
            self.read_page(name, page, origin)
                .map_err(|misfit| InventoryError::Value {
                    path: path.to_path_buf(),
                    misfit,
                })?;
        }
        Ok(())
    }

    fn read_page(&mut self, name: &Path, page: Value, origin: Origin) -> Result<(), Misfit> {
        match page {
            // As `jq -s` collects pages.
            Value::Array(pages) if !pages.is_empty() && pages.iter().all(holds_listings) => {
                for page in pages {
                    self.read_page(name, page, origin)?;
                }
                Ok(())
            }
            Value::Array(things) => match (recognise_any(&things), list_id_in_name(name)) {
                (Some(listing), _) => {
                    self.read_listing(listing, Value::Array(things), JsonPath::Top(""), origin)
                }
                (None, Some(id)) if are_entries(&things) => {
                    self.read_entries(&id, Value::Array(things), JsonPath::Top(""), origin)
                }
                (None, _) => {
                    self.unread.add_value(name, &Value::Array(things));
                    Ok(())
                }
            },
            Value::Object(object) => self.read_object(name, object, origin),
            other => {
                self.unread.add_value(name, &other);
                Ok(())
            }
        }
    }

    fn read_object(
        &mut self,
        name: &Path,
        mut object: Map<String, Value>,
        origin: Origin,
    ) -> Result<(), Misfit> {
        let mut found = false;
        if let Some(entries) = object.remove("Entries") {
            found = true;
            let id = object
                .get("PrefixListId")
                .and_then(Value::as_str)
                .map(str::to_owned)
                .or_else(|| list_id_in_name(name));
            match id {
                Some(id) => self.read_entries(&id, entries, JsonPath::Top("Entries"), origin)?,
                None => self.notes.push(Note::new(format!(
                    "{}: prefix list entries that do not say which list they belong to; put the list's id (pl-…) into the file's name",
                    platform::portable(name)
                ))),
            }
        }
        found |= self.read_target_group(name, &mut object, origin)?;
        for key in ["Records", "Events"] {
            if object.get(key).is_some_and(|value| self.trail.read(value)) {
                object.remove(key);
                found = true;
            }
        }
        for (key, value) in &mut object {
            let known = listings().find(|listing| listing.key == key);
            let by_content = || recognise_any(value.as_array()?);
            if let Some(listing) = known.or_else(by_content) {
                found = true;
                self.read_listing(listing, value.take(), JsonPath::Top(key), origin)?;
            }
        }
        let page = Value::Object(object);
        if found || (name.ends_with("manifest.json") && is_manifest(&page)) {
            return Ok(());
        }
        // One thing, as `--query 'SecurityGroups[0]'` prints it.
        if let Some(listing) = recognise(&page) {
            return self.read_listing(listing, Value::Array(vec![page]), JsonPath::Top(""), origin);
        }
        self.unread.add_value(name, &page);
        Ok(())
    }

    /// The attributes or the targets of a target group. Neither answer says whose it is: `closegate collect` writes the ARN beside it, and
    /// a file's name may have the end of the ARN. Balancers have attributes too, which say nothing here.
    fn read_target_group(
        &mut self,
        name: &Path,
        object: &mut Map<String, Value>,
        origin: Origin,
    ) -> Result<bool, Misfit> {
        let mut found = false;
        for key in ["Attributes", "TargetHealthDescriptions"] {
            let Some(value) = object.remove(key) else {
                continue;
            };
            found = true;
            let said = object.get("TargetGroupArn").and_then(Value::as_str);
            let said = said.map(str::to_owned);
            let Some(whose) = said.or_else(|| target_group_id_in_name(name)) else {
                if key != "Attributes" || value.to_string().contains("preserve_client_ip") {
                    self.notes.push(Note::new(format!(
                        "{}: {key} that don't say which target group they belong to; put the end of its ARN, 16 hexadecimal digits, into the file's name",
                        platform::portable(name)
                    )));
                }
                continue;
            };
            if key == "Attributes" {
                let all: Vec<wire::TargetGroupAttribute> = list(value, JsonPath::Top(key))?;
                let all = all.into_iter().map(|one| (whose.clone(), one));
                self.target_group_attributes.add(all, origin);
            } else {
                let all: Vec<wire::TargetHealth> = list(value, JsonPath::Top(key))?;
                let all = all.into_iter().map(|one| (whose.clone(), one));
                self.targets.add(all, origin);
                self.listed_targets.push(whose);
            }
        }
        Ok(found)
    }

    fn read_listing(
        &mut self,
        listing: &'static Listing,
        value: Value,
        at: JsonPath<'_>,
        origin: Origin,
    ) -> Result<(), Misfit> {
        if !self.present.contains(&listing.key) {
            self.present.push(listing.key);
        }
        if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
            let file = self.files[origin.file].clone();
            self.empty.push((listing.key, file));
        }
        (listing.read)(self, value, at, origin)
    }

    fn read_entries(
        &mut self,
        id: &str,
        value: Value,
        at: JsonPath<'_>,
        origin: Origin,
    ) -> Result<(), Misfit> {
        let entries: Vec<wire::Entry> = list(value, at)?;
        self.listed_entries.push(id.to_owned());
        let entries = entries.into_iter().map(|entry| (id.to_owned(), entry));
        self.entries.add(entries, origin);
        Ok(())
    }

    /// The groups that rules name, each with the group that has the rule.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &wire::GroupPair)> {
        let of_groups = self.groups.iter().flat_map(|group| {
            let egress = group.ip_permissions_egress.iter().flatten();
            let permissions = egress.chain(group.ip_permissions.iter().flatten());
            let pairs = permissions.flat_map(|permission| &permission.pairs);
            pairs.map(|pair| (group.group_id.as_str(), pair))
        });
        let of_rules = self
            .rules
            .iter()
            .filter_map(|rule| Some((rule.group_id.as_str(), rule.pair.as_ref()?)));
        of_groups.chain(of_rules)
    }

    /// Leaves everything that has an id once, the newest of each.
    pub(super) fn settle(&mut self) {
        let (files, notes) = (&self.files, &mut self.notes);
        self.groups.settle(files, notes);
        self.rules.settle(files, notes);
        self.interfaces.settle(files, notes);
        self.vpcs.settle(files, notes);
        self.subnets.settle(files, notes);
        self.prefix_lists.settle(files, notes);
        self.endpoints.settle(files, notes);
        self.peerings.settle(files, notes);
        self.transit_gateways.settle(files, notes);
        self.attachments.settle(files, notes);
        self.nat_gateways.settle(files, notes);
        self.route_tables.settle(files, notes);
        self.group_vpcs.settle(files, notes);
        self.flow_logs.settle(files, notes);
        self.instances.settle(files, notes);
        self.balancers.settle(files, notes);
        self.target_groups.settle(files, notes);
        self.entries
            .keep_newest(("prefix list", "entries"), files, notes);
        let target_group = |parts| ("target group", parts);
        (self.target_group_attributes).keep_newest(target_group("attributes"), files, notes);
        self.targets
            .keep_newest(target_group("targets"), files, notes);
        notes.extend(self.unread.note());
    }
}

/// The account whose directory a file lies in, as `closegate collect` names it.
fn account_in(name: &Path) -> Option<u64> {
    let mut folders = name.parent()?.iter().filter_map(|folder| folder.to_str());
    folders.rfind(|folder| is_account_id(folder))?.parse().ok()
}

/// When a file was modified, Unix seconds.
fn modified(path: &Path) -> Option<u64> {
    let time = path.metadata().ok()?.modified().ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

/// Whether a page has a top-level key that is known.
fn holds_listings(page: &Value) -> bool {
    let key = |object: &Map<String, Value>| {
        let others = [
            "Entries",
            "Records",
            "Events",
            "Attributes",
            "TargetHealthDescriptions",
        ];
        let mut known = listings().map(|listing| listing.key).chain(others);
        known.any(|key| object.contains_key(key))
    };
    // `Instances` is a member of a reservation as well.
    page.as_object().is_some_and(key) && recognise(page).is_none()
}

/// Whether things are a prefix list's entries, which have little else to be known by.
fn are_entries(things: &[Value]) -> bool {
    let is_entry = |thing: &Value| {
        thing.as_object().is_some_and(|members| {
            members.contains_key("Cidr")
                && members
                    .keys()
                    .all(|key| key == "Cidr" || key == "Description")
        })
    };
    !things.is_empty() && things.iter().all(is_entry)
}

/// The end of a target group's ARN in a file's name, with the bar that is before it there.
fn target_group_id_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let mut words = name.split(|c: char| !c.is_ascii_hexdigit());
    let id = words.find(|word| word.len() == 16)?;
    Some(format!("/{id}"))
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
