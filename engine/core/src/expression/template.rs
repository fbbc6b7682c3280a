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
    Whole(Box<Program>),
    Text(Box<Text>),
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
        part.each_path(&mut String::new(), &mut |_, path| references.add(path.to_vec()));
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

    /// Every literal path that it names, with the JSON Pointer of the text within the value that names it.
    pub fn each_path(&self, act: &mut dyn FnMut(&str, &[String])) {
        self.part.each_path(&mut String::new(), act);
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
            Some(expression) => Part::Whole(Box::new(Program::compile(expression).map_err(|error| (pointer.clone(), error))?)),
            None => Part::Text(Box::new(Text::compile(text).map_err(|error| (pointer.clone(), error))?)),
        },
        Value::Array(list) => {
            let mut parts = Vec::with_capacity(list.len());
            for (index, item) in list.iter().enumerate() {
                push(pointer, &index.to_string());
                parts.push(compile(item, pointer, depth + 1)?);
                pointer.truncate(here);
            }
            if parts.iter().all(|part| matches!(part, Part::Literal(_))) { Part::Literal(value.clone()) } else { Part::List(parts) }
        }
        Value::Object(map) => {
            let mut parts = Vec::with_capacity(map.len());
            for (key, item) in map {
                push(pointer, key);
                parts.push((key.clone(), compile(item, pointer, depth + 1)?));
                pointer.truncate(here);
            }
            if parts.iter().all(|(_, part)| matches!(part, Part::Literal(_))) { Part::Literal(value.clone()) } else { Part::Map(parts) }
        }
        literal => Part::Literal(literal.clone()),
    })
}

fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
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

    fn each_path(&self, pointer: &mut String, act: &mut dyn FnMut(&str, &[String])) {
        let here = pointer.len();
        match self {
            Self::Literal(_) => {}
            Self::Whole(program) => program.references.paths.iter().for_each(|path| act(pointer, path)),
            Self::Text(text) => text.references.paths.iter().for_each(|path| act(pointer, path)),
            Self::List(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    push(pointer, &index.to_string());
                    part.each_path(pointer, act);
                    pointer.truncate(here);
                }
            }
            Self::Map(parts) => {
                for (key, part) in parts {
                    push(pointer, key);
                    part.each_path(pointer, act);
                    pointer.truncate(here);
                }
            }
        }
    }
}
