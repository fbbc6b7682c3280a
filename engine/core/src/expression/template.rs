//! Values with templates in them.

use super::{
    ExpressionError, RECORD_NAMES, Scope,
    program::{Evaluation, Program, Text},
    syntax::{self, References},
};
use crate::{Object, Value, limits};

/// A value with templates in it: literals, whole `{{ … }}` that keep their type, mixed text, maps and lists of these.
/// A rendered value is never rendered again.
#[derive(Debug)]
pub struct Template {
    part: Part,
    pub(super) named: Named,
}

#[derive(Debug)]
enum Part {
    Literal(Value),
    Whole(Program),
    Text(Text),
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

/// What a program names, as its callers ask for it.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) references: References,
    records: Vec<&'static str>,
}

impl Named {
    pub(super) fn new(references: References) -> Self {
        let records = RECORD_NAMES.into_iter().filter(|name| references.roots.iter().any(|root| root == name)).collect();
        Self { references, records }
    }
    pub(super) fn records(&self) -> &[&'static str] {
        &self.records
    }
}

/// Where a mistake lies: a JSON Pointer within the value, and the mistake.
pub type Located = (String, ExpressionError);

impl Template {
    /// Compiles a value. The first mistake wins.
    pub fn compile(value: &Value) -> Result<Self, ExpressionError> {
        Self::compile_located(value).map_err(|(_, error)| error)
    }

    /// Compiles a value; tells at which JSON Pointer within it the mistake lies.
    pub fn compile_located(value: &Value) -> Result<Self, Located> {
        let part = compile(value, &mut String::new(), 0)?;
        let mut references = References::default();
        part.collect(&mut references);
        Ok(Self { part, named: Named::new(references) })
    }

    /// A value without templates, whatever braces it holds.
    pub fn literal(value: Value) -> Self {
        Self { part: Part::Literal(value), named: Named::default() }
    }

    /// The value, when nothing has to be rendered.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.part {
            Part::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Renders it.
    pub fn render(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        self.part.render(&Evaluation::new(scope))
    }
}

fn compile(value: &Value, pointer: &mut String, depth: usize) -> Result<Part, Located> {
    let here = pointer.len();
    if depth > limits::JSON_DEPTH {
        return Err((pointer.clone(), super::program::plain_error(format!("the value is nested more than {} deep", limits::JSON_DEPTH))));
    }
    Ok(match value {
        Value::String(text) if syntax::has_code(text) => match syntax::whole(text) {
            Some(expression) => Part::Whole(Program::compile(expression).map_err(|error| (pointer.clone(), error))?),
            None => Part::Text(Text::compile(text).map_err(|error| (pointer.clone(), error))?),
        },
        Value::Array(list) => {
            let mut parts = Vec::with_capacity(list.len());
            for (index, item) in list.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                parts.push(compile(item, pointer, depth + 1)?);
                pointer.truncate(here);
            }
            if parts.iter().all(|part| matches!(part, Part::Literal(_))) { Part::Literal(value.clone()) } else { Part::List(parts) }
        }
        Value::Object(map) => {
            let mut parts = Vec::with_capacity(map.len());
            for (key, item) in map {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                parts.push((key.clone(), compile(item, pointer, depth + 1)?));
                pointer.truncate(here);
            }
            if parts.iter().all(|(_, part)| matches!(part, Part::Literal(_))) { Part::Literal(value.clone()) } else { Part::Map(parts) }
        }
        literal => Part::Literal(literal.clone()),
    })
}

impl Part {
    fn render(&self, evaluation: &Evaluation<'_>) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Whole(program) => program.evaluate(evaluation)?,
            Self::Text(text) => Value::String(text.render(evaluation)?),
            Self::List(parts) => Value::Array(parts.iter().map(|part| part.render(evaluation)).collect::<Result<_, _>>()?),
            Self::Map(parts) => {
                let mut object = Object::with_capacity(parts.len());
                for (key, part) in parts {
                    object.insert(key.clone(), part.render(evaluation)?);
                }
                Value::Object(object)
            }
        })
    }

    fn collect(&self, references: &mut References) {
        match self {
            Self::Literal(_) => {}
            Self::Whole(program) => references.extend(&program.references),
            Self::Text(text) => references.extend(&text.references),
            Self::List(parts) => parts.iter().for_each(|part| part.collect(references)),
            Self::Map(parts) => parts.iter().for_each(|(_, part)| part.collect(references)),
        }
    }
}
