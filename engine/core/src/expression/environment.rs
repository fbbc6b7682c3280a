//! The one minijinja environment: strict, without clock and chance, and bounded in work.

use super::{
    ExpressionError, convert,
    lookup::{self, SESSION, Session},
    moment,
};
use crate::{Value as Json, limits};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, filters,
    syntax::SyntaxConfig,
    value::{Kwargs, Rest, ValueOrKwargs},
};
use std::sync::LazyLock;

/// Functions that an expression may call.
pub(super) const FUNCTIONS: [&str; 2] = ["range", "dict"];
/// Words after `is`.
pub(super) const TESTS: [&str; 30] = [
    "defined",
    "undefined",
    "none",
    "boolean",
    "true",
    "false",
    "odd",
    "even",
    "divisibleby",
    "number",
    "integer",
    "float",
    "string",
    "sequence",
    "iterable",
    "mapping",
    "startingwith",
    "endingwith",
    "lower",
    "upper",
    "sameas",
    "eq",
    "equalto",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "in",
    "int",
];
/// minijinja's own filters that only look at what they get.
const PLAIN: [&str; 33] = [
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "length",
    "count",
    "first",
    "last",
    "min",
    "max",
    "int",
    "float",
    "abs",
    "round",
    "bool",
    "items",
    "escape",
    "e",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "map",
    "groupby",
    "list",
    "reverse",
    "sort",
    "unique",
    "lines",
    "dictsort",
    "sum",
    "batch",
];
/// Those of [`PLAIN`] that make a value of every character or item.
const SPREADING: [&str; 9] = ["list", "reverse", "sort", "unique", "lines", "dictsort", "groupby", "batch", "map"];
/// Our own filters.
const OWN: [&str; 11] = ["default", "d", "string", "join", "replace", "split", "tojson", "plus", "minus", "format", "time"];
/// What one value weighs in a list.
const VALUE_BYTES: usize = 32;
/// Items of one batch.
const MAX_BATCH: usize = 10_000;

/// Every filter that an author may name.
pub(super) fn filter_names() -> impl Iterator<Item = &'static str> {
    PLAIN.into_iter().chain(OWN)
}

/// The environment; whoever needs templates of its own clones it.
pub(super) fn shared() -> &'static Environment<'static> {
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(build);
    &ENVIRONMENT
}

fn build() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Only for errors: they then name the path that is missing.
    environment.set_debug(true);
    environment.set_fuel(Some(limits::EXPRESSION_FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment.set_formatter(|out, _, value| out.write_str(&convert::text(value)?).map_err(Error::from));
    for name in ["namespace", "debug"] {
        environment.remove_global(name);
    }
    for name in ["slice", "chain", "zip", "indent", "pprint", "attr", "safe"] {
        environment.remove_filter(name);
    }
    for name in PLAIN {
        if let Some(inner) = builtin(name) {
            environment.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| counted(name, &inner, state, &args.into_values()));
        }
    }
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("string", |value: Value| convert::text(&value));
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_filter("split", split);
    environment.add_filter("tojson", |value: Value| convert::json(&value).map(|json| Value::from(json.to_string())));
    environment.add_filter("time", |state: &State<'_, '_>, value: Value, zone: Option<String>| {
        on_time(state, &value, zone.as_deref(), |moment, _| Ok(Value::from(moment.to_string())))
    });
    environment.add_filter("format", |state: &State<'_, '_>, value: Value, pattern: String, zone: Option<String>, named: Kwargs| {
        let zone = named_zone(zone, &named)?;
        on_time(state, &value, zone.as_deref(), |moment, zone| moment::format(moment, &pattern, zone).map(Value::from))
    });
    environment.add_filter("plus", |state: &State<'_, '_>, value: Value, length: String, zone: Option<String>, named: Kwargs| {
        shift(state, &value, &length, named_zone(zone, &named)?.as_deref(), false)
    });
    environment.add_filter("minus", |state: &State<'_, '_>, value: Value, length: String, zone: Option<String>, named: Kwargs| {
        shift(state, &value, &length, named_zone(zone, &named)?.as_deref(), true)
    });
    environment.add_filter("__settle", |value: &Value| lookup::settle(value));
    environment.add_filter("__text", |state: &State<'_, '_>, value: Value| {
        let text = convert::text(&value)?;
        charge(state, text.len())?;
        Ok::<_, Error>(Value::from(text))
    });
    environment.add_filter("__term", |state: &State<'_, '_>, value: Value| {
        charge(state, weight(&value))?;
        Ok::<_, Error>(value)
    });
    environment.add_filter("__factor", |value: Value| {
        if value.is_number() {
            return Ok(value);
        }
        Err(Error::new(ErrorKind::InvalidOperation, format!("only numbers can be multiplied, not a {}", value.kind())))
    });
    environment
}

fn builtin(name: &str) -> Option<Value> {
    Some(match name {
        "upper" => Value::from_function(filters::upper),
        "lower" => Value::from_function(filters::lower),
        "title" => Value::from_function(filters::title),
        "capitalize" => Value::from_function(filters::capitalize),
        "trim" => Value::from_function(filters::trim),
        "length" | "count" => Value::from_function(filters::length),
        "first" => Value::from_function(filters::first),
        "last" => Value::from_function(filters::last),
        "min" => Value::from_function(filters::min),
        "max" => Value::from_function(filters::max),
        "int" => Value::from_function(filters::int),
        "float" => Value::from_function(filters::float),
        "abs" => Value::from_function(filters::abs),
        "round" => Value::from_function(filters::round),
        "bool" => Value::from_function(filters::bool),
        "items" => Value::from_function(filters::items),
        "escape" | "e" => Value::from_function(filters::escape),
        "select" => Value::from_function(filters::select),
        "reject" => Value::from_function(filters::reject),
        "selectattr" => Value::from_function(filters::selectattr),
        "rejectattr" => Value::from_function(filters::rejectattr),
        "map" => Value::from_function(filters::map),
        "groupby" => Value::from_function(filters::groupby),
        "list" => Value::from_function(filters::list),
        "reverse" => Value::from_function(filters::reverse),
        "sort" => Value::from_function(filters::sort),
        "unique" => Value::from_function(filters::unique),
        "lines" => Value::from_function(filters::lines),
        "dictsort" => Value::from_function(filters::dictsort),
        "sum" => Value::from_function(filters::sum),
        "batch" => Value::from_function(filters::batch),
        _ => return None,
    })
}

/// A filter of minijinja that pays for what it reads.
fn counted(name: &str, inner: &Value, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let spreads = SPREADING.contains(&name);
    let bytes = args.iter().map(|value| if spreads { weight(value).saturating_mul(VALUE_BYTES) } else { weight(value) }).fold(0, usize::saturating_add);
    charge(state, bytes)?;
    if name == "batch" && args.get(1).and_then(Value::as_usize).is_some_and(|count| count > MAX_BATCH) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("a batch holds {MAX_BATCH} items at the most")));
    }
    if name == "sum" && args.iter().skip(1).any(|value| !value.is_kwargs() || value.get_attr("start").is_ok_and(|start| !start.is_undefined())) {
        return Err(Error::new(ErrorKind::InvalidOperation, "sum takes no argument but attribute=\"…\""));
    }
    inner.call(state, args)
}

fn weight(value: &Value) -> usize {
    match value.as_str() {
        Some(text) => text.len(),
        None if value.as_object().is_some() => value.len().unwrap_or(1).saturating_mul(VALUE_BYTES),
        None => 0,
    }
}

fn charge(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    with_session(state, |session| session.charge(bytes))
}

fn with_session<T>(state: &State<'_, '_>, act: impl FnOnce(&Session) -> Result<T, Error>) -> Result<T, Error> {
    let session = state.lookup(SESSION);
    match session.as_ref().and_then(|value| value.downcast_object_ref::<Session>()) {
        Some(session) => act(session),
        None => Err(Error::new(ErrorKind::InvalidOperation, "the expression has lost its scope")),
    }
}

/// Stands in for what is missing or null; with `true` as second argument also for what is empty.
#[expect(clippy::needless_pass_by_value, reason = "minijinja converts arguments and hands them over")]
fn default(value: &Value, args: Rest<Value>) -> Result<Value, Error> {
    if args.len() > 2 {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let also_empty = args.get(1).is_some_and(Value::is_true);
    if value.is_undefined() || value.is_none() || (also_empty && !value.is_true()) {
        return Ok(args.first().cloned().unwrap_or_else(|| Value::from("")));
    }
    Ok(value.clone())
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja converts arguments and hands them over")]
fn join(state: &State<'_, '_>, value: Value, joiner: Option<String>, named: Kwargs) -> Result<String, Error> {
    let attribute: Option<String> = named.get("attribute")?;
    named.assert_all_used()?;
    let joiner = joiner.unwrap_or_default();
    let mut out = String::new();
    for (index, item) in value.try_iter()?.checked().enumerate() {
        let mut item = item?;
        if let Some(attribute) = &attribute {
            item = item.get_attr(attribute)?;
        }
        let text = convert::text(&item)?;
        charge(state, text.len() + joiner.len())?;
        if index > 0 {
            out.push_str(&joiner);
        }
        out.push_str(&text);
    }
    Ok(out)
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja converts arguments and hands them over")]
fn replace(state: &State<'_, '_>, value: String, from: String, to: String) -> Result<String, Error> {
    let matches = value.matches(&*from).count();
    charge(state, value.len().saturating_add(matches.saturating_mul(to.len())))?;
    Ok(value.replace(&*from, &to))
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja converts arguments and hands them over")]
fn split(state: &State<'_, '_>, value: String, at: Option<String>, most: Option<usize>) -> Result<Vec<String>, Error> {
    let pieces = match &at {
        Some(at) => value.matches(&**at).count() + 1,
        None => value.split_whitespace().count(),
    };
    charge(state, value.len().saturating_add(pieces.saturating_mul(VALUE_BYTES)))?;
    Ok(match (&at, most) {
        (Some(at), Some(most)) => value.splitn(most.saturating_add(1), &**at).map(str::to_owned).collect(),
        (Some(at), None) => value.split(&**at).map(str::to_owned).collect(),
        (None, _) => value.split_whitespace().map(str::to_owned).collect(),
    })
}

fn named_zone(zone: Option<String>, named: &Kwargs) -> Result<Option<String>, Error> {
    let by_name: Option<String> = named.get("timezone")?;
    named.assert_all_used()?;
    Ok(zone.or(by_name))
}

fn on_time(
    state: &State<'_, '_>,
    value: &Value,
    zone: Option<&str>,
    act: impl FnOnce(crate::Timestamp, &str) -> Result<Value, String>,
) -> Result<Value, Error> {
    let json = convert::json(value)?;
    if let Json::Null = json {
        return Err(Error::new(ErrorKind::InvalidOperation, "a time is expected, but the value is null"));
    }
    with_session(state, |session| {
        let zone = zone.or(session.scope.timezone.as_deref()).unwrap_or("UTC");
        moment::read(&json, zone).and_then(|moment| act(moment, zone)).map_err(|message| Error::new(ErrorKind::InvalidOperation, message))
    })
}

fn shift(state: &State<'_, '_>, value: &Value, length: &str, zone: Option<&str>, back: bool) -> Result<Value, Error> {
    on_time(state, value, zone, |moment, zone| {
        let span = crate::definition::Span::parse(length)?;
        let span = if back { span.negated() } else { span };
        Ok(Value::from(span.add_to(moment, zone).to_string()))
    })
}

/// Why minijinja could not, in our words.
pub(super) fn explain(error: &Error, compiling: bool) -> ExpressionError {
    let detail = error.detail().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UndefinedError => match detail.strip_suffix(" is undefined") {
            Some(path) => format!("{path} is missing; give a stand-in with `| default(…)` if that is all right"),
            None if detail.is_empty() => "a value is missing".to_owned(),
            None => detail.to_owned(),
        },
        ErrorKind::OutOfFuel => format!("the expression takes more than {} instructions", limits::EXPRESSION_FUEL),
        ErrorKind::WriteFailure => format!("the text is longer than {} KiB", limits::EXPRESSION_OUTPUT_BYTES >> 10),
        ErrorKind::SyntaxError => format!("the expression cannot be read: {detail}"),
        _ if detail.is_empty() => error.kind().to_string(),
        _ => detail.to_owned(),
    };
    let message = ["|__settle", "|__term", "|__text", "|__factor"].iter().fold(message, |message, filter| message.replace(filter, ""));
    let text = if compiling { error.range().zip(error.template_source()).and_then(|(range, source)| source.get(range)).map(str::to_owned) } else { None };
    ExpressionError { message, text: text.filter(|text| !text.contains("|__")), line: error.line().and_then(|line| u32::try_from(line).ok()) }
}

/// Minijinja's own defaults, without which a name above would be an unknown filter at run time.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_filter_and_test_exists() {
        let environment = shared();
        for name in PLAIN {
            assert!(builtin(name).is_some(), "{name}");
        }
        for name in TESTS {
            let text = match name {
                "divisibleby" | "sameas" | "eq" | "equalto" | "ne" | "lt" | "le" | "gt" | "ge" => format!("1 is {name}(1)"),
                "in" => "1 is in([1])".to_owned(),
                "startingwith" | "endingwith" => format!("'a' is {name}('a')"),
                "lower" | "upper" => format!("'a' is {name}"),
                _ => format!("1 is {name}"),
            };
            environment.compile_expression(&text).unwrap().eval(()).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
