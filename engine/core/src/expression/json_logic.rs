//! `JSONLogic`: conditions as data.

use super::{
    ExpressionError, Scope,
    follow::{self, Found},
    program::plain_error,
    syntax::References,
};
use crate::{Object, Value as Json};
use datalogic_rs::{Engine, Logic};
use std::sync::LazyLock;

/// Operators that evaluate their second argument for every item of a list.
const LOOPS: [&str; 6] = ["map", "filter", "reduce", "all", "some", "none"];
/// How deep loops may nest.
const MAX_LOOP_DEPTH: usize = 2;
/// Items a nested loop may pass over in all.
const MAX_PASSES: usize = 1_000_000;
/// Names of the scope that a rule may read.
const ROOTS: [&str; 8] = ["event", "input", "vars", "steps", "run", "now", "incoming", "error"];

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    logic: Logic,
    pub(super) references: References,
    /// It may read anything: a `var` that is computed, or the whole.
    reads_all: bool,
    loop_depth: usize,
    longest_literal: usize,
}

fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);
    &ENGINE
}

impl Rule {
    /// Compiles a rule.
    pub(super) fn compile(rule: &Json) -> Result<Self, ExpressionError> {
        let mut survey = Survey::default();
        survey.visit(rule, 0, false)?;
        if survey.reads_all {
            // Any record may be asked for, so all of them must be at hand.
            for name in super::RECORD_NAMES {
                survey.references.add(vec![name.to_owned()]);
            }
        }
        let logic = engine().compile(rule).map_err(|error| plain_error(format!("the JSONLogic rule cannot be read: {error}")))?;
        Ok(Self { logic, references: survey.references, reads_all: survey.reads_all, loop_depth: survey.loop_depth, longest_literal: survey.longest_literal })
    }

    /// The rule's value for this data.
    pub(super) fn apply(&self, data: &Json) -> Result<Json, ExpressionError> {
        if self.loop_depth > 1 {
            let longest = longest_list(data).max(self.longest_literal);
            if longest.checked_pow(self.loop_depth as u32).is_none_or(|passes| passes > MAX_PASSES) {
                return Err(plain_error(format!("the JSONLogic rule would pass over {longest} items within {longest} items; that is too much")));
            }
        }
        engine().session().eval_into(&self.logic, data).map_err(|error| plain_error(format!("the JSONLogic rule failed: {error}")))
    }

    /// Whether the rule holds in this scope.
    pub(super) fn test(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        Ok(truthy(&self.apply(&self.data(scope)?)?))
    }

    /// As much of the scope as the rule reads.
    fn data(&self, scope: &Scope) -> Result<Json, ExpressionError> {
        let mut data = Object::new();
        if self.reads_all {
            for root in ROOTS {
                if let Found::Value(value) = follow::follow(scope, &[root.to_owned()]).map_err(plain_error)? {
                    data.insert(root.to_owned(), value.into_owned());
                }
            }
        }
        for (name, value) in &scope.locals {
            data.insert(name.to_string(), (**value).clone());
        }
        // Short paths first, so that a whole value is not cut down by one of its fields.
        let mut paths: Vec<&Vec<String>> = self.references.paths.iter().filter(|path| !data.contains_key(&path[0])).collect();
        paths.sort_by_key(|path| path.len());
        for path in paths {
            let path = &path[..up_to_list(scope, path)?];
            if let Found::Value(value) = follow::follow(scope, path).map_err(plain_error)? {
                place(&mut data, path, value.into_owned());
            }
        }
        Ok(Json::Object(data))
    }
}

/// How much of the path leads to a list, if it passes one: a list is read whole, so that places in it keep their numbers.
fn up_to_list(scope: &Scope, path: &[String]) -> Result<usize, ExpressionError> {
    let Some(number) = path.iter().position(|name| name.parse::<usize>().is_ok()) else { return Ok(path.len()) };
    let record = super::RECORD_NAMES.contains(&path[0].as_str());
    match follow::follow(scope, &path[..number]).map_err(plain_error)? {
        Found::Value(value) if value.is_array() || record => Ok(number),
        _ => Ok(path.len()),
    }
}

fn place(data: &mut Object, path: &[String], value: Json) {
    let Some((last, before)) = path.split_last() else { return };
    let mut at = data;
    for name in before {
        let next = at.entry(name.clone()).or_insert_with(|| Json::Object(Object::new()));
        match next {
            Json::Object(map) => at = map,
            // A whole value is there already.
            _ => return,
        }
    }
    at.entry(last.clone()).or_insert(value);
}

fn longest_list(value: &Json) -> usize {
    match value {
        Json::Array(list) => list.iter().map(longest_list).max().unwrap_or(0).max(list.len()),
        Json::Object(map) => map.values().map(longest_list).max().unwrap_or(0),
        _ => 0,
    }
}

/// Truth in the sense of `JSONLogic`, which agrees with Jinja's but for empty maps.
fn truthy(value: &Json) -> bool {
    super::program::truthy(value)
}

#[derive(Default)]
struct Survey {
    references: References,
    reads_all: bool,
    loop_depth: usize,
    longest_literal: usize,
}

impl Survey {
    fn visit(&mut self, rule: &Json, depth: usize, in_reduce: bool) -> Result<(), ExpressionError> {
        match rule {
            Json::Array(list) => {
                self.longest_literal = self.longest_literal.max(list.len());
                list.iter().try_for_each(|item| self.visit(item, depth, in_reduce))
            }
            Json::Object(map) if map.len() == 1 => map.iter().try_for_each(|(operator, arguments)| self.operator(operator, arguments, depth, in_reduce)),
            Json::Object(map) if map.len() > 1 => {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                Err(plain_error(format!("a JSONLogic rule has one operator, not several ({}); join rules with \"and\"", keys.join(", "))))
            }
            _ => Ok(()),
        }
    }

    fn operator(&mut self, operator: &str, arguments: &Json, depth: usize, in_reduce: bool) -> Result<(), ExpressionError> {
        if !engine().builtin_operator_names().any(|known| known == operator) {
            let near = super::suggest::nearest(operator, engine().builtin_operator_names());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            return Err(ExpressionError { message: format!("JSONLogic has no operator \"{operator}\"{hint}"), text: Some(operator.to_owned()), line: None });
        }
        let list = std::slice::from_ref(arguments);
        let list = arguments.as_array().map_or(list, Vec::as_slice);
        match operator {
            // Within a loop, names are fields of the item.
            _ if depth > 0 && matches!(operator, "var" | "val" | "exists" | "missing" | "missing_some") => {}
            "var" => match list.first() {
                Some(Json::String(path)) if path.is_empty() => self.reads_all = true,
                Some(Json::String(path)) => self.note(path.split('.')),
                None | Some(Json::Object(_) | Json::Null) => self.reads_all = true,
                _ => {}
            },
            "val" | "exists" => match list.iter().map(Json::as_str).collect::<Option<Vec<_>>>() {
                Some(path) if !path.is_empty() => self.note(path.into_iter()),
                _ => self.reads_all = true,
            },
            "missing" => self.note_all(list),
            "missing_some" => match list.get(1) {
                Some(Json::Array(names)) => self.note_all(names),
                _ => self.reads_all = true,
            },
            "cat" | "merge" if in_reduce => {
                return Err(plain_error(format!("`{operator}` within `reduce` can grow without bound; compute it in a step")));
            }
            _ => {}
        }
        let loops = LOOPS.contains(&operator);
        for (index, argument) in list.iter().enumerate() {
            let body = loops && index == 1;
            let inner = depth + usize::from(body);
            if inner > MAX_LOOP_DEPTH {
                return Err(plain_error(format!("loops ({}) may nest {MAX_LOOP_DEPTH} deep at the most", LOOPS.join(", "))));
            }
            self.loop_depth = self.loop_depth.max(inner);
            self.longest_literal = self.longest_literal.max(argument.as_array().map_or(0, Vec::len));
            self.visit(argument, inner, in_reduce || (body && operator == "reduce"))?;
        }
        Ok(())
    }

    fn note_all(&mut self, names: &[Json]) {
        for name in names {
            match name {
                Json::String(path) => self.note(path.split('.')),
                _ => self.reads_all = true,
            }
        }
    }

    fn note<'p>(&mut self, path: impl Iterator<Item = &'p str>) {
        self.references.add(path.map(str::to_owned).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_official_cases_are_all_right() {
        let shared = std::env::var("ONWARD_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
        let file = std::path::Path::new(&shared).join("conformance/jsonlogic-tests.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            println!("skipped: {} is not there; set ONWARD_SHARED to the folder that holds conformance/", file.display());
            return;
        };
        let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
        let mut count = 0;
        for case in cases.iter().filter_map(Json::as_array) {
            let got = Rule::compile(&case[0]).and_then(|rule| rule.apply(&case[1])).unwrap_or_else(|error| panic!("{case:?}: {error}"));
            assert!(same(&got, &case[2]), "{case:?} gave {got}");
            count += 1;
        }
        assert!(count > 250, "only {count} cases in {}", file.display());
    }

    /// Equal as JavaScript sees it: 1 and 1.0 are one number.
    fn same(a: &Json, b: &Json) -> bool {
        match (a, b) {
            (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
            (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (Json::Object(a), Json::Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b))),
            _ => a == b,
        }
    }

    #[test]
    fn own_cases() {
        for (rule, data, expected) in [
            (json!({"==": [1, "1"]}), json!({}), json!(true)),
            (json!({"===": [1, "1"]}), json!({}), json!(false)),
            (json!({"var": ["a.b", 7]}), json!({"a": {}}), json!(7)),
            (json!({"missing": ["a", "b"]}), json!({"a": 1}), json!(["b"])),
            (json!({"if": [false, 1, true, 2, 3]}), json!({}), json!(2)),
            (json!({"filter": [{"var": "l"}, {">": [{"var": ""}, 1]}]}), json!({"l": [1, 2, 3]}), json!([2, 3])),
            (json!({"reduce": [{"var": "l"}, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]}), json!({"l": [1, 2]}), json!(3)),
            (json!({"in": ["b", "abc"]}), json!({}), json!(true)),
            (json!({"substr": ["jsonlogic", -5]}), json!({}), json!("logic")),
        ] {
            let got = Rule::compile(&rule).unwrap().apply(&data).unwrap();
            assert!(same(&got, &expected), "{rule} gave {got}");
        }
    }

    #[test]
    fn rules_without_bound_are_refused() {
        let doubling = json!({"reduce": [{"var": "event.l"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]});
        assert!(Rule::compile(&doubling).unwrap_err().message.contains("without bound"));
        let list = json!({"var": "event.l"});
        let deep = json!({"map": [list, {"map": [list, {"map": [list, 1]}]}]});
        assert!(Rule::compile(&deep).unwrap_err().message.contains("nest"));
        let wide = Rule::compile(&json!({"map": [list, {"map": [list, 1]}]})).unwrap();
        assert!(wide.apply(&json!({"event": {"l": vec![0; 10_000]}})).unwrap_err().message.contains("too much"));
        assert!(Rule::compile(&json!({"vra": "x"})).unwrap_err().message.contains("did you mean \"var\"?"));
    }
}
