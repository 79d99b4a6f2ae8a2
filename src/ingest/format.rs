//! Which column of a line is which field: compiled once, used for every line.

use super::fields::{self, COLUMNS, Column};

/// A line format, compiled: the position of every used column, and how many
/// values a line must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    names: Vec<String>,
    /// By position in the line: the index of a [`Column`], or `SKIP`.
    plan: Vec<u8>,
    /// By [`Column`]: the position in the line.
    positions: [Option<usize>; COLUMNS],
    is_default: bool,
}

pub(super) const SKIP: u8 = u8::MAX;

/// Why a list of fields cannot be used as a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFormatError {
    /// A Transit Gateway flow log.
    #[error(
        "this is a Transit Gateway flow log: it records no ACCEPT or REJECT and no interface, so it proves nothing about security groups; give the VPC flow logs of the attached VPCs instead"
    )]
    TransitGateway,
    /// A field that connections cannot do without.
    #[error(
        "the format has no `{0}`, without which a connection can't be told; add it to the flow log's format"
    )]
    Missing(&'static str),
    /// A name that no version of the documentation has.
    #[error(
        "`{0}` is not a flow log field; write the format as `${{version}} ${{account-id}} …`, with the names of the AWS documentation"
    )]
    UnknownField(String),
    /// One field twice.
    #[error(
        "the format names `{0}` twice, so which of the two values counts is not known; name each field once"
    )]
    Twice(String),
}

/// What a connection cannot be told without: one of each pair.
const NEEDED: &[(Column, Column, &str)] = &[
    (Column::SrcAddr, Column::PktSrcAddr, "srcaddr"),
    (Column::DstAddr, Column::PktDstAddr, "dstaddr"),
    (Column::SrcPort, Column::SrcPort, "srcport"),
    (Column::DstPort, Column::DstPort, "dstport"),
    (Column::Protocol, Column::Protocol, "protocol"),
    (Column::Action, Column::Action, "action"),
    (Column::Start, Column::Start, "start"),
];

/// Whether records with these columns can become connections; an error names the first field that is missing.
pub(super) fn complete(has: impl Fn(Column) -> bool) -> Result<(), LogFormatError> {
    match NEEDED.iter().find(|&&(a, b, _)| !has(a) && !has(b)) {
        Some(&(_, _, name)) => Err(LogFormatError::Missing(name)),
        None => Ok(()),
    }
}

/// The same of a table, by the names of its columns: other tools' tables may have any column besides.
pub(super) fn complete_table<'n>(
    has: impl Fn(Column) -> bool,
    mut names: impl Iterator<Item = &'n str>,
) -> Result<(), LogFormatError> {
    complete(has).map_err(|missing| {
        if names.any(fields::is_of_transit_gateways) {
            LogFormatError::TransitGateway
        } else {
            missing
        }
    })
}

impl LogFormat {
    /// The default format.
    pub fn default_v2() -> Self {
        Self::from_names(fields::DEFAULT.split(' '), true).expect("the default format is complete")
    }

    /// A format as `--log-format` and `LogFormat` write it: `${version} ${account-id} …`.
    /// Bare names are taken too. Unknown names are errors: a person typed this.
    pub fn parse(text: &str) -> Result<Self, LogFormatError> {
        let names = text.split_ascii_whitespace().map(|token| {
            token
                .strip_prefix("${")
                .and_then(|t| t.strip_suffix('}'))
                .unwrap_or(token)
        });
        Self::from_names(names, true)
    }

    /// A format from a header line; fields newer than this program are skipped.
    pub fn from_header(line: &str) -> Result<Self, LogFormatError> {
        Self::from_names(line.split_ascii_whitespace(), false)
    }

    fn from_names<'a>(
        names: impl Iterator<Item = &'a str>,
        strict: bool,
    ) -> Result<Self, LogFormatError> {
        let mut format = Self {
            names: Vec::new(),
            plan: Vec::new(),
            positions: [None; COLUMNS],
            is_default: false,
        };
        let names: Vec<&str> = names.collect();
        if names
            .iter()
            .any(|name| fields::is_of_transit_gateways(name))
        {
            return Err(LogFormatError::TransitGateway);
        }
        for name in names {
            let field = fields::field(name);
            if field.is_none() && strict {
                return Err(LogFormatError::UnknownField(name.to_owned()));
            }
            let column = field.and_then(|f| f.column);
            if let Some(column) = column {
                let position = &mut format.positions[column as usize];
                if position.is_some() {
                    return Err(LogFormatError::Twice(name.to_owned()));
                }
                *position = Some(format.plan.len());
            }
            format.plan.push(column.map_or(SKIP, |c| c as u8));
            format
                .names
                .push(field.map_or_else(|| name.to_owned(), |f| f.name.to_owned()));
        }
        complete(|column| format.has(column))?;
        let names = format.names.iter();
        format.is_default = names.eq(fields::DEFAULT.split(' '));
        Ok(format)
    }

    /// Whether a line is a header rather than a row: at least half of its words,
    /// and the first, are field names. No row can look so: values are numbers,
    /// addresses, ids and upper-case words, and a tag is one value of many.
    pub fn is_header(line: &[u8]) -> bool {
        if !line.first().is_some_and(u8::is_ascii_lowercase) {
            return false;
        }
        let Ok(line) = std::str::from_utf8(line) else {
            return false;
        };
        let is_name =
            |token: &str| fields::field(token).is_some() || fields::is_of_transit_gateways(token);
        let (mut known, mut all) = (0, 0);
        for (position, token) in line.split_ascii_whitespace().enumerate() {
            all += 1;
            if is_name(token) {
                known += 1;
            } else if position == 0 {
                return false;
            }
        }
        all >= 2 && known * 2 >= all
    }

    /// The field names in order, separated by spaces.
    pub fn describe(&self) -> String {
        if self.is_default() {
            "default (version 2)".to_owned()
        } else {
            self.names.join(" ")
        }
    }

    /// Whether it is the default format.
    pub(super) const fn is_default(&self) -> bool {
        self.is_default
    }

    /// The field names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many values a line has.
    pub(super) fn width(&self) -> usize {
        self.plan.len()
    }

    pub(super) fn plan(&self) -> &[u8] {
        &self.plan
    }

    /// Where in the line a column is.
    #[inline]
    pub(super) fn position(&self, column: Column) -> Option<usize> {
        self.positions[column as usize]
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.position(column).is_some()
    }
}
