//! Text that strangers wrote. Names, tags, descriptions and log lines are under
//! an attacker's control; each function makes one destination safe.

/// A line for a terminal, a report or an error message: control characters,
/// line breaks and the invisible characters that reorder text are written as
/// `\u{…}`, and anything longer than `limit` characters is cut with `…`.
pub fn visible(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit * 2));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Format characters that change how the text around them is shown: bidirectional
/// controls, zero-width characters, line and paragraph separators, tags.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Characters a rule description may hold (`API_IpRange.html`); `&` is left out
/// because the page for group pairs does not list it.
const DESCRIPTION_EXTRA: &str = " ._-:/()#,@[]+=;{}!$*";

/// The longest description AWS takes.
const DESCRIPTION_LIMIT: usize = 255;

/// A rule description: characters outside AWS's set become `_`, and the text is
/// cut at 255.
pub fn aws_description(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || DESCRIPTION_EXTRA.contains(c) {
                c
            } else {
                '_'
            }
        })
        .take(DESCRIPTION_LIMIT)
        .collect()
}

/// An identifier for a Terraform label, a map key or a graph node: ASCII letters,
/// digits, `-` and `_`, beginning with a letter. Different texts may give the same
/// identifier; the caller keeps them apart.
pub fn identifier(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(64) {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let trimmed = out.trim_matches('-');
    if trimmed.starts_with(|c: char| c.is_ascii_alphabetic()) {
        trimmed.to_owned()
    } else {
        format!("g-{trimmed}").trim_end_matches('-').to_owned()
    }
}
