//! Lists for people.

use crate::terminal::{Look, Paint};
use serde_json::Value;

/// Characters of a column at the most; the last one takes what is left.
const COLUMN_MOST: usize = 60;

/// A table without lines: columns of text under faint headings, one line a row, so that other programs can take it apart as
/// well. `nothing` is shown instead of an empty one.
pub(crate) fn table(look: Look, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>, nothing: &str) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().map(|cell| one_line(&cell)).collect()).collect();
    if rows.is_empty() {
        return nothing.to_owned();
    }
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0).min(COLUMN_MOST);
    let widths: Vec<usize> = headings.iter().enumerate().map(|(column, heading)| widest(column).max(heading.len())).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let heading = look.paint(Paint::Faint, &line(&mut headings.iter().copied()));
    std::iter::once(heading).chain(rows.iter().map(|row| line(&mut row.iter().map(String::as_str)))).collect::<Vec<_>>().join("\n")
}

/// Foreign text never breaks a row, nor reaches the terminal's controls.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A field as a person reads it: text without quotes, `null` as nothing.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The items of a list document.
pub(crate) fn items(document: &Value) -> &[Value] {
    document.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_straight_and_rows_are_lines() {
        let look = Look { colour: false, unicode: true, width: 80 };
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["lange Zeile\n\u{1b}[31m".to_owned(), "22".to_owned()]];
        assert_eq!(table(look, &["NAME", "N"], rows, "none"), "NAME               N\na                  1\nlange Zeile  [31m  22");
        assert_eq!(table(look, &["NAME"], [], "none"), "none");
    }
}
