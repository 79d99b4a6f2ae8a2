//! How an account's flow logs are set up: what describe-flow-logs says, and the VPCs and subnets that they may cover.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Map, Value};

use super::InventoryError;
use super::document::JsonFile;
use super::json::{JsonPath, Misfit, Wire, may, must, object};
use crate::net::is_account_id;

/// Where a flow log is delivered to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogDestination {
    /// A bucket, and a prefix behind a slash if there is one.
    S3(String),
    /// A log group of CloudWatch Logs.
    CloudWatch(String),
    /// A delivery stream of Firehose, by its ARN.
    Firehose(String),
    /// None of these, or not said.
    #[default]
    Unknown,
}

impl LogDestination {
    /// From what describe-flow-logs says: the type of the destination, its ARN and the name of a log group, each empty if it is
    /// not said.
    pub fn new(kind: &str, arn: &str, group: &str) -> Self {
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        match kind {
            "s3" if !resource.is_empty() => Self::S3(resource.trim_end_matches('/').to_owned()),
            "kinesis-data-firehose" => Self::Firehose(arn.to_owned()),
            // The type is not said in old answers.
            "cloud-watch-logs" | "" => {
                let named = resource.strip_prefix("log-group:").unwrap_or_default();
                let named = named.strip_suffix(":*").unwrap_or(named);
                match (group, named) {
                    ("", "") => Self::Unknown,
                    ("", named) => Self::CloudWatch(named.to_owned()),
                    (group, _) => Self::CloudWatch(group.to_owned()),
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// One flow log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowLogSetup {
    /// The account that it was described in, if that is known.
    pub account: Option<String>,
    /// The region, likewise.
    pub region: Option<String>,
    /// What it logs: a VPC, a subnet, an interface, or something of a Transit Gateway.
    pub resource: String,
    /// `ALL`, `ACCEPT` or `REJECT`.
    pub traffic: String,
    /// `ACTIVE`; AWS knows no other status.
    pub status: String,
    /// Why AWS can't deliver it.
    pub delivery_error: Option<String>,
    /// `LogFormat`; empty if it is not said.
    pub format: String,
    /// Where it goes.
    pub destination: LogDestination,
    /// Whether the keys of its objects name their parts, as Hive wants it.
    pub is_hive: bool,
}

/// A VPC, with the account and region that it was described in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggedVpc {
    /// The account, if it is known.
    pub account: Option<String>,
    /// The region, likewise.
    pub region: Option<String>,
}

/// The flow logs of accounts, and what they may log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSetups {
    /// The flow logs, by id.
    pub flow_logs: BTreeMap<String, FlowLogSetup>,
    /// The VPCs, by id.
    pub vpcs: BTreeMap<String, LoggedVpc>,
    /// The VPC of each subnet.
    pub subnets: BTreeMap<String, String>,
}

/// What the place of a snapshot's file says of its content.
struct FilePlace {
    account: Option<String>,
    region: Option<String>,
}

impl LogSetups {
    /// Reads what a snapshot's directory says of flow logs. The rest of the snapshot may be missing.
    pub fn load(dir: &Path) -> Result<Self, InventoryError> {
        if !dir.is_dir() {
            return Err(InventoryError::NotADirectory(dir.to_path_buf()));
        }
        let mut setups = Self::default();
        let is_hidden =
            |name: &OsStr, depth: usize| depth > 0 && name.as_encoded_bytes().starts_with(b".");
        let walk = walkdir::WalkDir::new(dir)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !is_hidden(entry.file_name(), entry.depth()));
        for entry in walk {
            let entry = entry.map_err(|error| InventoryError::Unreadable {
                path: error.path().unwrap_or(dir).to_path_buf(),
                source: error.into(),
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            let path = entry.path();
            let JsonFile::Pages(pages) = JsonFile::read(path)? else {
                continue;
            };
            let place = FilePlace::of(path);
            for page in pages {
                setups
                    .read_page(&place, page)
                    .map_err(|misfit| InventoryError::Value {
                        path: path.to_path_buf(),
                        misfit,
                    })?;
            }
        }
        Ok(setups)
    }

    /// A page, a list of pages, or a list of flow logs as `--query FlowLogs` leaves it.
    fn read_page(&mut self, place: &FilePlace, page: Value) -> Result<(), Misfit> {
        match page {
            Value::Array(parts) => parts
                .into_iter()
                .try_for_each(|part| self.read_page(place, part)),
            Value::Object(mut page) if page.contains_key("FlowLogId") => {
                self.flow_log(place, &mut page, JsonPath::Top("FlowLogs"))
            }
            Value::Object(mut page) => {
                each(&mut page, "FlowLogs", |thing, at| {
                    self.flow_log(place, thing, at)
                })?;
                each(&mut page, "Vpcs", |thing, at| self.vpc(place, thing, at))?;
                each(&mut page, "Subnets", |thing, at| self.subnet(thing, at))
            }
            _ => Ok(()),
        }
    }

    fn flow_log(
        &mut self,
        place: &FilePlace,
        log: &mut Map<String, Value>,
        at: JsonPath<'_>,
    ) -> Result<(), Misfit> {
        let id: String = must(log, &["FlowLogId"], at)?;
        let kind: String = may(log, &["LogDestinationType"], at)?;
        let arn: String = may(log, &["LogDestination"], at)?;
        let group: String = may(log, &["LogGroupName"], at)?;
        let options: DestinationOptions = may(log, &["DestinationOptions"], at)?;
        let setup = FlowLogSetup {
            account: place.account.clone(),
            region: place.region.clone(),
            resource: may(log, &["ResourceId"], at)?,
            traffic: may(log, &["TrafficType"], at)?,
            status: may(log, &["FlowLogStatus"], at)?,
            delivery_error: may(log, &["DeliverLogsErrorMessage"], at)?,
            format: may(log, &["LogFormat"], at)?,
            destination: LogDestination::new(&kind, &arn, &group),
            is_hive: options.is_hive,
        };
        self.flow_logs.insert(id, setup);
        Ok(())
    }

    fn vpc(
        &mut self,
        place: &FilePlace,
        vpc: &mut Map<String, Value>,
        at: JsonPath<'_>,
    ) -> Result<(), Misfit> {
        let id: String = must(vpc, &["VpcId"], at)?;
        let owner: Option<String> = may(vpc, &["OwnerId"], at)?;
        let logged = LoggedVpc {
            account: owner.or_else(|| place.account.clone()),
            region: place.region.clone(),
        };
        self.vpcs.insert(id, logged);
        Ok(())
    }

    fn subnet(&mut self, subnet: &mut Map<String, Value>, at: JsonPath<'_>) -> Result<(), Misfit> {
        let id: String = must(subnet, &["SubnetId"], at)?;
        let vpc: String = must(subnet, &["VpcId"], at)?;
        self.subnets.insert(id, vpc);
        Ok(())
    }

    /// The VPC that a flow log's resource is, or lies in.
    pub fn vpc_of<'a>(&'a self, resource: &'a str) -> Option<&'a str> {
        if resource.starts_with("vpc-") {
            return Some(resource);
        }
        self.subnets.get(resource).map(String::as_str)
    }
}

/// Reads each thing of a list that may be there.
fn each(
    page: &mut Map<String, Value>,
    key: &str,
    mut read: impl FnMut(&mut Map<String, Value>, JsonPath<'_>) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let Some(Value::Array(things)) = page.remove(key) else {
        return Ok(());
    };
    let list = JsonPath::Top(key);
    for (position, thing) in things.into_iter().enumerate() {
        let at = list.item(position);
        read(&mut object(thing, at)?, at)?;
    }
    Ok(())
}

/// How objects are written to a bucket.
#[derive(Default)]
struct DestinationOptions {
    is_hive: bool,
}

impl Wire for DestinationOptions {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        let mut options = object(value, at)?;
        Ok(Self {
            is_hive: may(&mut options, &["HiveCompatiblePartitions"], at)?,
        })
    }
}

impl FilePlace {
    /// `closegate collect inventory` writes `ACCOUNT/REGION/NAME.json`.
    fn of(path: &Path) -> Self {
        let mut above = path.ancestors().skip(1).map(|dir| {
            let name = dir.file_name().and_then(OsStr::to_str);
            name.unwrap_or_default().to_owned()
        });
        let region = above.next().filter(|name| is_region(name));
        let account = above.next().filter(|name| is_account_id(name));
        // One without the other is somebody's own name.
        match (account, region) {
            (Some(account), Some(region)) => Self {
                account: Some(account),
                region: Some(region),
            },
            _ => Self {
                account: None,
                region: None,
            },
        }
    }
}

/// Such as `us-east-1` and `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let (Some(last), true) = (parts.last(), parts.len() >= 3) else {
        return false;
    };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_number && parts[..parts.len() - 1].iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_what_the_answer_says() {
        let of = LogDestination::new;
        let s3 = |place: &str| LogDestination::S3(place.to_owned());
        let group = |name: &str| LogDestination::CloudWatch(name.to_owned());
        assert_eq!(of("s3", "arn:aws:s3:::logs", ""), s3("logs"));
        assert_eq!(of("s3", "arn:aws-cn:s3:::logs/a/b/", ""), s3("logs/a/b"));
        assert_eq!(of("s3", "logs", ""), LogDestination::Unknown);
        assert_eq!(of("cloud-watch-logs", "", "/vpc/a"), group("/vpc/a"));
        assert_eq!(of("", "", "a:b"), group("a:b"));
        let arn = "arn:aws:logs:us-east-1:111122223333:log-group:a:b:*";
        assert_eq!(of("cloud-watch-logs", arn, ""), group("a:b"));
        let arn = "arn:aws:firehose:us-east-1:111122223333:deliverystream/a";
        assert_eq!(
            of("kinesis-data-firehose", arn, ""),
            LogDestination::Firehose(arn.to_owned())
        );
        assert_eq!(of("", "", ""), LogDestination::Unknown);
        assert_eq!(
            of("new-thing", "arn:aws:x:::y", "z"),
            LogDestination::Unknown
        );
    }

    #[test]
    fn a_snapshots_path_names_account_and_region() {
        let of = |path: &str| {
            let FilePlace { account, region } = FilePlace::of(Path::new(path));
            account.zip(region)
        };
        assert_eq!(
            of("snap/111122223333/us-gov-west-1/flow-logs.json"),
            Some(("111122223333".to_owned(), "us-gov-west-1".to_owned()))
        );
        for path in [
            "flow-logs.json",
            "us-east-1/flow-logs.json",
            "111122223333/flow-logs.json",
            "1111/us-east-1/flow-logs.json",
            "111122223333/us-east-x/flow-logs.json",
            "111122223333/east-1/flow-logs.json",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
