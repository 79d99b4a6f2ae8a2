//! A change in every format that something applies: each a pure function of [`ChangeDocument`].

mod cloudformation;
mod hcl;
mod module_v1;
mod names;
mod plan_md;
mod shell;
mod state;
mod table;
mod terraform;
mod terraform_json;

pub use hcl::group_lines;
pub(super) use plan_md::render as plan;
pub(super) use shell::{apply, rollback};
pub use state::{StateError, TerraformState};
pub(super) use table::inert;
pub(super) use terraform::{mutual, other};

use crate::documents::ChangeDocument;
use crate::net::json;

/// How a file names groups and prefix lists, so that it can move between accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ids {
    /// By their ids.
    #[default]
    Literal,
    /// By variables that the caller sets.
    Var,
    /// By data sources that look them up by name.
    Data,
}

/// What a format may be options for.
#[derive(Clone, Debug, Default)]
pub struct RuleFormatOptions {
    /// How groups and lists are named; only Terraform and `CloudFormation` can do anything but literally.
    pub ids: Ids,
    /// What Terraform holds already, from its state.
    pub state: TerraformState,
}

/// A format: its name, what it is, and what writes it.
#[derive(Debug)]
pub struct RuleFormat {
    /// As `--emit` has it.
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
        write: |change, options| Ok(terraform::standalone(change, options)),
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

/// Why a change can't be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum RuleFormatError {
    /// Not in YAML.
    #[error(
        "the template can't be written as YAML: {0}; take cloudformation-json, and please report this"
    )]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// Not as CSV.
    #[error("the table can't be written: {0}")]
    Csv(#[from] csv::Error),
    /// It is no text.
    #[error("the table is no text: {0}; please report this")]
    Text(#[from] std::string::FromUtf8Error),
}

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
}
