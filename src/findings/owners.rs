//! Whose an address is, from databases in `MaxMind`'s format that the user gives.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::Reader;
use serde::Deserialize;

use crate::net::visible;

/// Databases by country, autonomous system or both; the first that knows an answer gives it.
#[derive(Clone, Default)]
pub struct Owners(Vec<Arc<Reader<Vec<u8>>>>);

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} databases", self.0.len())
    }
}

/// What the databases of countries, cities and autonomous systems call their fields.
#[derive(Debug, Default, Deserialize)]
struct Record {
    #[serde(default)]
    country: Option<Country>,
    #[serde(default)]
    autonomous_system_number: Option<u32>,
    #[serde(default)]
    autonomous_system_organization: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Country {
    #[serde(default)]
    iso_code: Option<String>,
}

impl Owners {
    /// Adds a database; the error says what is wrong with it.
    pub fn add(&mut self, database: Vec<u8>) -> Result<(), String> {
        let reader = Reader::from_source(database).map_err(|error| error.to_string())?;
        self.0.push(Arc::new(reader));
        Ok(())
    }

    /// Number and name of the autonomous system, and the country, as far as they are known: `AS64500 Example, NL`.
    pub fn of(&self, address: IpAddr) -> Option<String> {
        let (mut system, mut country) = (None, None);
        for reader in &self.0 {
            let found = reader.lookup(address).ok();
            let Some(record) = found.and_then(|found| found.decode::<Record>().ok().flatten())
            else {
                continue;
            };
            let name = record.autonomous_system_organization.unwrap_or_default();
            let number = record.autonomous_system_number;
            system = system.or(number.map(|n| format!("AS{n} {}", visible(&name, 60))));
            let code = record.country.and_then(|country| country.iso_code);
            country = country.or(code.map(|code| visible(&code, 4)));
        }
        let known: Vec<String> = [system, country].into_iter().flatten().collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}
