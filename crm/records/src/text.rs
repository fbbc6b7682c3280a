//! Texts that people type into records.

use onward_accounts::CrmError;

/// One line: trimmed, runs of white space are one space.
pub(crate) fn line(field: &str, text: &str, characters: usize) -> Result<String, CrmError> {
    bounded(field, text.split_whitespace().collect::<Vec<_>>().join(" "), characters)
}

/// One line that says something.
pub(crate) fn title(field: &str, text: &str, characters: usize) -> Result<String, CrmError> {
    let line = line(field, text, characters)?;
    if line.is_empty() { Err(CrmError::invalid(field, format!("`{field}` is empty"))) } else { Ok(line) }
}

/// Any number of lines: trimmed at both ends.
pub(crate) fn paragraph(field: &str, text: &str, characters: usize) -> Result<String, CrmError> {
    bounded(field, text.trim().to_owned(), characters)
}

fn bounded(field: &str, text: String, characters: usize) -> Result<String, CrmError> {
    if text.chars().count() > characters {
        return Err(CrmError::invalid(field, format!("`{field}` has at most {characters} characters")));
    }
    Ok(text)
}

/// `LIKE` pattern for a part of a text, to be compared with lower case text under `ESCAPE '\'`.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.trim().to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
