//! A TOML file, read with the place of whatever is wrong.
//!
//! Messages name line, column and key, what was found, and what is allowed. serde's errors speak of Rust's types and
//! spread over several lines, so the tables are read here.

use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::net::visible;

/// What is wrong with the file: where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Lines and columns count from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) what: String,
}

/// A table of the file, whose keys are taken one by one.
#[derive(Debug)]
pub(crate) struct Section<'t> {
    text: &'t str,
    /// As the file's author names it: `generalise.balanced`, `approve, number 2,`.
    name: String,
    /// Where it begins.
    at: usize,
    table: DeTable<'t>,
}

/// How alike a wrong key and a known one have to be for the latter to be proposed; clap's limit.
const ALIKE: f64 = 0.7;

impl<'t> Section<'t> {
    /// The file's top table.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Flaw> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            flaw(text, at, format!("this is not TOML: {}", error.message()))
        })?;
        Ok(Self {
            text,
            name: String::new(),
            at: 0,
            table: table.into_inner(),
        })
    }

    /// A key's full name.
    fn name_of(&self, key: &str) -> String {
        let key = visible(key, 60);
        match self.name.as_str() {
            "" => key,
            name if name.ends_with(',') => format!("{name} {key}"),
            name => format!("{name}.{key}"),
        }
    }

    /// The section as a whole is wrong.
    pub(crate) fn wrong(&self, what: &str) -> Flaw {
        let name = self.name.trim_end_matches(',');
        flaw(self.text, self.at, format!("{name}: {what}"))
    }

    /// The value of a key is wrong: `what` says how, behind the key's name.
    pub(crate) fn wrong_at(&self, key: &str, span: &Range<usize>, what: &str) -> Flaw {
        let name = self.name_of(key);
        flaw(self.text, span.start, format!("{name} {what}"))
    }

    fn unwanted(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> Flaw {
        let what = format!("is {}; give {wanted}", found(value.get_ref()));
        self.wrong_at(key, &value.span(), &what)
    }

    /// The line on which it begins, from 1.
    pub(crate) fn line(&self) -> usize {
        flaw(self.text, self.at, String::new()).line
    }

    /// Refuses every key but these.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Flaw> {
        let key = self.keys().find(|(key, _)| !known.contains(key));
        let Some((key, span)) = key else {
            return Ok(());
        };
        let alike = nearest(key, known)
            .map(|near| format!("did you mean {near}? "))
            .unwrap_or_default();
        let what = format!("is not a key; {alike}there are {}", known.join(", "));
        Err(self.wrong_at(key, &span, &what))
    }

    /// The keys that are left, and where they stand.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.table
            .keys()
            .map(|key| (key.get_ref().as_ref(), key.span()))
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'t>>> {
        self.table.remove(key)
    }

    /// A table inside; empty if it is not there.
    pub(crate) fn section(&mut self, key: &str) -> Result<Self, Flaw> {
        let name = self.name_of(key);
        let (at, table) = match self.take(key) {
            None => (self.at, DeTable::new()),
            Some(value) => {
                let at = value.span().start;
                match value.into_inner() {
                    DeValue::Table(table) => (at, table),
                    other => {
                        let other = Spanned::new(at..at, other);
                        return Err(self.unwanted(key, &other, &format!("a table, [{name}]")));
                    }
                }
            }
        };
        Ok(Self {
            text: self.text,
            name,
            at,
            table,
        })
    }

    /// The tables of a list, `[[key]]`.
    pub(crate) fn sections(&mut self, key: &str) -> Result<Vec<Self>, Flaw> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        let wanted = format!("tables, each [[{}]]", self.name_of(key));
        let is_tables = |list: &[Spanned<DeValue<'_>>]| list.iter().all(|v| v.get_ref().is_table());
        if !value
            .get_ref()
            .as_array()
            .is_some_and(|list| is_tables(list))
        {
            return Err(self.unwanted(key, &value, &wanted));
        }
        let DeValue::Array(list) = value.into_inner() else {
            return Ok(Vec::new());
        };
        let tables = list
            .into_iter()
            .enumerate()
            .filter_map(|(position, value)| {
                let at = value.span().start;
                let DeValue::Table(table) = value.into_inner() else {
                    return None;
                };
                Some(Self {
                    text: self.text,
                    name: format!("{}, number {},", self.name_of(key), position + 1),
                    at,
                    table,
                })
            });
        Ok(tables.collect())
    }

    /// A value that `read` understands, and where it stands; `wanted` says what may be written.
    pub(crate) fn value<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Result<Option<(T, Range<usize>)>, Flaw> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match read(value.get_ref()) {
            Some(read) => Ok(Some((read, value.span()))),
            None => Err(self.unwanted(key, &value, wanted)),
        }
    }

    /// The same, without the place.
    pub(crate) fn plain<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Result<Option<T>, Flaw> {
        Ok(self.value(key, wanted, read)?.map(|(value, _)| value))
    }

    /// A list of texts.
    pub(crate) fn texts(
        &mut self,
        key: &str,
        wanted: &str,
    ) -> Result<Vec<(String, Range<usize>)>, Flaw> {
        let texts = |value: &DeValue<'_>| {
            let texts = value.as_array()?.iter();
            texts
                .map(|text| Some((text.get_ref().as_str()?.to_owned(), text.span())))
                .collect()
        };
        Ok(self.plain(key, wanted, texts)?.unwrap_or_default())
    }
}

/// A text.
pub(crate) fn text(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// True or false.
pub(crate) fn flag(value: &DeValue<'_>) -> Option<bool> {
    value.as_bool()
}

/// A date, as a text or as TOML's own.
pub(crate) fn date(value: &DeValue<'_>) -> Option<Date> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(time) if time.time.is_none() => time.to_string(),
        _ => return None,
    };
    text.parse().ok()
}

/// A whole number of a type.
pub(crate) fn number<N: TryFrom<i64>>(value: &DeValue<'_>) -> Option<N> {
    let number = value.as_integer()?;
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
    N::try_from(number).ok()
}

/// The known word that is most like another.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let alike = known
        .iter()
        .map(|&known| (strsim::jaro(word, known), known));
    let (likeness, known) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > ALIKE).then_some(known)
}

/// A value in words.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("`{}`", visible(text, 60)),
        DeValue::Integer(number) => visible(&number.to_string(), 60),
        DeValue::Float(number) => visible(number.as_str(), 60),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list of other things".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn flaw(text: &str, at: usize, what: String) -> Flaw {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Flaw {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what,
    }
}
