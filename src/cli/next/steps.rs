//! What follows from what a command did.

use std::path::{Path, PathBuf};

use super::did::{Against, GroupCounts, Next, NextOfPolicy};
use super::step::{
    NextStep, accept, advice, audit_store, check, drift, explain, or_default, rules, shown, status,
    step, update,
};
use crate::cli::command_line::CommandLine;
use crate::cli::log_plan;
use crate::inventory::LogSetups;
use crate::net::plural;

/// What to do after a command, the first thing first.
pub(super) fn steps(next: &Next) -> Vec<NextStep> {
    match next {
        Next::Audited {
            run,
            policy,
            ready,
            threat,
        } => after_audit(run, policy.as_deref(), *ready, threat.as_deref()),
        Next::Shown { with_policy } => after_demo(*with_policy),
        Next::Collected { snapshot } => vec![after_collect(snapshot)],
        Next::Ingested { store, inventory } => vec![step(
            "audit the store; run the same ingest again as logs arrive",
            audit_store(store, or_default(inventory.as_ref())),
        )],
        Next::StoreVerified { store, is_whole } => vec![if *is_whole {
            step(
                "audit the store",
                audit_store(store, Path::new("inventory")),
            )
        } else {
            advice("delete the store, and ingest all of its logs again")
        }],
        Next::WroteRules { run } => vec![advice(format!(
            "read {}, then apply the stage add: it adds rules and revokes none",
            shown(&run.join("rules/plan.md"))
        ))],
        Next::Verified {
            against,
            lost,
            audit,
            inventory,
        } => vec![after_verify(against, *lost, audit, inventory)],
        Next::Differs { run, finding } => vec![match finding {
            Some(id) => step("look at the evidence of a new finding", explain(run, id)),
            None => step(
                "merge what is new into a policy",
                update(run, Path::new("policy")),
            ),
        }],
        Next::CanNotTell => vec![advice(
            "complete the inventory; docs/usage.md says what makes an answer unknown",
        )],
        Next::Explained { run, evidence } => {
            let evidence = evidence.iter();
            evidence
                .map(|id| step("look at one of its connections", explain(run, id)))
                .collect()
        }
        Next::Reported { run } => vec![step(
            "merge what the run proposes into a policy, and decide on it there",
            update(run, Path::new("policy")),
        )],
        Next::Listed => vec![step(
            "print a query; this one gives an audit its connections, for logs that are too many to read",
            CommandLine::new(&["query", "connections"]),
        )],
        Next::Asked => vec![step(
            "run the query, save its result as connections.csv or as Parquet, and audit that",
            CommandLine::new(&["audit", "--flows", "answers:connections.csv"])
                .option("--inventory", Path::new("inventory"))
                .option("--out", Path::new("run")),
        )],
        Next::Configured { file } => vec![step(
            "edit the file, and check it",
            CommandLine::new(&["config", "check"]).path(file),
        )],
        Next::Policy(next) => steps_of_policy(next),
    }
}

fn steps_of_policy(next: &NextOfPolicy) -> Vec<NextStep> {
    match next {
        NextOfPolicy::Updated {
            policy,
            run,
            proposed,
        } => after_update(policy, run, proposed.as_deref()),
        NextOfPolicy::Decided { policy } => vec![step(
            "check the policy; --inventory counts rules as AWS does",
            check(policy, None, None),
        )],
        NextOfPolicy::Checked {
            policy,
            inventory,
            run,
            is_valid,
        } => vec![if *is_valid {
            step(
                "write the rules that the policy wants",
                rules(policy, or_default(inventory.as_ref())),
            )
        } else {
            step(
                "mend the lines above, and check again",
                check(policy, inventory.as_deref(), run.as_deref()),
            )
        }],
        NextOfPolicy::Stands {
            policy,
            inventory,
            run,
            groups,
        } => vec![after_status(
            policy,
            inventory.as_ref(),
            run.as_deref(),
            groups,
        )],
        NextOfPolicy::WrotePolicy {
            policy,
            inventory,
            format,
            out,
        } => vec![after_policy_rules(policy, inventory, format, out)],
        NextOfPolicy::Compared {
            policy,
            inventory,
            differs,
            with_plan,
            audit,
        } => vec![after_drift(
            (policy.as_path(), inventory.as_path()),
            (*differs, *with_plan),
            audit.as_ref(),
        )],
    }
}

fn after_audit(
    run: &Path,
    policy: Option<&Path>,
    (ready, groups): (usize, usize),
    threat: Option<&str>,
) -> Vec<NextStep> {
    let finding = threat.map(|id| {
        step(
            "look at the evidence of the worst finding",
            explain(run, id),
        )
    });
    let merge = match (ready, policy) {
        (0, _) => {
            "wait for more logs, and revoke nothing: no group has enough evidence yet. Until then, collect what each run proposes in a policy".to_owned()
        }
        (_, None) => format!(
            "merge what the run proposes into a policy, and decide on it there; {ready} of {} in use can be locked",
            plural(groups as u64, "group")
        ),
        (_, Some(_)) => "merge what is new into the policy".to_owned(),
    };
    let merge = step(merge, update(run, policy.unwrap_or(Path::new("policy"))));
    finding.into_iter().chain([merge]).collect()
}

/// The commands for an account of one's own.
fn after_demo(with_policy: bool) -> Vec<NextStep> {
    let own = if cfg!(feature = "aws") {
        step(
            "find your account's flow logs, and the commands that audit them",
            CommandLine::new(&["init"]),
        )
    } else {
        step(
            "save what `aws ec2 describe-…` prints into inventory/, as docs/usage.md says, and find the flow logs",
            CommandLine::new(&["init"]).option("--inventory", Path::new("inventory")),
        )
    };
    let loop_of_policy = step(
        "see two weeks with a policy",
        CommandLine::new(&["demo", "--policy"]),
    );
    std::iter::once(own)
        .chain((!with_policy).then_some(loop_of_policy))
        .collect()
}

fn after_collect(snapshot: &Path) -> NextStep {
    // A snapshot that can't be read is no reason to fail: it was written.
    let setups = LogSetups::load(snapshot).unwrap_or_default();
    let audit = log_plan::audits(&setups, snapshot, (None, None))
        .into_iter()
        .next();
    match audit {
        Some(audit) => step("audit the account's flow logs", audit),
        None => step(
            "switch flow logs on: the snapshot has none that an audit can use",
            CommandLine::new(&["init"]).option("--inventory", snapshot),
        ),
    }
}

fn after_update(policy: &Path, run: &Path, proposed: Option<&str>) -> Vec<NextStep> {
    let decide = proposed.map(|key| {
        step(
            format!(
                "read the proposed entries in {}, and accept, decline or defer each, such as",
                shown(policy)
            ),
            accept(key, policy),
        )
    });
    let status = step("see where each group stands", status(policy, run));
    decide.into_iter().chain([status]).collect()
}

fn after_status(
    policy: &Path,
    inventory: Option<&PathBuf>,
    run: Option<&Path>,
    groups: &GroupCounts,
) -> NextStep {
    if let Some((file, count)) = &groups.ready {
        return step(
            format!(
                "lock {} that can be: write mode = \"locked\" into {}, and check the policy",
                if *count == 1 {
                    "the group".to_owned()
                } else {
                    format!("the {count} groups")
                },
                if *count == 1 {
                    shown(file)
                } else {
                    format!("their files, such as {}", shown(file))
                }
            ),
            check(policy, inventory.map(PathBuf::as_path), run),
        );
    }
    if let Some(key) = &groups.proposed {
        return step(
            "decide on each proposed entry: accept, decline or defer it, such as",
            accept(key, policy),
        );
    }
    let (locked, all) = groups.locked;
    if groups.waiting > 0 {
        return advice(
            "wait for more logs, and revoke nothing: groups without enough evidence stay as they are",
        );
    }
    if locked > 0 && locked == all {
        return step(
            "compare the account with the policy; a nightly job can do it (docs/ci.md)",
            drift(policy, or_default(inventory)),
        );
    }
    if run.is_none() {
        return step(
            "let a run say whether the evidence is enough",
            status(policy, Path::new("run")),
        );
    }
    step(
        "write the rules that the policy wants",
        rules(policy, or_default(inventory)),
    )
}

fn after_policy_rules(policy: &Path, inventory: &Path, format: &str, out: &Path) -> NextStep {
    if format == "aws-cli" {
        return advice(format!(
            "read {}, then apply the stage add: it adds rules and revokes none",
            shown(&out.join("apply.sh"))
        ));
    }
    if format.starts_with("terraform") {
        return step(
            "make a plan with Terraform, save `terraform show -json PLAN` as plan.json, and ask what it would break or open",
            drift(policy, inventory).option("--plan", Path::new("plan.json")),
        );
    }
    step(
        "apply the rules, take a new snapshot, and compare the account with the policy",
        drift(policy, inventory),
    )
}

fn after_verify(against: &Against, lost: usize, audit: &CommandLine, inventory: &Path) -> NextStep {
    let audit = audit.clone();
    let out = Path::new("run");
    match (against, lost) {
        (Against::Rules, 0) => {
            advice("nothing breaks: apply the stage add, which adds rules and revokes none")
        }
        (Against::Rules, _) => step(
            "don't apply these rules: they lack connections of these logs. Audit the logs for rules that have them",
            audit.option("--out", out),
        ),
        (Against::Policy(policy), 0) => step(
            "nothing breaks: write the rules that the policy wants",
            rules(policy, inventory),
        ),
        (Against::Policy(policy), _) => step(
            "the policy lacks connections of these logs: audit them against it, and merge what is new",
            audit.option("--policy", policy).option("--out", out),
        ),
        (Against::Today, 0) => step("audit the same logs", audit.option("--out", out)),
        (Against::Today, _) => advice(
            "take a snapshot of the time of the logs: today's rules deny connections that were accepted then",
        ),
    }
}

fn after_drift(
    (policy, inventory): (&Path, &Path),
    (differs, with_plan): (bool, bool),
    audit: Option<&CommandLine>,
) -> NextStep {
    match (differs, with_plan, audit) {
        (true, true, _) => {
            advice("change the plan, or the policy where the plan is right, and compare again")
        }
        (true, false, Some(audit)) => step(
            "audit the logs against the policy, and merge what is new",
            audit
                .clone()
                .option("--policy", policy)
                .option("--out", Path::new("run")),
        ),
        (true, false, None) => step(
            "put back the rules that the policy wants, or record in the policy what was meant",
            rules(policy, inventory),
        ),
        (false, true, _) => advice("apply the plan, take a new snapshot, and compare again"),
        (false, false, _) => advice("let a nightly job compare again; docs/ci.md has one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    fn path(name: &str) -> PathBuf {
        PathBuf::from(name)
    }

    /// What was read, as a command line.
    fn audit() -> CommandLine {
        CommandLine::new(&["audit", "--flows"])
            .word("logs/*.gz")
            .option("--inventory", Path::new("inventory"))
    }

    /// Every kind of next step, over paths that a shell and a parser might take for something else.
    fn all() -> Vec<Next> {
        let (run, policy) = (path("-run"), path("my policy/it's"));
        let mut all = vec![
            Next::Collected {
                snapshot: path("no/such"),
            },
            Next::WroteRules { run: run.clone() },
            Next::CanNotTell,
            Next::Reported { run: run.clone() },
            Next::Listed,
            Next::Asked,
            Next::Configured { file: path("-x") },
        ];
        for id in [None, Some("f-0a1b".to_owned())] {
            all.push(Next::Differs {
                run: run.clone(),
                finding: id.clone(),
            });
            all.push(Next::Explained {
                run: run.clone(),
                evidence: id.clone(),
            });
            for (ready, policy) in [
                ((0, 3), None),
                ((0, 3), Some(policy.clone())),
                ((2, 3), None),
                ((2, 3), Some(policy.clone())),
            ] {
                all.push(Next::Audited {
                    run: run.clone(),
                    policy,
                    ready,
                    threat: id.clone(),
                });
            }
        }
        for yes in [false, true] {
            all.push(Next::Shown { with_policy: yes });
            all.push(Next::Ingested {
                store: path("store"),
                inventory: yes.then(|| path("inventory")),
            });
            all.push(Next::StoreVerified {
                store: path("store"),
                is_whole: yes,
            });
            for against in [
                Against::Rules,
                Against::Today,
                Against::Policy(policy.clone()),
            ] {
                all.push(Next::Verified {
                    against,
                    lost: usize::from(yes),
                    audit: audit(),
                    inventory: path("inventory"),
                });
            }
        }
        all.extend(all_of_policy().into_iter().map(Next::Policy));
        all
    }

    fn all_of_policy() -> Vec<NextOfPolicy> {
        let (run, policy) = (path("-run"), path("my policy/it's"));
        let mut all = vec![NextOfPolicy::Decided {
            policy: policy.clone(),
        }];
        for yes in [false, true] {
            all.push(NextOfPolicy::Updated {
                policy: policy.clone(),
                run: run.clone(),
                proposed: yes.then(|| "web_to_db_tcp_5432".to_owned()),
            });
            all.push(NextOfPolicy::Checked {
                policy: policy.clone(),
                inventory: yes.then(|| path("inventory")),
                run: yes.then(|| run.clone()),
                is_valid: yes,
            });
            for (with_plan, audit) in [
                (false, None),
                (false, Some(audit())),
                (true, None),
                (true, Some(audit())),
            ] {
                all.push(NextOfPolicy::Compared {
                    policy: policy.clone(),
                    inventory: path("inventory"),
                    differs: yes,
                    with_plan,
                    audit,
                });
            }
            for groups in stands() {
                all.push(NextOfPolicy::Stands {
                    policy: policy.clone(),
                    inventory: None,
                    run: yes.then(|| run.clone()),
                    groups,
                });
            }
        }
        for format in crate::emit::FORMATS {
            all.push(NextOfPolicy::WrotePolicy {
                policy: policy.clone(),
                inventory: path("inventory"),
                format: format.name.to_owned(),
                out: path("rules"),
            });
        }
        all
    }

    fn stands() -> [GroupCounts; 5] {
        let none = GroupCounts::default;
        let ready = |count| Some((path("policy/sg-0a1b.toml"), count));
        [
            GroupCounts {
                locked: (0, 2),
                ..none()
            },
            GroupCounts {
                ready: ready(2),
                ..none()
            },
            GroupCounts {
                proposed: Some("web_to_db_tcp_5432".to_owned()),
                ..none()
            },
            GroupCounts {
                waiting: 1,
                ..none()
            },
            GroupCounts {
                locked: (2, 2),
                ..none()
            },
        ]
    }

    #[test]
    fn every_command_that_is_proposed_can_be_given() {
        let mut commands = 0;
        for next in all() {
            for step in steps(&next) {
                assert!(!step.what.is_empty(), "{next:?}");
                let Some(command) = step.command else {
                    continue;
                };
                assert!(command.is_exact(), "{command}");
                let words = command.words().iter().map(String::as_str);
                let words = std::iter::once("closegate").chain(words);
                if let Err(error) = args::command().try_get_matches_from(words) {
                    panic!("{command}: {error}");
                }
                commands += 1;
            }
        }
        assert!(commands > 40, "{commands}");
    }

    /// Without enough evidence the next step is to wait.
    #[test]
    fn nothing_is_revoked_without_evidence() {
        let audited = |ready| Next::Audited {
            run: PathBuf::from("run"),
            policy: None,
            ready,
            threat: None,
        };
        let first = |next: &Next| steps(next)[0].what.clone();
        assert!(first(&audited((0, 4))).starts_with("wait for more logs, and revoke nothing"));
        assert!(first(&audited((1, 4))).contains("1 of 4 groups"));
        let [_, _, _, waiting, _] = stands();
        let waiting = Next::Policy(NextOfPolicy::Stands {
            policy: PathBuf::from("policy"),
            inventory: None,
            run: Some(PathBuf::from("run")),
            groups: waiting,
        });
        assert!(first(&waiting).starts_with("wait for more logs, and revoke nothing"));
    }
}
