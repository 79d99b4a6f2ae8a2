//! The sample's inventory with one value damaged, two hundred times.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use closegate::inventory::Inventory;
use serde_json::{Value, json};

use crate::common::sample;
use crate::inventory_damage::change;

/// Numbers from a seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

/// Every place of a document, as a JSON pointer.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{position}"), into);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                into.push(at.clone());
                places(value, &at, into);
            }
        }
        _ => {}
    }
}

/// The damage of one place: gone, empty, of another kind, or another value.
fn damage(document: &mut Value, at: &str, dice: &mut Dice) {
    let old = document.pointer(at).unwrap().clone();
    let new = match (dice.below(6), old) {
        (0, _) => None,
        (1, _) => Some(Value::Null),
        (2, _) => Some(json!("")),
        (3, _) => Some(json!(dice.below(1_000_000))),
        (4, Value::Number(n)) => Some(json!(-n.as_i64().unwrap_or_default() - 2)),
        (_, Value::String(text)) => {
            let mut letters: Vec<char> = text.chars().collect();
            let position = dice.below(letters.len().max(1));
            letters.splice(position..(position + 1).min(letters.len()), ['9']);
            Some(Value::String(letters.into_iter().collect()))
        }
        (4, _) => Some(json!([7])),
        (_, other) => Some(json!({"x": other})),
    };
    change(document, at, new);
}

/// What is known of each thing, by its id.
fn facts(inventory: &Inventory) -> BTreeMap<String, String> {
    let groups = inventory.groups().iter().map(|group| {
        let said = (
            &group.name,
            &group.vpc,
            &group.owner,
            &group.also_in,
            &group.rules,
            &group.upkeep,
            group.known,
        );
        (group.id.clone(), format!("{said:?}"))
    });
    let interfaces = inventory.interfaces().iter().map(|interface| {
        let carried: Vec<_> = interface
            .groups
            .iter()
            .map(|&ix| &inventory.group(ix).id)
            .collect();
        let held = (
            &interface.addresses,
            &interface.prefixes,
            &interface.public_addresses,
            carried,
        );
        let said = (
            &interface.vpc,
            &interface.subnet,
            &interface.region,
            interface.kind,
            &interface.instance,
            &interface.label,
        );
        (interface.id.clone(), format!("{said:?}{held:?}"))
    });
    let lists = inventory
        .prefix_lists()
        .iter()
        .map(|list| (list.id.clone(), format!("{list:?}")));
    groups.chain(interfaces).chain(lists).collect()
}

/// One damaged value of the sample's inventory costs an error that names the file, or a note, or the thing that it is
/// in, and nothing else.
#[test]
fn one_damaged_value_costs_no_other_thing() {
    let files: Vec<(String, Value)> = {
        let files = fs::read_dir(sample().join("inventory")).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: std::path::PathBuf| {
            let name = path.file_name().unwrap().display().to_string();
            (
                name,
                serde_json::from_slice(&fs::read(path).unwrap()).unwrap(),
            )
        };
        files.into_iter().map(read).collect()
    };
    let load = |files: &[(String, Value)]| {
        let texts: Vec<_> = files
            .iter()
            .map(|(name, page)| (name, page.to_string()))
            .collect();
        Inventory::from_files(
            texts
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_bytes())),
        )
    };
    let whole = load(&files).unwrap();
    let expected = facts(&whole);
    let mut dice = Dice(26);
    let (mut errors, mut notes, mut equal, mut confined) = (0, 0, 0, 0);
    for _ in 0..200 {
        let which = dice.below(files.len());
        let mut damaged = files.clone();
        let name = files[which].0.clone();
        let page = &mut damaged[which].1;
        let mut all = Vec::new();
        places(page, "", &mut all);
        let at = all[dice.below(all.len())].clone();
        damage(page, &at, &mut dice);
        let what = format!("{name} {at}: {:?}", page.pointer(&at));
        match load(&damaged) {
            Err(error) => {
                assert!(
                    error.to_string().contains(name.as_str()) || at.matches('/').count() == 1,
                    "{what}: {error}"
                );
                errors += 1;
            }
            Ok(read) if read.notes() != whole.notes() => notes += 1,
            Ok(read) => {
                let found = facts(&read);
                let ids: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
                let differing: Vec<_> = ids
                    .into_iter()
                    .filter(|&id| found.get(id) != expected.get(id))
                    .collect();
                if differing.is_empty() {
                    equal += 1;
                } else {
                    assert!(differing.len() <= 2, "{what}: {differing:?}");
                    confined += 1;
                }
            }
        }
    }
    assert!(
        errors > 30 && equal > 10 && confined > 5 && notes > 0,
        "{errors} {notes} {equal} {confined}"
    );
}
