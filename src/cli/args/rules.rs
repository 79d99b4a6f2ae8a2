//! `closegate rules`.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::choices::IdsArg;
use crate::emit::{self, RuleFileSplit};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RulesArgs {
    /// An audit's --out directory
    #[arg(required_unless_present = "policy", conflicts_with = "policy")]
    pub(in crate::cli) run: Option<PathBuf>,

    /// Directory of a policy: write every rule that it wants, those that stand too, instead of what a run adds
    #[arg(long, value_name = "DIR", requires = "inventory")]
    pub(in crate::cli) policy: Option<PathBuf>,

    /// For --policy: directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR", requires = "policy")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// The format
    #[arg(long, visible_alias = "emit", value_name = "FORMAT", value_parser = formats())]
    pub(in crate::cli) format: String,

    /// The file to write [default: standard output]; with --policy a directory, in which files of other programs stay
    #[arg(long, value_name = "PLACE")]
    pub(in crate::cli) out: Option<PathBuf>,

    /// With --policy: a file for each group or VPC, by its id; for `CloudFormation`, a stack
    #[arg(long, value_name = "BY", requires = "policy")]
    pub(in crate::cli) split: Option<SplitArg>,

    /// With --policy, for Terraform: take from locked groups every egress rule that the policy does not want
    /// (`aws_vpc_security_group_rules_exclusive`)
    #[arg(long, requires = "policy")]
    pub(in crate::cli) exclusive: bool,

    /// How Terraform and `CloudFormation` name groups and prefix lists
    #[arg(long, value_name = "IDS", default_value = "literal")]
    pub(in crate::cli) ids: IdsArg,

    /// For Terraform: the state, or what `terraform show -json` prints; can be given several times. Of a run, for --format
    /// terraform only: each group's rules are written in the style that they have there. Of a policy: what it holds elsewhere
    /// is not written, and what it holds under another name is moved
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    pub(in crate::cli) terraform_state: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum SplitArg {
    Group,
    Vpc,
}

impl From<SplitArg> for RuleFileSplit {
    fn from(arg: SplitArg) -> Self {
        match arg {
            SplitArg::Group => Self::Group,
            SplitArg::Vpc => Self::Vpc,
        }
    }
}

/// The formats, with what each is.
fn formats() -> PossibleValuesParser {
    let formats = emit::FORMATS.iter();
    PossibleValuesParser::new(formats.map(|f| PossibleValue::new(f.name).help(f.meaning)))
}
