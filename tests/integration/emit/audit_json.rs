//! `audit.json` and `rules/rules.json`, and `connections.parquet` beside them.

use polars::prelude::{ParquetReader, SerReader};

use super::{audit, file, hostile_audit, json};

#[test]
fn every_json_file_meets_its_schema() {
    for audit in [audit(), hostile_audit()] {
        for (name, path) in closegate::emit::SCHEMAS {
            let schema = serde_json::to_value(closegate::emit::schema(name).unwrap()).unwrap();
            let document = json(&audit, path);
            let validator = jsonschema::validator_for(&schema).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&document)
                .map(|e| e.to_string())
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{path}");
            assert_eq!(document["schema_version"], 1);
        }
    }
}

/// The keys that scripts depend on, with the kinds of value the contract names.
#[test]
fn the_contracts_keys_are_there() {
    let document = json(&audit(), "audit.json");
    let has = |value: &serde_json::Value, keys: &[&str]| {
        for key in keys {
            assert!(value.get(key).is_some(), "`{key}` is missing in {value}");
        }
    };
    has(
        &document,
        &[
            "schema_version",
            "tool",
            "window",
            "input",
            "connections",
            "findings",
            "rules",
            "revocations",
            "replay",
            "exposure",
        ],
    );
    has(
        &document["input"],
        &[
            "records_read",
            "records_no_data",
            "records_skip_data",
            "records_duplicate",
            "records_malformed",
            "bytes_read",
            "sources",
            "malformed_samples",
        ],
    );
    for source in document["input"]["sources"].as_array().unwrap() {
        has(source, &["name", "format", "records", "malformed"]);
    }
    for c in document["connections"].as_array().unwrap() {
        has(
            c,
            &[
                "id",
                "initiator",
                "responder",
                "protocol",
                "port",
                "verdict",
                "direction_confidence",
                "records",
                "bytes",
                "packets",
                "first_seen",
                "last_seen",
            ],
        );
        has(&c["initiator"], &["interface_id", "address", "groups"]);
        has(
            &c["responder"],
            &["interface_id", "address", "groups", "aws_service"],
        );
    }
    for f in document["findings"].as_array().unwrap() {
        has(
            f,
            &[
                "id",
                "kind",
                "severity",
                "confidence",
                "title",
                "detail",
                "remediation",
                "group_id",
                "interface_id",
                "local",
                "remote",
                "protocol",
                "port",
                "first_seen",
                "last_seen",
                "records",
                "bytes",
                "quarantined",
                "evidence",
            ],
        );
    }
    for r in document["rules"].as_array().unwrap() {
        has(
            r,
            &[
                "id",
                "direction",
                "group_id",
                "protocol",
                "from_port",
                "to_port",
                "target",
                "status",
                "pair",
                "description",
                "confidence",
                "evidence",
            ],
        );
        assert_eq!(
            r["target"].as_object().unwrap().len(),
            1,
            "exactly one target"
        );
    }
    for r in document["revocations"].as_array().unwrap() {
        has(
            r,
            &[
                "group_id",
                "direction",
                "security_group_rule_id",
                "protocol",
                "from_port",
                "to_port",
                "target",
                "reason",
            ],
        );
        assert_eq!(
            (&r["protocol"], &r["from_port"], &r["reason"]),
            (
                &"-1".into(),
                &serde_json::Value::Null,
                &"open-egress".into()
            )
        );
        assert_eq!(r["target"]["cidr_ipv4"], "0.0.0.0/0");
    }
    has(
        &document["replay"],
        &[
            "connections",
            "permitted",
            "quarantined",
            "refused",
            "unattributed",
            "lost",
            "lost_connections",
        ],
    );
    has(&document["exposure"], &["before", "after", "ideal"]);
}

#[test]
fn the_numbers_add_up() {
    let document = json(&audit(), "audit.json");
    let number = |path: &str| document.pointer(path).unwrap().as_u64().unwrap();
    let rows: u64 = document["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["records"].as_u64().unwrap())
        .sum();
    assert_eq!(
        number("/input/records_read"),
        rows + number("/input/records_no_data") + number("/input/records_skip_data")
    );
    let outcomes: u64 = [
        "permitted",
        "quarantined",
        "refused",
        "unattributed",
        "lost",
    ]
    .iter()
    .map(|o| number(&format!("/replay/{o}")))
    .sum();
    assert_eq!(number("/replay/connections"), outcomes);
    assert!(
        number("/exposure/ideal") <= number("/exposure/after")
            && number("/exposure/after") < number("/exposure/before")
    );
    // Ids refer to what is there, and pairs refer to each other.
    let ids = |key: &str| -> Vec<String> {
        document[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (connections, rules) = (ids("connections"), ids("rules"));
    for key in ["findings", "rules"] {
        for row in document[key].as_array().unwrap() {
            assert!(
                row["evidence"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|id| connections.contains(&id.as_str().unwrap().to_owned()))
            );
        }
    }
    for (rule, id) in document["rules"].as_array().unwrap().iter().zip(&rules) {
        if let Some(pair) = rule["pair"].as_str() {
            let other = rules.iter().position(|r| r == pair).unwrap();
            assert_eq!(document["rules"][other]["pair"], id.as_str());
        }
    }
}

#[test]
fn the_parquet_table_has_a_row_per_connection() {
    let audit = audit();
    let bytes = file(&audit, "connections.parquet");
    let frame = ParquetReader::new(std::io::Cursor::new(bytes))
        .finish()
        .unwrap();
    assert_eq!(frame.height(), audit.connections.len());
    let records = frame
        .column("records")
        .unwrap()
        .u64()
        .unwrap()
        .iter()
        .flatten()
        .sum::<u64>();
    assert_eq!(records, audit.intake.rows);
    let ids: Vec<&str> = frame
        .column("id")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .flatten()
        .collect();
    assert!(
        ids.iter()
            .zip(&audit.connections)
            .all(|(id, c)| *id == c.id)
    );
}
