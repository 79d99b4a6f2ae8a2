//! How each engine writes SQL: one table, so that every question is written once.

use std::fmt::Write as _;

use crate::ingest::FIELDS;
use crate::net::is_invisible;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Amazon Athena, over a table of logs.
    Athena,
    /// Trino, over a table of logs.
    Trino,
    /// Apache Spark, over a table or files of logs.
    Spark,
    /// `ClickHouse`, over a table or files of logs.
    Clickhouse,
    /// `DuckDB`, over a table or files of logs.
    Duckdb,
    /// Amazon CloudWatch Logs Insights, over a log group.
    Insights,
}

impl Engine {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Athena => "athena",
            Self::Trino => "trino",
            Self::Spark => "spark",
            Self::Clickhouse => "clickhouse",
            Self::Duckdb => "duckdb",
            Self::Insights => "insights",
        }
    }

    /// Its SQL; `None` for Logs Insights, which has a language of its own.
    pub const fn dialect(self) -> Option<&'static Dialect> {
        match self {
            Self::Athena | Self::Trino => Some(&TRINO),
            Self::Spark => Some(&SPARK),
            Self::Clickhouse => Some(&CLICKHOUSE),
            Self::Duckdb => Some(&DUCKDB),
            Self::Insights => None,
        }
    }
}

/// How an engine writes SQL. In each text, `{}` stands for an expression.
#[derive(Debug)]
pub struct Dialect {
    /// Around a name.
    name_quote: char,
    /// Whether a backslash in a text escapes what follows.
    has_escapes: bool,
    hidden: Hidden,
    /// A 64-bit integer, and nothing for what is none.
    integer: &'static str,
    /// The same of a number below 2^64.
    decimal: &'static str,
    text: &'static str,
    /// The function that says whether a regular expression matches somewhere in a text.
    matches: &'static str,
    /// How it reads files; `None` for engines that read tables only.
    files: Option<Files>,
}

/// How a text has a character that a terminal would obey or hide.
#[derive(Clone, Copy, Debug)]
enum Hidden {
    /// By a call of `chr` with its code.
    Code,
    /// By its UTF-8, in hexadecimal digits.
    Bytes,
    /// By an escape in the text: Spark takes no calls in a list of values.
    Escape,
}

/// How an engine reads log files: as lines, so that a damaged line costs only itself, and is counted.
#[derive(Debug)]
struct Files {
    /// A row for each line; `{}` is where the files are.
    lines: &'static str,
    parquet: &'static str,
    /// Whether the place of files is written as a name, not as a text.
    is_named: bool,
    /// The column of `lines`.
    line: &'static str,
    /// The values of a line, as a list. Runs of spaces and tabs are one separator, as in the reader of closegate.
    split: &'static str,
    /// How many there are in the list `fields`.
    count: &'static str,
    /// The value at a place.
    field: &'static str,
    /// The place of the first value.
    first: usize,
    /// A list of texts.
    list: [&'static str; 2],
    /// Whether a line is none of the expected headers. Another header ends the query with a message: read by the places of
    /// its values, such a file would give wrong flows.
    is_record: &'static str,
}

/// Athena and Trino.
const TRINO: Dialect = Dialect {
    name_quote: '"',
    has_escapes: false,
    hidden: Hidden::Code,
    integer: "TRY_CAST({} AS bigint)",
    decimal: "TRY_CAST({} AS decimal(20, 0))",
    text: "CAST({} AS varchar)",
    matches: "regexp_like",
    files: None,
};

const DUCKDB: Dialect = Dialect {
    // Decimals of texts take hundreds of times as long.
    decimal: "TRY_CAST({} AS ubigint)",
    matches: "regexp_matches",
    files: Some(Files {
        lines: "read_csv({}, header = false, columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '', auto_detect = false, strict_mode = false)",
        parquet: "read_parquet({}, union_by_name = true)",
        is_named: false,
        line: "line",
        split: "string_split_regex(trim({}, ' ' || chr(9) || chr(13)), '[ ' || chr(9) || ']+')",
        count: "len(fields)",
        field: "fields[{}]",
        first: 1,
        list: ["[", "]"],
        is_record: "CASE WHEN {other_header} THEN error({message}) WHEN {header} THEN false ELSE true END",
    }),
    ..TRINO
};

const SPARK: Dialect = Dialect {
    name_quote: '`',
    has_escapes: true,
    hidden: Hidden::Escape,
    text: "CAST({} AS string)",
    files: Some(Files {
        lines: "text.{}",
        parquet: "parquet.{}",
        is_named: true,
        line: "value",
        split: r"split(trim(BOTH ' \t\r' FROM {}), '[ \t]+')",
        count: "size(fields)",
        field: "get(fields, {})",
        first: 0,
        list: ["array(", ")"],
        is_record: "CASE WHEN {other_header} THEN raise_error({message}) WHEN {header} THEN false ELSE true END",
    }),
    ..TRINO
};

const CLICKHOUSE: Dialect = Dialect {
    name_quote: '"',
    has_escapes: true,
    hidden: Hidden::Bytes,
    integer: "accurateCastOrNull({}, 'Int64')",
    decimal: "accurateCastOrNull({}, 'Decimal(20, 0)')",
    text: "CAST({} AS Nullable(String))",
    matches: "match",
    files: Some(Files {
        lines: "file({}, 'LineAsString')",
        parquet: "file({}, 'Parquet')",
        is_named: false,
        line: "line",
        split: "splitByWhitespace({})",
        count: "length(fields)",
        field: "fields[{}]",
        first: 1,
        list: ["[", "]"],
        is_record: "CASE WHEN throwIf({other_header}, {message}) = 1 OR {header} THEN false ELSE true END",
    }),
};

/// Private addresses, as a regular expression over their text: those that RFC 1918, RFC 6598, RFC 4193 and the link-local
/// ranges keep off the internet, and multicast.
pub const PRIVATE: &str = r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|127\.|169\.254\.|0\.|22[4-9]\.|2[3-5][0-9]\.|f[cd]|fe[89ab]|ff)";

/// The largest number that the reader of closegate takes.
const LARGEST: u64 = u64::MAX;

impl Dialect {
    /// Text in SQL, as an expression. Characters that a terminal would obey or hide are in it by their codes.
    pub fn quoted(&self, text: &str) -> String {
        let mut out = "'".to_owned();
        for c in text.chars() {
            match c {
                '\'' if self.has_escapes => out += r"\'",
                '\'' => out += "''",
                '\\' if self.has_escapes => out += r"\\",
                _ if is_invisible(c) => {
                    let code = u32::from(c);
                    match self.hidden {
                        Hidden::Code => write!(out, "' || chr({code}) || '"),
                        Hidden::Bytes => write!(out, "' || unhex('{}') || '", hexadecimal(c)),
                        Hidden::Escape if code > 0xffff => write!(out, r"\U{code:08X}"),
                        Hidden::Escape => write!(out, r"\u{code:04X}"),
                    }
                    .expect("a string takes everything");
                }
                _ => out.push(c),
            }
        }
        out + "'"
    }

    /// A name in SQL.
    pub fn named(&self, name: &str) -> String {
        let quote = self.name_quote;
        let doubled = format!("{quote}{quote}");
        format!("{quote}{}{quote}", name.replace(quote, &doubled))
    }

    /// An expression as text.
    pub(super) fn text(&self, expression: &str) -> String {
        self.text.replace("{}", expression)
    }

    /// What a marker of a question stands for: a kind and an expression, such as `integer:sum(bytes)`. `None` for another kind.
    pub(super) fn expression(&self, marker: &str) -> Option<String> {
        let (kind, of) = marker.split_once(':')?;
        Some(match kind {
            "integer" => self.integer.replace("{}", of),
            "decimal" => self.decimal.replace("{}", of),
            "text" => self.text(of),
            // Digits only, of a number below 2^64.
            "digits" => format!(
                "NOT {}({of}, '[^0-9]') AND (length({of}) < 20 OR length({of}) = 20 AND {of} <= '{LARGEST}')",
                self.matches
            ),
            "private" => format!("{}({of}, {})", self.matches, self.quoted(PRIVATE)),
            _ => return None,
        })
    }

    /// Log files, as it stands behind FROM: text, gzip or not, with or without a header, or Parquet. The columns are called as
    /// Parquet has them. `names` are the fields in the order of the text. `None` for an engine that reads tables only.
    pub fn log_files(&self, glob: &str, names: &[String]) -> Option<String> {
        let files = self.files.as_ref()?;
        let place = if files.is_named {
            self.named(glob)
        } else {
            self.quoted(glob)
        };
        if glob.ends_with(".parquet") {
            return Some(files.parquet.replace("{}", &place));
        }
        let at = |place: usize| {
            files
                .field
                .replace("{}", &(place + files.first).to_string())
        };
        let columns: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                format!(
                    "CASE WHEN {} = {} THEN {} END AS {}",
                    files.count,
                    names.len(),
                    at(place),
                    self.named(&name.replace('-', "_"))
                )
            })
            .collect();
        let header: Vec<String> = names
            .iter()
            .map(|name| self.quoted(&name.replace('_', "-")))
            .collect();
        let known: Vec<String> = FIELDS.iter().map(|field| self.quoted(field.name)).collect();
        let first = at(0);
        let is_header = format!("{first} IN ({})", known.join(", "));
        let [open, close] = files.list;
        let other_header = format!(
            "{is_header} AND fields <> {open}{}{close}",
            header.join(", ")
        );
        let message = self.quoted("a file has another header; give its fields by --log-format");
        let is_record = files
            .is_record
            .replace("{other_header}", &other_header)
            .replace("{message}", &message)
            .replace("{header}", &is_header);
        Some(format!(
            "(\n        SELECT\n            {}\n        FROM (SELECT {} AS fields FROM {} WHERE trim({}) <> '') AS log_lines\n        WHERE {is_record}\n    ) AS logs",
            columns.join(",\n            "),
            files.split.replace("{}", files.line),
            files.lines.replace("{}", &place),
            files.line,
        ))
    }
}

/// A character's UTF-8, in hexadecimal digits.
fn hexadecimal(c: char) -> String {
    let mut digits = String::new();
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        write!(digits, "{byte:02X}").expect("a string takes everything");
    }
    digits
}
