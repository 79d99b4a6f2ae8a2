//! Words of a bash script.

use crate::net::is_invisible;

/// A word that bash leaves as it is. What a terminal would obey or hide is in it by its bytes, as `$'\x1b'`; no
/// program can be given a NUL, so that one is only shown, and AWS finds nothing of such a name.
pub(crate) fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(is_invisible) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\0' => out += r"\\u{0}",
            '\'' | '\\' => out.extend(['\\', c]),
            _ if is_invisible(c) => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                out.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
            }
            _ => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        for (word, expected) in [
            ("runs/week-1", "runs/week-1"),
            ("s3://bucket/prefix/AWSLogs/", "s3://bucket/prefix/AWSLogs/"),
            ("", "''"),
            ("a b", "'a b'"),
            ("*.log", "'*.log'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("a\\b", "'a\\b'"),
            ("a=b", "'a=b'"),
            ("grün", "'grün'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
