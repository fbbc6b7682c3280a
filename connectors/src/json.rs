//! JSON from outside: refused by depth before it is parsed, so that hostile nesting costs one pass over the bytes.

use onward_core::{Value, limits};

/// Why a body is not usable JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("the body is not JSON: line {line}, column {column}: {reason}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// Nested too deeply.
    #[error("the body is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// Parses JSON of at most [`limits::JSON_DEPTH`] levels.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if depth_exceeds(bytes, limits::JSON_DEPTH) {
        return Err(JsonError::TooDeep { limit: limits::JSON_DEPTH });
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        // The parser repeats the place at the end of its own text.
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        JsonError::Syntax { line, column, reason }
    })
}

/// Counts brackets outside texts. Bytes that are not JSON may be counted wrongly; the parser refuses those anyway.
fn depth_exceeds(bytes: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Vec<u8> {
        let mut text = "[".repeat(levels);
        text.push_str(&"]".repeat(levels));
        text.into_bytes()
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse(&nested(limits::JSON_DEPTH)).is_ok());
        assert_eq!(parse(&nested(limits::JSON_DEPTH + 1)), Err(JsonError::TooDeep { limit: limits::JSON_DEPTH }));
        assert!(matches!(parse(&b"[".repeat(1_000_000)), Err(JsonError::TooDeep { .. })));
    }

    #[test]
    fn brackets_inside_texts_do_not_count() {
        let text = format!("{{\"a\":\"{}\\\"{}\"}}", "[".repeat(500), "{".repeat(500));
        assert!(parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_mistake_is_named_by_its_place() {
        let error = parse(b"{\n  \"a\": oops\n}").unwrap_err();
        assert!(matches!(error, JsonError::Syntax { line: 2, .. }), "{error:?}");
        assert!(!error.to_string().contains("at line"), "{error}");
    }
}
