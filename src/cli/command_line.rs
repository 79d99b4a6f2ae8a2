//! Command lines of closegate, for a user to copy.

use std::fmt;
use std::path::Path;

use super::args::{InputArgs, RemoteArgs};
use crate::emit::quoted;
use crate::net::visible;

/// A command line of closegate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// A variable that is set for it: its name and value.
    variable: Option<(&'static str, String)>,
    /// The words behind the program's name.
    words: Vec<String>,
    /// Whether a terminal can show every word as it is, and another run can be given it.
    is_exact: bool,
}

impl CommandLine {
    /// From words of closegate's own, the command first.
    pub(super) fn new(words: &[&str]) -> Self {
        Self {
            variable: None,
            words: words.iter().map(|&word| word.to_owned()).collect(),
            is_exact: true,
        }
    }

    /// Sets a variable for it.
    pub(super) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.is_exact &= is_shown_as_it_is(value);
        self.variable = Some((name, value.to_owned()));
        self
    }

    /// Adds a word.
    pub(super) fn word(mut self, word: &str) -> Self {
        self.is_exact &= is_shown_as_it_is(word);
        self.words.push(word.to_owned());
        self
    }

    /// Adds a path.
    pub(super) fn path(self, path: &Path) -> Self {
        match path.to_str() {
            // It would be taken for an option.
            Some(text) if text.starts_with('-') => self.word(&format!("./{text}")),
            Some(text) => self.word(text),
            // Shown as well as it can be, where it is shown at all.
            None => {
                let mut line = self.word(&path.to_string_lossy());
                line.is_exact = false;
                line
            }
        }
    }

    /// Adds an option with a path.
    pub(super) fn option(self, name: &str, path: &Path) -> Self {
        self.word(name).path(path)
    }

    /// Adds an option with values, if there are any.
    pub(super) fn values<'a>(
        self,
        name: &str,
        values: impl IntoIterator<Item = &'a String>,
    ) -> Self {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return self;
        }
        values.fold(self.word(name), |line, value| {
            line.path(Path::new(value.as_str()))
        })
    }

    /// Adds the options that say what is read, and how. Standard input is read once only, so that it can't be named again.
    pub(super) fn input(mut self, input: &InputArgs) -> Self {
        let InputArgs {
            flows,
            store,
            inventory,
            cloudtrail,
            log_format,
            since,
            until,
            threads: _,
            remote,
        } = input;
        self.is_exact &= !flows.iter().any(|flow| flow == "-");
        let mut line = self.values("--flows", flows);
        if let Some(store) = store {
            line = line.option("--store", store);
        }
        line = line
            .option("--inventory", inventory)
            .values("--cloudtrail", cloudtrail)
            .values("--log-format", log_format)
            .values("--since", since)
            .values("--until", until);
        line.remote(remote)
    }

    /// Adds the options of remote sources.
    pub(super) fn remote(self, remote: &RemoteArgs) -> Self {
        let RemoteArgs {
            profile,
            only_account,
            only_region,
            athena_workgroup,
            athena_output,
            athena_unload,
            requester_pays,
        } = remote;
        let mut line = self
            .values("--profile", profile)
            .values("--only-account", only_account)
            .values("--only-region", only_region)
            .values("--athena-workgroup", athena_workgroup)
            .values("--athena-output", athena_output);
        for (name, is_set) in [
            ("--athena-unload", *athena_unload),
            ("--requester-pays", *requester_pays),
        ] {
            if is_set {
                line = line.word(name);
            }
        }
        line
    }

    /// Whether it can be shown: what a terminal would obey or hide is never printed as a command to copy.
    pub(super) const fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// The words behind the program's name.
    #[cfg(test)]
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, value)) = &self.variable {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str("closegate")?;
        self.words
            .iter()
            .try_for_each(|word| write!(f, " {}", quoted(word)))
    }
}

fn is_shown_as_it_is(word: &str) -> bool {
    visible(word, usize::MAX) == word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_never_an_option_and_never_commands_a_terminal() {
        let line = CommandLine::new(&["report"]).path(Path::new("-x"));
        assert_eq!(line.to_string(), "closegate report ./-x");
        assert!(line.is_exact());
        for path in ["a\nb", "a\u{1b}[2J", "a\u{202e}b"] {
            let line = CommandLine::new(&["report"]).path(Path::new(path));
            assert!(!line.is_exact(), "{path:?}");
        }
    }
}
