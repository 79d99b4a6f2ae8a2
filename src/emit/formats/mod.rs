//! A change in every format that something applies: each a pure function of [`ChangeDocument`].

mod cloudformation;
mod error;
mod exclusive;
mod foreign;
mod full_state;
mod hcl;
mod held;
mod ids;
mod imports;
mod module_v1;
mod names;
mod native;
mod options;
mod origin;
mod plan_md;
mod shell;
mod state;
mod state_patch;
mod table;
mod terraform;
mod terraform_json;

pub use error::RuleFormatError;
pub(super) use foreign::foreign_rules;
pub use full_state::{PolicyFileOptions, RuleFileSplit};
pub use hcl::group_lines;
pub use ids::Ids;
pub use options::RuleFormatOptions;
pub use origin::{RuleFileOrigin, is_same_form, rule_file_origin};
pub(super) use plan_md::render as plan;
pub(crate) use shell::quoted;
pub(super) use shell::{apply, rollback};
pub use state::{StateError, TerraformState};
pub(super) use table::inert;
pub(super) use terraform::{mutual, other};

use std::collections::BTreeMap;

use crate::documents::ChangeDocument;
use crate::net::json;

/// A format: its name, what it is, and what writes it.
#[derive(Debug)]
pub struct RuleFormat {
    /// As `--format` has it.
    pub name: &'static str,
    /// For people.
    pub meaning: &'static str,
    write: fn(&ChangeDocument, &RuleFormatOptions) -> Result<String, RuleFormatError>,
}

/// Every format.
pub const FORMATS: &[RuleFormat] = &[
    RuleFormat {
        name: "terraform-module",
        meaning: "Terraform: the module skwashd/mutual-security-groups/aws 2.x, and native resources for the rest",
        write: |change, options| Ok(terraform::module(change, options)),
    },
    RuleFormat {
        name: "terraform-module-v1",
        meaning: "Terraform before 1.3: the module's 1.0, and aws_security_group_rule for the rest",
        write: |change, options| Ok(module_v1::render(change, options)),
    },
    RuleFormat {
        name: "terraform",
        meaning: "Terraform: aws_vpc_security_group_egress_rule and aws_vpc_security_group_ingress_rule",
        write: |change, options| Ok(state_patch::standalone(change, options)),
    },
    RuleFormat {
        name: "terraform-json",
        meaning: "the same in Terraform's JSON syntax",
        write: |change, options| Ok(terraform_json::render(change, options)),
    },
    RuleFormat {
        name: "cloudformation",
        meaning: "CloudFormation template in YAML",
        write: cloudformation::yaml,
    },
    RuleFormat {
        name: "cloudformation-json",
        meaning: "CloudFormation template in JSON",
        write: |change, options| Ok(cloudformation::json(change, options)),
    },
    RuleFormat {
        name: "aws-cli",
        meaning: "a bash script with stages add, revoke and tighten",
        write: |change, _| Ok(apply(change)),
    },
    RuleFormat {
        name: "aws-cli-rollback",
        meaning: "the bash script that undoes it",
        write: |change, _| Ok(rollback(change)),
    },
    RuleFormat {
        name: "csv",
        meaning: "a table of every rule to add, keep and revoke",
        write: |change, _| table::csv(change),
    },
    RuleFormat {
        name: "json",
        meaning: "rules.json",
        write: |change, _| Ok(json::pretty(change)),
    },
];

impl RuleFormat {
    /// The format of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// Writes a change.
    pub fn write(
        &self,
        change: &ChangeDocument,
        options: &RuleFormatOptions,
    ) -> Result<String, RuleFormatError> {
        (self.write)(change, options)
    }

    /// Writes what a policy wants ([`crate::emit::policy_change()`]): files by name.
    pub fn policy_files(
        &self,
        change: &ChangeDocument,
        options: &PolicyFileOptions,
    ) -> Result<BTreeMap<String, String>, RuleFormatError> {
        full_state::policy_files(change, self.name, self.write, options)
    }
}
