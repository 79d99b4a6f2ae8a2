//! Tables and lists of a report, which together take up no more than a report has room for.

use std::fmt;

use super::room::shares;
use crate::net::thousands;

/// Bytes that the rows of all tables and lists of a report have room in.
const ROOM: usize = 56_000;

/// What the rows make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    List,
    /// A block of commands.
    Code,
}

impl Form {
    /// What stands before the rows, and before, between and after each of them.
    const fn marks(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Table => ("", "", "\n"),
            Self::List => ("", "\n- ", ""),
            Self::Code => ("\n```sh\n", "", "\n"),
        }
    }
}

/// Rows of a table or list, in Markdown.
#[derive(Debug)]
pub(super) struct Rows {
    form: Form,
    /// The most important first, each with its place among all. No more than there is room for.
    lines: Vec<(usize, String)>,
    all: usize,
    /// Bytes of the lines.
    size: usize,
    /// The share of the room, in relation to those of others.
    weight: usize,
    /// The file of the run that has all rows.
    file: &'static str,
    /// Which rows are the most important.
    first: &'static str,
}

impl Rows {
    /// A table; `rank` is least for the row that is to be there before any other, and `line` makes the row of a thing.
    pub(super) fn table<T, K: Ord>(
        things: &[T],
        rank: impl Fn(&T) -> K,
        line: impl Fn(&T) -> String,
    ) -> Self {
        Self::new(Form::Table, things, rank, line)
    }

    /// A list.
    pub(super) fn list<T, K: Ord>(
        things: &[T],
        rank: impl Fn(&T) -> K,
        line: impl Fn(&T) -> String,
    ) -> Self {
        Self::new(Form::List, things, rank, line)
    }

    /// A block of commands, in order.
    pub(super) fn code(commands: &[String]) -> Self {
        Self::new(Form::Code, commands, |_| 0, Clone::clone)
    }

    fn new<T, K: Ord>(
        form: Form,
        things: &[T],
        rank: impl Fn(&T) -> K,
        line: impl Fn(&T) -> String,
    ) -> Self {
        let mut order: Vec<usize> = (0..things.len()).collect();
        order.sort_by_key(|&place| rank(&things[place]));
        let (_, before, after) = form.marks();
        let mut lines = Vec::new();
        let mut size = 0;
        for place in order {
            let line = [before, &line(&things[place]), after].concat();
            size += line.len();
            lines.push((place, line));
            // No share is larger than all the room there is.
            if size > ROOM {
                break;
            }
        }
        Self {
            form,
            lines,
            all: things.len(),
            size,
            weight: 1,
            file: "audit.json",
            first: "the first",
        }
    }

    /// Names the file that has all rows, and which of them a cut table shows.
    pub(super) fn all_in(mut self, file: &'static str, first: &'static str) -> Self {
        self.file = file;
        self.first = first;
        self
    }

    /// Gives it a multiple of the room that others get.
    pub(super) fn weighing(mut self, weight: usize) -> Self {
        self.weight = weight;
        self
    }

    /// As many rows as there is room for: all in their order, or the most important.
    fn within(mut self, mut room: usize) -> Shown {
        if self.size <= room {
            self.lines.sort_by_key(|&(place, _)| place);
        }
        let (mut text, mut shown) = (String::new(), 0);
        for (_, line) in &self.lines {
            let Some(left) = room.checked_sub(line.len()) else {
                break;
            };
            room = left;
            text += line;
            shown += 1;
        }
        if self.all > 0 {
            text.insert_str(0, self.form.marks().0);
        }
        if self.form == Form::Code && self.all > 0 {
            text += "```\n";
        }
        let left = self.all - shown;
        if left > 0 {
            let more = format!(
                "{} more in `{}`; {} are shown.",
                thousands(left as u64),
                self.file,
                self.first
            );
            let (before, after) = match self.form {
                Form::Table | Form::Code => ("\n", "\n"),
                Form::List => ("\n\n", ""),
            };
            text.extend([before, &more, after]);
        }
        Shown {
            text,
            is_empty: self.all == 0,
        }
    }
}

/// The rows that a report shows, and how many more there are.
#[derive(Debug)]
pub(super) struct Shown {
    text: String,
    is_empty: bool,
}

impl Shown {
    /// Whether there are no rows, shown or not.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Shares the room among the tables and lists of a report.
pub(super) fn shown<const N: usize>(lists: [Rows; N]) -> [Shown; N] {
    let sizes: Vec<(usize, usize)> = lists.iter().map(|rows| (rows.size, rows.weight)).collect();
    let mut shares = shares(&sizes, ROOM).into_iter();
    lists.map(|rows| rows.within(shares.next().unwrap_or_default()))
}
