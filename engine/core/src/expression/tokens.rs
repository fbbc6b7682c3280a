//! The words and signs of Jinja, each with its place.

use super::ExpressionError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Text,
    Number,
    Operator,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
    pub(super) fn is(&self, operator: &str) -> bool {
        self.kind == Kind::Operator && self.text == operator
    }
    pub(super) fn word(&self, name: &str) -> bool {
        self.kind == Kind::Name && self.text == name
    }
}

/// The tokens from `at` up to `close`, and where `close` begins. Without `close`: to the end of the text.
pub(super) fn tokens<'a>(text: &'a str, mut at: usize, close: &str) -> Result<(Vec<Token<'a>>, usize), ExpressionError> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    // Inside brackets `}}` closes two maps.
    let mut open: Vec<u8> = Vec::new();
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if open.is_empty() && !close.is_empty() {
            let trimmed = usize::from(matches!(byte, b'-' | b'+') && bytes.get(at + 1..).is_some_and(|rest| rest.starts_with(close.as_bytes())));
            if bytes[at + trimmed..].starts_with(close.as_bytes()) {
                return Ok((out, at + trimmed));
            }
        }
        let start = at;
        let kind = match byte {
            b'"' | b'\'' => {
                at += 1;
                while let Some(&inner) = bytes.get(at) {
                    at += 1;
                    match inner {
                        b'\\' => at += 1,
                        _ if inner == byte => break,
                        _ => {}
                    }
                }
                if at > bytes.len() || bytes.get(at - 1) != Some(&byte) || at == start + 1 {
                    return Err(error(text, start, "a text is not closed; it lacks its second quotation mark".into()));
                }
                Kind::Text
            }
            b'0'..=b'9' => {
                while bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
                    at += 1;
                }
                // `1.5`, but `list.0.name` keeps its points.
                if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) && !out.last().is_some_and(|last: &Token<'_>| last.is("."))
                {
                    at += 1;
                    while bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
                        at += 1;
                    }
                }
                Kind::Number
            }
            _ if byte == b'_' || byte.is_ascii_alphabetic() => {
                while bytes.get(at).is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()) {
                    at += 1;
                }
                Kind::Name
            }
            _ if byte.is_ascii() => {
                at += match bytes.get(at..at + 2) {
                    Some(b"==" | b"!=" | b"<=" | b">=" | b"//" | b"**") => 2,
                    _ => 1,
                };
                match byte {
                    b'(' | b'[' | b'{' => open.push(byte),
                    b')' | b']' | b'}' => {
                        open.pop();
                    }
                    _ => {}
                }
                Kind::Operator
            }
            _ => {
                let character = text[at..].chars().next().unwrap_or(' ');
                return Err(error(text, at, format!("unexpected character `{character}`; names are plain letters, digits and `_`, text stands in quotes")));
            }
        };
        let end = at.min(text.len());
        let Some(piece) = text.get(start..end) else {
            return Err(error(text, start, "a text is not closed; it lacks its second quotation mark".into()));
        };
        out.push(Token { kind, text: piece, start });
    }
    if close.is_empty() { Ok((out, bytes.len())) } else { Err(error(text, at.saturating_sub(1), format!("an expression is not closed with `{close}`"))) }
}

/// The index of the bracket that closes the one at `open`.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") || token.is("[") || token.is("{") {
            depth += 1;
        } else if token.is(")") || token.is("]") || token.is("}") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

/// The index of the last token of the operand that begins at `start`, its filters included.
pub(super) fn operand_end(tokens: &[Token<'_>], mut start: usize) -> Option<usize> {
    while tokens.get(start)?.is("-") {
        start += 1;
    }
    let first = tokens.get(start)?;
    let mut end = if first.is("(") || first.is("[") || first.is("{") { closing(tokens, start)? } else { start };
    loop {
        match (tokens.get(end + 1), tokens.get(end + 2)) {
            (Some(joint), Some(name)) if (joint.is(".") || joint.is("|")) && matches!(name.kind, Kind::Name | Kind::Number) => end += 2,
            (Some(open), _) if open.is("(") || open.is("[") => end = closing(tokens, end + 1)?,
            _ => return Some(end),
        }
    }
}

pub(super) fn error(text: &str, at: usize, message: String) -> ExpressionError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1;
    let excerpt: String = text.get(at..).unwrap_or_default().chars().take_while(|character| *character != '\n').take(40).collect();
    ExpressionError { message, text: Some(excerpt).filter(|text| !text.is_empty()), line: Some(line) }
}
