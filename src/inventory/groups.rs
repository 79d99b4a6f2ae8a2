//! Security groups.

use super::index::{GroupIx, InterfaceIx};
use super::rules::{Rule, Target};
use super::wire::{Permission, Tag};
use crate::documents::Direction;
use crate::net::visible;

/// A security group.
#[derive(Clone, Debug)]
pub struct Group {
    /// `sg-…`
    pub id: String,
    /// Its name; chosen by a user, so hostile. The id where the snapshot has no name.
    pub name: String,
    /// The VPC it was made in; it may be associated with others
    /// (security-group-assoc.html).
    pub vpc: String,
    /// Further VPCs that it is associated with, in order.
    pub also_in: Vec<String>,
    /// The account that owns it.
    pub owner: String,
    /// Its tags, keys and values, without those that AWS sets; hostile.
    pub tags: Vec<(String, String)>,
    /// Its rules of both directions, egress first, in a stable order.
    pub rules: Vec<Rule>,
    /// The interfaces that carry it, in order.
    pub members: Vec<InterfaceIx>,
    /// Who writes its rules.
    pub upkeep: Upkeep,
    /// False for a group that an interface carries and the snapshot lacks: its
    /// rules are unknown, and nothing may be concluded from their absence.
    pub known: bool,
    /// Whether the snapshot has its egress and its ingress rules: `--query` may have cut them out.
    pub knows: [bool; 2],
}

impl Group {
    /// Whether its rules of one direction are known.
    pub fn knows(&self, direction: Direction) -> bool {
        self.knows[usize::from(direction == Direction::Ingress)]
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let found = self.tags.iter().find(|(own, _)| own == key);
        found.map(|(_, value)| value.as_str())
    }

    /// The groups that its rules name, in the order of its rules.
    pub fn named_groups(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| match &rule.target {
            Target::Group(id) => Some(id.as_str()),
            Target::Cidr(_) | Target::PrefixList(_) => None,
        })
    }

    /// Whether one of its rules is open egress.
    pub fn has_open_egress(&self) -> bool {
        self.rules.iter().any(Rule::is_open_egress)
    }
}

/// Who writes a group's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// Whoever reads this.
    #[default]
    Own,
    /// It is its network's default group (default-security-group.html): it can't be deleted, and better has no rules.
    Default,
    /// A `CloudFormation` stack, by name.
    Stack(String),
    /// An AWS service, by the tag it left.
    Service(String),
}

/// The tags of a user, in the order of their keys.
pub(super) fn own_tags(tags: &[Tag]) -> Vec<(String, String)> {
    let own = tags.iter().filter(|tag| !tag.key.starts_with("aws:"));
    let mut own: Vec<(String, String)> = own
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect();
    own.sort_unstable();
    own
}

impl Upkeep {
    /// By the tags that AWS sets, whose keys begin with `aws:` and which nobody else can set (`Using_Tags.html`), and the name.
    pub(super) fn of(name: &str, tags: &[Tag]) -> Self {
        let mut tags: Vec<&Tag> = tags
            .iter()
            .filter(|tag| tag.key.starts_with("aws:"))
            .collect();
        tags.sort_by(|a, b| a.key.cmp(&b.key));
        let stack = tags
            .iter()
            .find(|tag| tag.key == "aws:cloudformation:stack-name");
        match (stack, tags.first()) {
            (Some(stack), _) => Self::Stack(visible(&stack.value, 128)),
            (None, Some(tag)) => Self::Service(visible(&tag.key, 128)),
            (None, None) if name == "default" => Self::Default,
            (None, None) => Self::Own,
        }
    }
}

/// The rules of `IpPermissions` (or `IpPermissionsEgress`), one per target.
pub(super) fn flatten<'a>(
    direction: Direction,
    permissions: impl Iterator<Item = &'a Permission>,
) -> impl Iterator<Item = Rule> {
    permissions.flat_map(move |permission| {
        let rule = move |(target, description): &(Target, String)| Rule {
            direction,
            protocol: permission.protocol,
            ports: permission.ports,
            target: target.clone(),
            rule_id: None,
            description: description.clone(),
            tags: Vec::new(),
        };
        permission.targets.iter().map(rule)
    })
}

/// The position of a group by id.
pub(super) fn position(groups: &[Group], id: &str) -> Option<GroupIx> {
    groups
        .binary_search_by(|g| g.id.as_str().cmp(id))
        .ok()
        .map(GroupIx::new)
}
