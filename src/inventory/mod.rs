//! Stage 1: the snapshot of the account's network configuration.
//!
//! A directory of `aws ec2 describe-*` JSON in; an [`Inventory`] out, connected
//! and indexed. A file or a value that can't be used is an error that names file and
//! place; what is missing, ambiguous or out of date leaves a [`Note`].

mod access;
mod any_gate;
mod balancers;
mod connect;
mod dates;
mod document;
mod error;
mod gaps;
mod gates;
mod groups;
mod history;
mod index;
mod interfaces;
mod json;
mod lacking;
mod list;
mod log_setups;
mod member_space;
mod network;
mod note;
mod periods;
mod prefix_lists;
mod ranges;
mod reach;
mod reserved;
mod rules;
mod services;
mod shared;
mod snapshot;
mod subnets;
mod survey;
mod trail;
mod unread;
mod wire;

pub use crate::documents::Direction;
pub use access::{Answer, Party, SideAnswer, UnknownParty};
pub(crate) use any_gate::AnyGate;
pub use balancers::{Balancer, BalancerIx, Fronting};
pub use error::InventoryError;
pub(crate) use gates::CompiledTarget;
pub use gates::{Admission, Gates, Packet, Peer, Unknown};
pub use groups::{Group, Upkeep};
pub use index::{GroupIx, InterfaceIx};
pub use interfaces::{GuessedInterface, Interface, InterfaceKind};
pub use json::Misfit;
pub use log_setups::{FlowLogSetup, LogDestination, LogSetups, LoggedVpc};
pub use member_space::AbsentGroup;
pub use network::Inventory;
pub use note::Note;
pub use periods::Grade;
pub use prefix_lists::{Families, Keeper, PrefixList};
pub use ranges::{bundled_on, published_on};
pub use reach::NetworkPath;
pub use rules::{Rule, RulePorts, RuleProtocol, Target};
pub use services::ServiceSet;
pub use subnets::Subnet;
pub use survey::{FlowLogSetting, SnapshotSurvey};
pub use trail::{Birth, PastRule, TRAIL_EVENTS};
