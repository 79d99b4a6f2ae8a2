//! Well-known public DNS resolvers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

/// The date, then a line of operator and addresses each, as the operators publish them.
const BUNDLED: &str = include_str!("public-resolvers.txt");

/// Who runs which public resolver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    /// The day that the table is of.
    pub date: String,
    operators: BTreeMap<IpAddr, String>,
}

impl Resolvers {
    /// The table that is compiled in.
    pub fn bundled() -> &'static Self {
        static TABLE: LazyLock<Resolvers> =
            LazyLock::new(|| Resolvers::parse(BUNDLED).expect("a test reads it"));
        &TABLE
    }

    /// A table: `# 2026-11-01`, then lines such as `Quad9: 9.9.9.9 2620:fe::fe`. The error says which line is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(date) = line.strip_prefix('#') {
                date.trim().clone_into(&mut table.date);
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            let (operator, addresses) = line
                .split_once(": ")
                .ok_or_else(|| format!("line {number} is not `OPERATOR: ADDRESS…`"))?;
            for text in addresses.split_whitespace() {
                let address = text
                    .parse()
                    .map_err(|_error| format!("line {number}: `{text}` is not an address"))?;
                table.operators.insert(address, operator.trim().to_owned());
            }
        }
        if table.operators.is_empty() {
            return Err("it names no resolver; give lines such as `Quad9: 9.9.9.9`".to_owned());
        }
        Ok(table)
    }

    /// Who runs the resolver at this address.
    pub fn operator(&self, address: IpAddr) -> Option<&str> {
        self.operators.get(&address).map(String::as_str)
    }

    /// How many addresses there are.
    pub fn count(&self) -> usize {
        self.operators.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_table_can_be_read() {
        let table = Resolvers::bundled();
        assert!(table.count() > 40 && table.date.starts_with("202"));
        assert_eq!(
            table.operator("2620:fe::fe".parse().unwrap()),
            Some("Quad9")
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, says) in [
            ("Quad9 9.9.9.9", "line 1"),
            ("# 2026\nQuad9: 9.9.9", "line 2: `9.9.9`"),
            ("", "no resolver"),
        ] {
            let error = Resolvers::parse(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
