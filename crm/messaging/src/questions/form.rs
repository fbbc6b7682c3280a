//! What a question asks for, as far as one message can answer it. Pure.

use onward_core::{
    Value,
    machine::{VERDICTS, check_answer, single_field},
};
use serde_json::json;

/// The one thing that a question asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field<'q> {
    /// Its name in the answer; `None`: the answer itself is it.
    name: Option<&'q str>,
    kind: Kind,
    schema: &'q Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Choices(Vec<Choice>),
    Number { whole: bool },
    Date,
    Text,
}

/// Something to choose.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// What people see.
    pub(super) title: String,
    value: Value,
}

impl<'q> Field<'q> {
    /// Of a question's form; `None` where it asks for more than one thing.
    pub(super) fn of(form: &'q Value) -> Option<Self> {
        if form.is_null() {
            let titled = |verdict: &str| Choice { title: capitalised(verdict), value: verdict.into() };
            return Some(Self { name: None, kind: Kind::Choices(VERDICTS.map(titled).to_vec()), schema: form });
        }
        let (name, schema) = single_field(form)?;
        let choices = choices_of(schema);
        let kind = match type_of(schema) {
            _ if !choices.is_empty() => Kind::Choices(choices),
            "boolean" => Kind::Choices([("Yes", true), ("No", false)].map(|(title, value)| Choice { title: title.to_owned(), value: value.into() }).to_vec()),
            "integer" => Kind::Number { whole: true },
            "number" => Kind::Number { whole: false },
            "string" if schema["format"] == "date" => Kind::Date,
            _ => Kind::Text,
        };
        Some(Self { name, kind, schema })
    }

    /// What can be chosen; nothing where the answer is free.
    pub(super) fn choices(&self) -> &[Choice] {
        match &self.kind {
            Kind::Choices(choices) => choices,
            Kind::Number { .. } | Kind::Date | Kind::Text => &[],
        }
    }

    /// The answer that the choice at this place gives.
    pub(super) fn chosen(&self, place: usize) -> Option<Value> {
        self.choices().get(place).map(|choice| self.whole(choice.value.clone()))
    }

    /// The answer that a text gives; `None` where it does not fit.
    pub(super) fn read(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        let value = match &self.kind {
            Kind::Choices(choices) => choices
                .iter()
                .position(|choice| is_same(&choice.title, text))
                .or_else(|| number_of(text, choices.len()))
                .map(|place| choices[place].value.clone())?,
            Kind::Number { whole: true } => text.parse::<i64>().ok()?.into(),
            Kind::Number { whole: false } => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64)?.into(),
            Kind::Date => date(text)?.into(),
            Kind::Text if text.is_empty() => return None,
            Kind::Text => text.into(),
        };
        let answer = self.whole(value);
        let question = match self.name {
            Some(_) => return self.fits_object(answer),
            None => json!({ "form": self.schema }),
        };
        check_answer(&question, &answer).is_ok().then_some(answer)
    }

    fn fits_object(&self, answer: Value) -> Option<Value> {
        let value = answer.as_object()?.values().next()?;
        check_answer(&json!({ "form": self.schema }), value).is_ok().then_some(answer)
    }

    fn whole(&self, value: Value) -> Value {
        match self.name {
            Some(name) => json!({ name: value }),
            None => value,
        }
    }

    /// One line that says what is expected; the schema's own words where it has some.
    pub(super) fn expected(&self) -> String {
        if let Some(words) = self.schema["description"].as_str().filter(|words| !words.trim().is_empty()) {
            return words.trim().to_owned();
        }
        match &self.kind {
            Kind::Choices(_) => "Please choose one of these.".to_owned(),
            Kind::Number { whole } => {
                let kind = if *whole { "a whole number" } else { "a number" };
                let range = match (self.schema["minimum"].as_f64(), self.schema["maximum"].as_f64()) {
                    (Some(least), Some(most)) => format!(" from {least} to {most}"),
                    (Some(least), None) => format!(", {least} or more"),
                    (None, Some(most)) => format!(", {most} or less"),
                    (None, None) => String::new(),
                };
                format!("Please answer with {kind}{range}.")
            }
            Kind::Date => "Please answer with a date, such as 2026-12-24.".to_owned(),
            Kind::Text => match (self.schema["minLength"].as_u64(), self.schema["maxLength"].as_u64()) {
                (Some(least), None) => format!("Please answer with a text of at least {least} characters."),
                (None, Some(most)) => format!("Please answer with a text of at most {most} characters."),
                (Some(least), Some(most)) => format!("Please answer with a text of {least} to {most} characters."),
                (None, None) => "Please answer with a text.".to_owned(),
            },
        }
    }
}

fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    }
}

/// `enum`, or `oneOf` (`anyOf`) whose members are all a `const`, perhaps with a `title`.
fn choices_of(schema: &Value) -> Vec<Choice> {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().filter(|value| !value.is_null()).map(|value| Choice { title: shown(value), value: value.clone() }).collect();
    }
    let Some(members) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) else { return Vec::new() };
    let titled = members.iter().map(|member| {
        let value = member.get("const")?.clone();
        Some(Choice { title: member["title"].as_str().map_or_else(|| shown(&value), str::to_owned), value })
    });
    titled.collect::<Option<Vec<Choice>>>().unwrap_or_default()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Whether somebody who writes this means that title: case, space and punctuation around it do not matter.
fn is_same(title: &str, text: &str) -> bool {
    let plain = |text: &str| text.trim_matches(|character: char| !character.is_alphanumeric() && !is_sign(character)).to_lowercase();
    let (title, text) = (plain(title), plain(text));
    !text.is_empty() && title == text
}

/// A sign that makes another number of one.
fn is_sign(character: char) -> bool {
    matches!(character, '-' | '+' | '%')
}

/// `2`, `2.`, `2)`: the second choice.
fn number_of(text: &str, count: usize) -> Option<usize> {
    let number: usize = text.trim_end_matches(['.', ')', ':']).trim().parse().ok()?;
    (1..=count).contains(&number).then(|| number - 1)
}

/// A date as ISO 8601: given so, or as 24.12.2026.
fn date(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(['-', '.']).collect();
    let [first, second, third] = parts.as_slice() else { return None };
    if ![first, second, third].iter().all(|part| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (year, month, day) = if text.contains('.') { (third, second, first) } else { (first, second, third) };
    let date = (year.len() == 4).then(|| jiff::civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()).flatten()?;
    Some(date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(form: &Value, text: &str) -> Option<Value> {
        Field::of(form).unwrap().read(text)
    }

    #[test]
    fn what_a_text_answers() {
        let slot = json!({ "type": "object", "properties": { "slot": { "enum": ["10:00", "Not at all!", "3"] } }, "required": ["slot"] });
        let rating = json!({ "properties": { "rating": { "type": "integer", "minimum": 1, "maximum": 5 } } });
        let titled = json!({ "oneOf": [{ "const": "y", "title": "Gern" }, { "const": "n" }] });
        let verdict = Value::Null;
        let yes = json!({ "type": ["boolean", "null"] });
        let date = json!({ "properties": { "day": { "type": "string", "format": "date" } } });
        let price = json!({ "type": "number" });
        let name = json!({ "properties": { "name": { "type": "string", "minLength": 2, "maxLength": 5 } } });
        for (form, text, expected) in [
            (&verdict, "approve", Some(json!("approve"))),
            (&verdict, " Reject. ", Some(json!("reject"))),
            (&verdict, "2", Some(json!("reject"))),
            (&verdict, "3", None),
            (&verdict, "yes please", None),
            (&slot, "10:00", Some(json!({ "slot": "10:00" }))),
            (&slot, "not AT all", Some(json!({ "slot": "Not at all!" }))),
            (&slot, "1)", Some(json!({ "slot": "10:00" }))),
            (&slot, "3", Some(json!({ "slot": "3" }))),
            (&slot, "11:00", None),
            (&slot, "", None),
            (&slot, "!", None),
            (&titled, "gern", Some(json!("y"))),
            (&titled, "n", Some(json!("n"))),
            (&yes, "Yes", Some(json!(true))),
            (&yes, "no!", Some(json!(false))),
            (&rating, " 4 ", Some(json!({ "rating": 4 }))),
            (&rating, "6", None),
            (&rating, "four", None),
            (&price, "12.5", Some(json!(12.5))),
            (&price, "NaN", None),
            (&price, "1e999", None),
            (&date, "2026-12-24", Some(json!({ "day": "2026-12-24" }))),
            (&date, "4.2.2027", Some(json!({ "day": "2027-02-04" }))),
            (&date, "2026-02-30", None),
            (&date, "tomorrow", None),
            (&name, "Asha", Some(json!({ "name": "Asha" }))),
            (&name, "A", None),
            (&name, "too long", None),
        ] {
            assert_eq!(read(form, text), expected, "{form} {text:?}");
        }
    }

    #[test]
    fn what_is_expected_is_said_in_one_line() {
        for (form, expected) in [
            (Value::Null, "Please choose one of these."),
            (json!({ "type": "integer", "minimum": 1, "maximum": 5 }), "Please answer with a whole number from 1 to 5."),
            (json!({ "type": "number", "minimum": 0.5 }), "Please answer with a number, 0.5 or more."),
            (json!({ "type": "string", "format": "date" }), "Please answer with a date, such as 2026-12-24."),
            (json!({ "type": "string", "maxLength": 9 }), "Please answer with a text of at most 9 characters."),
            (json!({ "properties": { "a": { "type": "string", "pattern": "^.{5}$", "description": "Bitte fünf Ziffern" } } }), "Bitte fünf Ziffern"),
        ] {
            assert_eq!(Field::of(&form).unwrap().expected(), expected, "{form}");
        }
    }

    #[test]
    fn more_than_one_thing_is_for_people() {
        assert!(Field::of(&json!({ "type": "object", "properties": { "a": {}, "b": {} } })).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_read_fits_the_form(text in ".{0,40}", least in -5_i64..5, kind in 0..5_usize) {
            let field = [json!({ "type": "integer", "minimum": least }), json!({ "type": "number" }), json!({ "enum": [least, "a", true] }),
                         json!({ "type": "string", "format": "date" }), json!({ "type": "string", "maxLength": 10 })][kind].clone();
            let form = json!({ "type": "object", "properties": { "it": field }, "required": ["it"] });
            if let Some(answer) = read(&form, &text) {
                prop_assert!(check_answer(&json!({ "form": form }), &answer).is_ok(), "{answer}");
            }
        }
    }
}
