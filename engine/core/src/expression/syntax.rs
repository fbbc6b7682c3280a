//! Reads Jinja text token by token before minijinja compiles it: finds what it refers to, refuses what has no bound, and
//! writes bounds into it.
//!
//! minijinja counts instructions, but one instruction (`text * 100000000`, `list + list` in a row) can be arbitrarily
//! heavy. So the operands of `+`, `~` and `*` get a filter that counts what they move ([`super::environment`]), tags that
//! only build programs (`macro`, `include` …) are refused, and `steps.ID…` chains get a filter that turns what a step that
//! did not run leaves behind into a plain `null`.

use super::{
    ExpressionError, environment,
    tokens::{Kind, Token, closing, error, operand_end, tokens},
};

/// Sets of one text; each may nest its value one deeper.
const MAX_SETS: usize = 100;
/// Joins with `~` or `+` in one text; each copies what is left of it.
const MAX_JOINS: usize = 200;
/// Words and signs of one expression: each may nest one deeper when it is compiled.
const MAX_TOKENS: usize = 1_000;
/// `not` and `-` in a row; minijinja does not count them.
const MAX_PREFIXES: usize = 20;
/// Tags of one text.
const MAX_TAGS: usize = 500;
/// Tags that may stand in `{% … %}`.
const TAGS: [&str; 11] = ["if", "elif", "else", "endif", "for", "endfor", "set", "with", "endwith", "raw", "endraw"];
/// Words of the language that are no variables.
const WORDS: [&str; 15] = ["and", "or", "not", "in", "is", "if", "else", "true", "True", "false", "False", "none", "None", "recursive", "null"];

/// What a text refers to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct References {
    /// First names of chains that the text does not define itself (`steps`, `contact` …).
    pub(super) roots: Vec<String>,
    /// `X` of every `steps.X`.
    pub(super) steps: Vec<String>,
    /// Whole chains of names, where they are literal: `event.data.source`.
    pub(super) paths: Vec<Vec<String>>,
}

impl References {
    pub(super) fn add(&mut self, path: Vec<String>) {
        if let Some(root) = path.first() {
            if !self.roots.contains(root) {
                self.roots.push(root.clone());
            }
            if let Some(step) = path.get(1).filter(|_| root == "steps")
                && !self.steps.contains(step)
            {
                self.steps.push(step.clone());
            }
        }
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }
}

/// A text that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// What minijinja gets.
    pub(super) source: String,
    /// What the author's text refers to.
    pub(super) references: References,
}

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Text that is no code.
    Plain,
    /// `{{ … }}`.
    Print,
    /// `{% … %}`.
    Tag,
}

/// Whether minijinja would find code in this text.
pub(super) fn has_code(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The expression, when the text is one whole `{{ … }}`; white space around it does not count.
pub(super) fn whole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    // `{{ a }} and {{ b }}` also begins and ends with braces: its first code ends early.
    let (_, end) = tokens(text.trim(), text.trim().len() - text.trim().trim_start_matches("{{").len(), "}}").ok()?;
    (end + 2 == text.trim().len()).then_some(inner)
}

/// Reads a bare expression.
pub(super) fn expression(text: &str) -> Result<Read, ExpressionError> {
    let (tokens, _) = tokens(text, 0, "")?;
    let mut reader = Reader { text, insertions: Vec::new(), references: References::default(), locals: Vec::new(), joins: 0, sets: 0 };
    reader.code(&tokens)?;
    Ok(reader.finish())
}

/// Reads a text with code in it.
pub(super) fn template(text: &str) -> Result<Read, ExpressionError> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut raw = false;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find('{')).map(|offset| at + offset) {
        let part = match text.as_bytes().get(open + 1) {
            Some(b'{') if !raw => Part::Print,
            Some(b'%') => Part::Tag,
            Some(b'#') if !raw => {
                let end = text[open + 2..].find("#}").ok_or_else(|| error(text, open, "a comment `{#` is not closed with `#}`".into()))?;
                at = open + 2 + end + 2;
                continue;
            }
            _ => Part::Plain,
        };
        if part == Part::Plain {
            at = open + 1;
            continue;
        }
        let start = open + 2 + usize::from(matches!(text.as_bytes().get(open + 2), Some(b'-' | b'+')));
        let read = tokens(text, start, if part == Part::Print { "}}" } else { "%}" });
        if raw {
            // Inside `{% raw %}` only `{% endraw %}` counts.
            if let Ok((tokens, end)) = read
                && tokens.first().is_some_and(|token| token.word("endraw"))
            {
                raw = false;
                at = end + 2;
            } else {
                at = open + 2;
            }
            continue;
        }
        let (tokens, end) = read?;
        at = end + 2;
        raw = part == Part::Tag && tokens.first().is_some_and(|token| token.word("raw"));
        parts.push((part, tokens));
    }
    let mut reader = Reader { text, insertions: Vec::new(), references: References::default(), locals: Vec::new(), joins: 0, sets: 0 };
    if parts.iter().filter(|(part, _)| *part == Part::Tag).count() > MAX_TAGS {
        return Err(error(text, 0, format!("one text may hold {MAX_TAGS} `{{% … %}}` at the most")));
    }
    for (part, tokens) in &parts {
        if *part == Part::Tag {
            reader.declare(tokens)?;
        }
    }
    for (part, tokens) in &parts {
        match part {
            Part::Tag => reader.tag(tokens)?,
            _ => reader.code(tokens)?,
        }
    }
    Ok(reader.finish())
}

struct Reader<'a> {
    text: &'a str,
    insertions: Vec<(usize, &'static str)>,
    references: References,
    locals: Vec<&'a str>,
    joins: usize,
    sets: usize,
}

impl<'a> Reader<'a> {
    fn finish(mut self) -> Read {
        self.insertions.sort_by_key(|(at, _)| *at);
        let mut source = String::with_capacity(self.text.len() + self.insertions.len() * 8);
        let mut from = 0;
        for (at, piece) in self.insertions {
            source.push_str(&self.text[from..at]);
            source.push_str(piece);
            from = at;
        }
        source.push_str(&self.text[from..]);
        Read { source, references: self.references }
    }

    fn error(&self, at: usize, message: impl Into<String>) -> ExpressionError {
        error(self.text, at, message.into())
    }

    /// Notes the names that a tag gives a meaning to.
    fn declare(&mut self, tokens: &[Token<'a>]) -> Result<(), ExpressionError> {
        let Some(tag) = tokens.first() else { return Ok(()) };
        let stop = |token: &Token<'_>| token.is("=") || token.word("in");
        if tag.word("for") {
            self.locals.push("loop");
        }
        if tag.word("for") || tag.word("set") {
            let names = tokens[1..].iter().take_while(|token| !stop(token));
            self.locals.extend(names.filter(|token| token.kind == Kind::Name).map(|token| token.text));
        }
        if tag.word("with") {
            for pair in tokens.windows(2) {
                if pair[0].kind == Kind::Name && pair[1].is("=") {
                    self.locals.push(pair[0].text);
                }
            }
        }
        if tag.word("set") {
            self.sets += 1;
            if self.sets > MAX_SETS {
                return Err(self.error(tag.start, format!("one text may hold {MAX_SETS} `{{% set %}}` at the most")));
            }
        }
        Ok(())
    }

    fn tag(&mut self, tokens: &[Token<'a>]) -> Result<(), ExpressionError> {
        let Some(tag) = tokens.first() else { return Ok(()) };
        if !TAGS.contains(&tag.text) {
            return Err(self.error(tag.start, format!("`{{% {} %}}` is not available here; there are if, for, set, with and raw", tag.text)));
        }
        let code = match tag.text {
            "for" => {
                let list = tokens.iter().position(|token| token.word("in")).map_or(tokens.len(), |at| at + 1);
                &tokens[list..]
            }
            "set" => {
                let Some(equals) = tokens.iter().position(|token| token.is("=")) else {
                    return Err(self.error(tag.start, "`{% set %}` needs a value: {% set name = … %}"));
                };
                &tokens[equals + 1..]
            }
            _ => &tokens[1..],
        };
        self.code(code)
    }

    fn code(&mut self, tokens: &[Token<'a>]) -> Result<(), ExpressionError> {
        if let Some(token) = tokens.get(MAX_TOKENS) {
            return Err(self.error(token.start, format!("an expression is {MAX_TOKENS} words and signs long at the most")));
        }
        let prefixes = tokens.split(|token| !token.is("-") && !token.word("not")).find(|run| run.len() > MAX_PREFIXES);
        if let Some(first) = prefixes.and_then(<[_]>::first) {
            return Err(self.error(first.start, format!("{MAX_PREFIXES} `not` or `-` in a row are the most")));
        }
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            let before = index.checked_sub(1).and_then(|index| tokens.get(index));
            let after = tokens.get(index + 1);
            match token.kind {
                Kind::Name if before.is_some_and(|token| token.is("|")) => self.check_filter(token)?,
                Kind::Name if before.is_some_and(|token| token.word("is")) && !token.word("not") => self.check_test(token)?,
                Kind::Name if before.is_some_and(|token| token.word("not")) && index >= 2 && tokens[index - 2].word("is") => self.check_test(token)?,
                Kind::Name if before.is_some_and(|token| token.is(".")) => {}
                // The name of a named argument.
                Kind::Name if after.is_some_and(|token| token.is("=")) => {}
                Kind::Name if WORDS.contains(&token.text) => {
                    if token.text == "null" {
                        return Err(self.error(token.start, "`null` is written `none` in an expression"));
                    }
                }
                Kind::Name => self.chain(tokens, index)?,
                Kind::Operator => self.operator(tokens, index)?,
                Kind::Text | Kind::Number => {}
            }
            index += 1;
        }
        Ok(())
    }

    /// A variable, and what follows of `.name` and `["name"]`.
    fn chain(&mut self, tokens: &[Token<'a>], index: usize) -> Result<(), ExpressionError> {
        let root = &tokens[index];
        if root.text.starts_with("__") {
            return Err(self.error(root.start, format!("the name `{}` is kept for internal use", root.text)));
        }
        let called = tokens.get(index + 1).is_some_and(|token| token.is("("));
        if called && !self.locals.contains(&root.text) {
            if environment::FUNCTIONS.contains(&root.text) {
                return Ok(());
            }
            return Err(self.unknown(root, "function", &environment::FUNCTIONS));
        }
        if self.locals.contains(&root.text) {
            return Ok(());
        }
        let mut path = vec![root.text.to_owned()];
        let mut literal = true;
        let mut end = index;
        loop {
            match (tokens.get(end + 1), tokens.get(end + 2)) {
                (Some(point), Some(name)) if point.is(".") && matches!(name.kind, Kind::Name | Kind::Number) => {
                    if literal {
                        path.push(name.text.to_owned());
                    }
                    end += 2;
                }
                (Some(open), Some(key)) if open.is("[") => {
                    let Some(close) = closing(tokens, end + 1) else { return Err(self.error(open.start, "`[` is not closed with `]`")) };
                    literal = literal && close == end + 3 && key.kind == Kind::Text && !key.text.contains('\\');
                    if literal {
                        path.push(key.text[1..key.text.len() - 1].to_owned());
                    }
                    end = close;
                }
                _ => break,
            }
        }
        if root.text == "steps" && !tokens.get(end + 1).is_some_and(|token| token.is("(")) {
            self.insertions.push((tokens[end].end(), "|__settle"));
        }
        self.references.add(path);
        Ok(())
    }

    fn operator(&mut self, tokens: &[Token<'a>], index: usize) -> Result<(), ExpressionError> {
        let operator = &tokens[index];
        let filter = match operator.text {
            "+" => "|__term",
            "~" => "|__text",
            "*" => "|__factor",
            _ => return Ok(()),
        };
        let Some(left) = index.checked_sub(1).and_then(|before| tokens.get(before)).filter(|token| !token.is("(") && !token.is(",")) else {
            return Err(self.error(operator.start, format!("`{}` needs a value on its left", operator.text)));
        };
        if operator.text != "*" {
            self.joins += 1;
            if self.joins > MAX_JOINS {
                return Err(self.error(operator.start, format!("one text may hold {MAX_JOINS} `+` and `~` at the most; use a list and `join`")));
            }
        }
        if left.kind != Kind::Number {
            self.insertions.push((left.end(), filter));
        }
        let end = operand_end(tokens, index + 1);
        if let Some(last) = end.and_then(|end| tokens.get(end))
            && !(last.kind == Kind::Number && end == Some(index + 1))
        {
            self.insertions.push((last.end(), filter));
        }
        Ok(())
    }

    fn check_filter(&self, name: &Token<'a>) -> Result<(), ExpressionError> {
        if environment::filter_names().any(|known| known == name.text) {
            Ok(())
        } else {
            Err(self.unknown(name, "filter", &environment::filter_names().collect::<Vec<_>>()))
        }
    }

    fn check_test(&self, name: &Token<'a>) -> Result<(), ExpressionError> {
        if environment::TESTS.contains(&name.text) { Ok(()) } else { Err(self.unknown(name, "test", &environment::TESTS)) }
    }

    fn unknown(&self, name: &Token<'a>, what: &str, known: &[&str]) -> ExpressionError {
        let near = super::suggest::nearest(name.text, known.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        let mut error = self.error(name.start, format!("there is no {what} \"{}\"{hint}", name.text));
        error.text = Some(name.text.to_owned());
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        expression(text).unwrap().references.paths.iter().map(|path| path.join(".")).collect()
    }

    #[test]
    fn finds_literal_paths() {
        assert_eq!(paths("event.data.source in ['a', 'b']"), ["event.data.source"]);
        assert_eq!(paths("steps.a['b c'].d | default(input.x)"), ["steps.a.b c.d", "input.x"]);
        assert_eq!(paths("steps.a[vars.i].d"), ["steps.a", "vars.i"]);
        assert_eq!(paths("f.x if not g else 'input.y'"), ["f.x", "g"]);
        assert_eq!(paths("now | format('%H', timezone=contact.timezone)"), ["now", "contact.timezone"]);
    }

    #[test]
    fn leaves_out_what_the_text_defines() {
        let read = template("{% for m in event.items %}{{ m.name }}{{ loop.index }}{% endfor %}{% set x = vars.y %}{{ x }}").unwrap();
        assert_eq!(read.references.roots, ["event", "vars"]);
    }

    #[test]
    fn writes_bounds_into_the_text() {
        assert_eq!(expression("a ~ b * 2 + (c)").unwrap().source, "a|__text ~ b|__text|__factor * 2 + (c)|__term");
        assert_eq!(expression("-a.b|abs * x.y(1)[0]").unwrap().source, "-a.b|abs|__factor * x.y(1)[0]|__factor");
        assert_eq!(expression("steps.a.b == none").unwrap().source, "steps.a.b|__settle == none");
    }

    #[test]
    fn tells_whole_from_mixed() {
        assert_eq!(whole("{{ a }}"), Some(" a "));
        assert_eq!(whole("  {{ {'a': {'b': 1}} }}\n"), Some(" {'a': {'b': 1}} "));
        assert_eq!(whole("{{ '}}' }}"), Some(" '}}' "));
        assert_eq!(whole("{{ a }} {{ b }}"), None);
        assert_eq!(whole("x {{ a }}"), None);
    }

    #[test]
    fn refuses_what_has_no_bound_or_name() {
        for (text, part) in [
            ("{% macro a() %}{% endmacro %}", "not available"),
            ("{% include 'x' %}", "not available"),
            ("{% set x %}a{% endset %}", "needs a value"),
            ("{{ x | uper }}", "did you mean \"upper\"?"),
            ("{{ x is defind }}", "did you mean \"defined\"?"),
            ("{{ rang(3) }}", "did you mean \"range\"?"),
            ("{{ __settle }}", "internal use"),
            ("{{ 'a }}", "not closed"),
            ("{{ a ", "not closed with `}}`"),
            ("{# a", "not closed with `#}`"),
            ("{{ naïve }}", "unexpected character"),
        ] {
            let problem = template(text).unwrap_err();
            assert!(problem.message.contains(part), "{text}: {}", problem.message);
        }
        assert_eq!(template("a\nb\n{{ x | nope_nope }}").unwrap_err().line, Some(3));
    }

    #[test]
    fn raw_text_is_left_alone() {
        let read = template("{% raw %}{{ a | nonsense }}{% x %}{% endraw %}{{ b }}").unwrap();
        assert_eq!(read.references.roots, ["b"]);
    }
}
