//! Files of flow logs, as AWS delivers them, and the inventory to them.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use super::rows::{Dice, SERVICES, address};
use super::{destinations, internal, scans};

const START: u64 = 1_793_577_600;

/// The most rows that are written at once.
const AT_ONCE: u64 = 4;

/// What the rows are about. It is the same for any number of rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topology {
    /// 2,000 interfaces in 100 groups, which use each other's services.
    Internal,
    /// 2,000 interfaces in 20 groups, with 20,000 edges from a group to an address of the internet.
    Destinations,
    /// 2,500 interfaces in 500 groups, and probes from the internet.
    Scans,
}

impl Topology {
    /// The one of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "internal" => Some(Self::Internal),
            "destinations" => Some(Self::Destinations),
            "scans" => Some(Self::Scans),
            _ => None,
        }
    }

    /// Appends the rows of one connection or probe; how many.
    fn write(self, dice: &mut Dice, slot: u64, text: &mut String) -> u64 {
        match self {
            Self::Internal => {
                internal::NETWORK.write(dice, slot, text);
                4
            }
            Self::Destinations => {
                destinations::write(dice, slot, text);
                2
            }
            Self::Scans => scans::write(dice, slot, text),
        }
    }

    /// Every group offers all services to the VPC, and has open egress.
    fn inventory(self) -> String {
        let (interfaces, groups) = match self {
            Self::Internal => (internal::NETWORK.interfaces, internal::NETWORK.groups),
            Self::Destinations => (destinations::INTERFACES, destinations::GROUPS),
            Self::Scans => (scans::NETWORK.interfaces, scans::NETWORK.groups),
        };
        let rules: Vec<serde_json::Value> = SERVICES
            .iter()
            .map(|port| serde_json::json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}))
            .collect();
        let groups_of: Vec<serde_json::Value> = (0..groups)
            .map(|group| {
                serde_json::json!({"GroupId": format!("sg-{group:017x}"), "GroupName": format!("group-{group}"), "VpcId": "vpc-1", "OwnerId": "111122223333",
                    "IpPermissions": rules, "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
            })
            .collect();
        let interfaces: Vec<serde_json::Value> = (0..interfaces)
            .map(|host| {
                serde_json::json!({"NetworkInterfaceId": format!("eni-{host:017x}"), "InterfaceType": "interface", "VpcId": "vpc-1",
                    "PrivateIpAddress": address(host), "Groups": [{"GroupId": format!("sg-{:017x}", host % groups)}]})
            })
            .collect();
        serde_json::json!({"SecurityGroups": groups_of, "NetworkInterfaces": interfaces})
            .to_string()
    }
}

/// So many rows in so many gzip files, `step` seconds apart, below `flows`, and the inventory below `inventory`. A file may
/// lack up to three rows.
pub(super) fn make(topology: Topology, rows: u64, files: u64, step: u64, dir: &Path) {
    fs::create_dir_all(dir.join("flows")).expect("a directory to write to");
    fs::create_dir_all(dir.join("inventory")).expect("a directory to write to");
    fs::write(dir.join("inventory/all.json"), topology.inventory()).expect("a file to write to");
    (0..files).into_par_iter().for_each(|file| {
        let slot = START + file * step;
        let (day, minute) = ((slot - START) / 86_400, slot / 60 % 1440);
        let name = format!(
            "111122223333_vpcflowlogs_us-east-1_fl-0123456789abcdef0_202611{:02}T{:02}{:02}Z_{file:08x}.log.gz",
            day + 2,
            minute / 60,
            minute % 60
        );
        let out = fs::File::create(dir.join("flows").join(name)).expect("a file to write to");
        let mut out = GzEncoder::new(out, Compression::new(4));
        let mut text = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n".to_owned();
        let mut dice = Dice(file.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut written = 0;
        while written + AT_ONCE <= rows / files {
            written += topology.write(&mut dice, slot, &mut text);
            if text.len() > 1 << 20 {
                out.write_all(text.as_bytes()).expect("a file to write to");
                text.clear();
            }
        }
        out.write_all(text.as_bytes()).expect("a file to write to");
        out.finish().expect("a file to write to");
    });
}
