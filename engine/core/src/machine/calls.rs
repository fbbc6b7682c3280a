//! Durable calls of scripts as steps: what a call asks for, in the words of the definition, so that one machine runs both.

use super::journal::SINGLE;
use crate::{
    Timestamp, Value,
    definition::{Ask, Asked, Block, Delay, Match, Position, Script, Since, Span, SpanTemplate, Step, Until, UntilPhrase, Variant, Verb, WaitRule},
    expression::Template,
    history::StepPath,
    ports::DurableCall,
};
use std::sync::Arc;

/// Fields of a question.
const QUESTION_FIELDS: [&str; 6] = ["who", "title", "form", "values", "remind_every", "timeout"];

/// The step that a call is. The error says what is wrong with it.
pub(super) fn step(script: &Script, path: &StepPath, call: &DurableCall, since: Since) -> Result<Step, String> {
    let literal = |value: &Value| Template::literal(value.clone());
    let mut timeout = None;
    let verb = match call {
        DurableCall::Step { node, input } => {
            let known = script.node(node);
            Verb::Do {
                node: node.clone(),
                with: literal(input),
                retry: known.retry.clone(),
                effect: known.effect,
                binds: known.binds.clone(),
                compensate: None,
            }
        }
        DurableCall::Log { .. } => return Err("a line in the history is no step".into()),
        DurableCall::Sleep { length } => Verb::Delay(Delay { length: Some(SpanTemplate::Fixed(Span::parse(length)?)), ..delay(None) }),
        DurableCall::SleepUntil { until } => {
            let text = until.as_str().unwrap_or_default();
            Verb::Delay(delay(Some(match text.parse::<Timestamp>() {
                Ok(_) => Until::Rendered(literal(until)),
                Err(_) => Until::Phrase(UntilPhrase::parse(text)?),
            })))
        }
        DurableCall::WaitFor { event, matching, timeout: length } => {
            timeout = length.as_deref().map(Span::parse).transpose()?;
            let rule = WaitRule { event: event.clone(), matching: matched(matching)?, condition: None };
            Verb::WaitFor { waits: vec![(SINGLE.to_owned(), rule)], single: true, since }
        }
        DurableCall::Split { variants } => {
            let variants = variants.iter().map(|(name, weight)| Variant { name: name.clone(), weight: *weight, steps: Block::default() });
            Verb::Split { variants: variants.collect(), by: None, goal: None }
        }
        DurableCall::Call { workflow, input } => Verb::Call { workflow: Template::literal(workflow.as_str().into()), with: literal(input), waits: true },
        DurableCall::Start { workflow, input } => Verb::Call { workflow: Template::literal(workflow.as_str().into()), with: literal(input), waits: false },
        DurableCall::Emit { event, data } => Verb::Emit { event: Template::literal(event.as_str().into()), with: literal(data) },
        DurableCall::Ask { question } => {
            timeout = span_of(question, "timeout")?;
            Verb::Ask(ask(question)?)
        }
    };
    Ok(Step {
        key: Arc::clone(path),
        named: false,
        name: None,
        guard: None,
        timeout: timeout.map(SpanTemplate::Fixed),
        // What a failure means is the script's to say.
        continue_on_error: true,
        position: Position::default(),
        verb,
    })
}

fn delay(until: Option<Until>) -> Delay {
    Delay { length: None, until, offset: None, timezone: None, within: None }
}

/// What a wait matches. An empty or missing value never matches (SEMANTICS.md 10); that is told when the wait opens.
fn matched(matching: &Value) -> Result<Match, String> {
    match matching {
        Value::String(word) if word == "any" => Ok(Match::Any),
        Value::String(word) if word == "contact" => Ok(Match::Contact),
        Value::Object(paths) if !paths.is_empty() => {
            let mut values: Vec<(String, Template)> = paths.iter().map(|(path, value)| (path.clone(), Template::literal(value.clone()))).collect();
            values.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(Match::Values(values))
        }
        other => Err(format!("wait_for: {other} is no match; write a map of paths and values, \"contact\", or \"any\"")),
    }
}

/// A question, as the `ask` verb has it.
fn ask(question: &Value) -> Result<Ask, String> {
    let fields = question.as_object().into_iter().flatten();
    for (name, _) in fields {
        if !QUESTION_FIELDS.contains(&name.as_str()) {
            return Err(format!("ask: a question has no field {name:?}; there are {}", QUESTION_FIELDS.join(", ")));
        }
    }
    let who = match &question["who"] {
        Value::String(word) if word == "contact" => Asked::Contact,
        Value::Object(who) if who.len() == 1 => match (who.get("role").and_then(Value::as_str), who.get("user")) {
            (Some(role), _) => Asked::Role(role.to_owned()),
            (None, Some(user)) => Asked::User(Template::literal(user.clone())),
            (None, None) => return Err(WHO.into()),
        },
        _ => return Err(WHO.into()),
    };
    let title = question["title"].as_str().filter(|title| !title.is_empty()).ok_or("ask: a question needs a `title`")?;
    let form = question.get("form").filter(|form| !form.is_null()).cloned();
    if let Some(form) = &form {
        jsonschema::validator_for(form).map_err(|error| format!("ask: `form` is no JSON Schema: {error}"))?;
    }
    Ok(Ask {
        who,
        title: Template::literal(title.into()),
        form,
        values: question.get("values").cloned().map(Template::literal),
        remind_every: span_of(question, "remind_every")?,
    })
}

const WHO: &str = "ask: `who` is \"contact\", #{ role: NAME } or #{ user: ID }";

fn span_of(question: &Value, name: &str) -> Result<Option<Span>, String> {
    match &question[name] {
        Value::Null => Ok(None),
        Value::String(text) => Span::parse(text).map(Some),
        other => Err(format!("ask: `{name}` is {other}; it must be a duration such as \"2h\"")),
    }
}
