//! The policies under docs/iam are those of the calls that are made.

use closegate::aws::calls::{Caller, policy};

use crate::common::root;

/// `CLOSEGATE_BLESS=1 cargo test policies` writes them.
#[test]
fn every_command_has_the_policy_that_its_calls_need() {
    let dir = root().join("docs/iam");
    for command in Caller::ALL {
        let path = dir.join(command.policy()).with_extension("json");
        let made = format!("{:#}\n", policy(command));
        if std::env::var_os("CLOSEGATE_BLESS").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap_or_default(),
            made,
            "{}",
            path.display()
        );
    }
    // Nothing in them changes anything.
    for command in Caller::ALL {
        let policy = policy(command);
        let statements = policy["Statement"].as_array().unwrap();
        let actions = statements
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap());
        for action in actions {
            let name = action.as_str().unwrap().split_once(':').unwrap().1;
            let reads = [
                "Describe",
                "Get",
                "List",
                "Head",
                "Lookup",
                "Filter",
                "StartQuery",
                "StopQuery",
                "AssumeRole",
            ];
            assert!(reads.iter().any(|verb| name.starts_with(verb)), "{action}");
        }
    }
}

/// The table of EC2's answers is made from the service model of the peers.
#[test]
fn the_table_of_shapes_is_that_of_the_service_model() {
    let made = std::process::Command::new(root().join("target/peers/bin/python"))
        .arg("tests/peers/ec2_shapes.py")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let table = std::fs::read(root().join("src/aws/ec2-shapes.json")).unwrap();
    assert!(made.stdout == table, "run `make ec2-shapes`");
}
