//! Snapshots of the accounts of an organization: which there are, by AWS Organizations, and a role to assume in each.

use std::pin::Pin;
use std::sync::Arc;

use aws_sdk_organizations::types::Account as Listed;
use futures_util::stream::{self, Stream, StreamExt};

use super::account::{Account, CallError};
use super::collect::{self, Collected, Identity, MemberAccount, MemberState, Progress};

/// The accounts of an organization.
#[derive(Clone, Debug)]
pub struct OrganizationAccounts {
    /// Who asked; the account is one of them.
    own: Identity,
    /// By number. Those that are to be collected have that state already.
    accounts: Vec<MemberAccount>,
}

impl OrganizationAccounts {
    /// Leaves out all but `only`, if any is named, and those of `without`. Returns the numbers that no account has.
    pub fn select<'a>(&mut self, only: &'a [String], without: &'a [String]) -> Vec<&'a str> {
        for member in &mut self.accounts {
            let named = |list: &[String]| list.contains(&member.account);
            let is_wanted = (only.is_empty() || named(only)) && !named(without);
            if member.state == MemberState::Collected && !is_wanted {
                member.state = MemberState::LeftOut;
            }
        }
        let is_unknown = |number: &&String| {
            let mut accounts = self.accounts.iter();
            !accounts.any(|member| member.account == **number)
        };
        let mut unknown: Vec<&str> = only
            .iter()
            .chain(without)
            .filter(is_unknown)
            .map(String::as_str)
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// How many are to be collected.
    pub fn wanted(&self) -> usize {
        let wanted = |member: &&MemberAccount| member.state == MemberState::Collected;
        self.accounts.iter().filter(wanted).count()
    }
}

/// The most accounts that a page of `ListAccounts` may hold (API reference).
const PAGE: i32 = 20;

/// The accounts of the organization that an identity belongs to. The identity has to be of its management account, or of a
/// delegated administrator of any service.
pub fn organization_accounts(account: &Account) -> Result<OrganizationAccounts, CallError> {
    const OPERATION: &str = "ListAccounts";
    account.wait(async {
        let own = collect::identity(account).await?;
        let client = aws_sdk_organizations::Client::new(&account.config);
        let mut accounts = Vec::new();
        let mut token = None;
        loop {
            let said = client
                .list_accounts()
                .max_results(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CallError::new(OPERATION, &error))?;
            accounts.extend(said.accounts.unwrap_or_default().into_iter().map(member));
            token = said.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        accounts.sort();
        accounts.dedup_by(|a, b| a.account == b.account);
        Ok(OrganizationAccounts { own, accounts })
    })
}

fn member(listed: Listed) -> MemberAccount {
    // What has no state is tried; the role decides.
    let state = listed.state.as_ref().map(|state| state.as_str().to_owned());
    let inactive = state.filter(|state| state != "ACTIVE");
    MemberAccount {
        account: listed.id.unwrap_or_default(),
        name: listed.name.unwrap_or_default(),
        state: match inactive {
            Some(_) => MemberState::Inactive,
            None => MemberState::Collected,
        },
        operation: None,
        code: inactive,
    }
}

/// The role to assume in each account.
#[derive(Clone, Debug, Default)]
pub struct MemberRole {
    /// Its name, with its path if it has one.
    pub name: String,
    /// The external id that it asks for.
    pub external_id: Option<String>,
    /// Whether it is assumed in the account that is signed in, too, whose own credentials would do.
    pub in_own_account: bool,
}

/// What to collect of each account.
#[derive(Clone, Debug, Default)]
pub struct SnapshotScope {
    /// The regions; all that are enabled in the account, if none is named.
    pub regions: Vec<String>,
    /// Also what is gone.
    pub history: bool,
    /// When collecting began, Unix seconds.
    pub now: u64,
}

/// An account of the organization, with its snapshot if it was collected.
#[derive(Debug)]
pub struct CollectedMember {
    /// The account.
    pub member: MemberAccount,
    /// Its snapshot.
    pub collected: Option<Collected>,
}

/// The accounts of an organization in order of their numbers, some of which are collected at a time while the first of
/// them is waited for. An account that refuses is no error; one that can't be reached ends everything.
pub struct MemberSnapshots {
    account: Account,
    members: Pin<Box<dyn Stream<Item = Result<CollectedMember, CallError>>>>,
}

impl std::fmt::Debug for MemberSnapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberSnapshots").finish_non_exhaustive()
    }
}

impl MemberSnapshots {
    /// Begins nothing yet. No more than `at_once` accounts are collected, or held in memory, at a time. `progress` is told of
    /// every page: the account, the region, the operation and its number of things.
    pub fn new(
        account: &Account,
        accounts: OrganizationAccounts,
        role: MemberRole,
        scope: SnapshotScope,
        at_once: usize,
        progress: impl Fn(&str, &str, &str, usize) + Send + Sync + 'static,
    ) -> Self {
        let OrganizationAccounts { own, accounts } = accounts;
        let asked = Arc::new(Asked {
            account: account.clone(),
            own,
            role,
            scope,
            progress: Box::new(progress),
        });
        let members = accounts
            .into_iter()
            .map(move |member| Arc::clone(&asked).member(member));
        Self {
            account: account.clone(),
            members: Box::pin(stream::iter(members).buffered(at_once.max(1))),
        }
    }
}

impl Iterator for MemberSnapshots {
    type Item = Result<CollectedMember, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.account.wait(self.members.next())
    }
}

/// Takes an account, a region, a call, and how many more things it gave.
type MemberProgress = dyn Fn(&str, &str, &str, usize) + Send + Sync;

/// What is the same for all accounts.
struct Asked {
    account: Account,
    own: Identity,
    role: MemberRole,
    scope: SnapshotScope,
    progress: Box<MemberProgress>,
}

impl Asked {
    async fn member(
        self: Arc<Self>,
        mut member: MemberAccount,
    ) -> Result<CollectedMember, CallError> {
        if member.state != MemberState::Collected {
            let collected = None;
            return Ok(CollectedMember { member, collected });
        }
        let found = Box::pin(Arc::clone(&self).collect(&member.account)).await;
        let collected = match found {
            Ok(collected) => Some(collected),
            Err(error) if error.is_refusal() => {
                member.state = MemberState::Refused;
                member.operation = Some(error.operation);
                member.code = error.code;
                None
            }
            Err(error) => {
                return Err(CallError {
                    message: format!("{}: {}", member.account, error.message),
                    ..error
                });
            }
        };
        Ok(CollectedMember { member, collected })
    }

    async fn collect(self: Arc<Self>, number: &str) -> Result<Collected, CallError> {
        let account = if number == self.own.account && !self.role.in_own_account {
            self.account.clone()
        } else {
            let external_id = self.role.external_id.as_deref();
            Box::pin(self.account.assume(&self.role_arn(number), external_id)).await?
        };
        let told = Arc::clone(&self);
        let shown = number.to_owned();
        let progress: Arc<Progress> =
            Arc::new(move |region: &str, operation: &str, items: usize| {
                (told.progress)(&shown, region, operation, items);
            });
        let SnapshotScope {
            regions,
            history,
            now,
        } = &self.scope;
        Box::pin(collect::snapshot(
            &account, regions, *history, *now, &progress,
        ))
        .await
    }

    /// In the partition of whoever asks: `aws`, `aws-us-gov`, `aws-cn`.
    fn role_arn(&self, number: &str) -> String {
        let partition = self.own.arn.split(':').nth(1);
        let partition = partition.filter(|partition| !partition.is_empty());
        format!(
            "arn:{}:iam::{number}:role/{}",
            partition.unwrap_or("aws"),
            self.role.name.trim_start_matches('/')
        )
    }
}
