//! What a format can be told.

use super::ids::Ids;
use super::state::TerraformState;

/// Choices that some formats have.
#[derive(Clone, Debug, Default)]
pub struct RuleFormatOptions {
    /// How groups and lists are named; only Terraform and `CloudFormation` can do anything but literally.
    pub ids: Ids,
    /// What Terraform holds already, from its state.
    pub state: TerraformState,
}
