//! `audit.json` and `rules/rules.json`, and `connections.parquet` beside them.

use polars::prelude::{ParquetReader, SerReader};

use super::{audit, file, hostile_audit, json};

#[test]
fn every_json_file_meets_its_schema() {
    for audit in [audit(), hostile_audit()] {
        // A run has files for other accounts only where it has something to say to them: `unknown.rs`. `drift` prints a document, and is
        // no file of a run.
        let always = closegate::emit::SCHEMAS
            .iter()
            .filter(|(name, _)| !["for-account", "drift", "doctor"].contains(name));
        for (name, path) in always {
            let schema = serde_json::to_value(closegate::emit::schema(name).unwrap()).unwrap();
            let document = json(&audit, path);
            let validator = jsonschema::validator_for(&schema).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&document)
                .map(|e| e.to_string())
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{path}");
            assert_eq!(document["schema_version"], 2);
        }
    }
}

/// Where in the document, and the keys that scripts depend on there.
const KEYS: &[(&str, &str)] = &[
    (
        "",
        "schema_version tool window input connections findings rules revocations replay exposure",
    ),
    (
        "input",
        "records_read records_no_data records_skip_data records_duplicate records_malformed bytes_read sources malformed_samples",
    ),
    ("input/sources", "name format records malformed"),
    (
        "connections",
        "id initiator responder protocol port verdict reason leg_of after names direction_confidence records bytes packets first_seen last_seen",
    ),
    ("connections/after", "state rules"),
    ("connections/initiator", "interface_id address groups"),
    (
        "connections/responder",
        "interface_id address groups aws_service",
    ),
    (
        "findings",
        "id kind severity confidence title detail remediation group_id interface_id local remote protocol port",
    ),
    (
        "findings",
        "first_seen last_seen records bytes quarantined threat outcome known_since count evidence",
    ),
    (
        "rules",
        "id direction group_id protocol from_port to_port target status pair description confidence evidence",
    ),
    (
        "revocations",
        "group_id direction security_group_rule_id protocol from_port to_port target reason",
    ),
    (
        "replay",
        "connections permitted quarantined still_open rejected unattributed lost lost_connections",
    ),
    ("exposure", "before after ideal"),
];

/// Every value at a path; lists are entered.
fn at(value: &serde_json::Value, path: &str) -> Vec<serde_json::Value> {
    let mut found = vec![value.clone()];
    for step in path.split('/').filter(|step| !step.is_empty()) {
        found = found
            .into_iter()
            .flat_map(|v| match &v[step] {
                serde_json::Value::Array(list) => list.clone(),
                other => vec![other.clone()],
            })
            .collect();
    }
    found
}

#[test]
fn the_contracts_keys_are_there() {
    let document = json(&audit(), "audit.json");
    for (path, keys) in KEYS {
        let values = at(&document, path);
        assert!(!values.is_empty(), "{path} is empty in the sample");
        for (value, key) in values
            .iter()
            .flat_map(|v| keys.split(' ').map(move |k| (v, k)))
        {
            assert!(
                value.get(key).is_some(),
                "`{key}` is missing in {path}: {value}"
            );
        }
    }
    for rule in at(&document, "rules") {
        assert_eq!(
            rule["target"].as_object().unwrap().len(),
            1,
            "exactly one target"
        );
    }
    for rule in at(&document, "revocations") {
        assert_eq!(
            (&rule["protocol"], &rule["from_port"]),
            (&"-1".into(), &serde_json::Value::Null)
        );
        assert_eq!(
            (&rule["reason"], &rule["target"]["cidr_ipv4"]),
            (&"open-egress".into(), &"0.0.0.0/0".into())
        );
    }
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
        "rejected",
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
            .all(|(id, c)| *id == c.id.to_string())
    );
}
