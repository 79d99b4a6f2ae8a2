//! Foreign text: names, ids, tags, descriptions and log lines are under an
//! attacker's control. Each function makes one destination safe; `docs/usage.md` lists,
//! under "Foreign text", what is special in each format and how it is written.

/// A line for a terminal, a report or an error message: what [`is_invisible`] is
/// written as `\u{…}`, and anything longer than `limit` characters is cut with `…`.
pub fn visible(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit.saturating_mul(2)));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        if is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character commands a terminal, hides, or changes how the text around
/// it is shown: controls (C0, DEL, C1), line and paragraph separators,
/// bidirectional and zero-width marks, tags, and noncharacters, which XML forbids.
///
/// The ranges are Unicode's `Default_Ignorable_Code_Point`, without the variation
/// selectors U+FE00 to U+FE0F that emoji carry, and with U+2028, U+2029 and the
/// interlinear annotations.
pub fn is_invisible(c: char) -> bool {
    let ignorable = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    let nonchar = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    c.is_control() || ignorable || nonchar
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
