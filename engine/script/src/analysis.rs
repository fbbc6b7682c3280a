//! What a script names, read off its syntax tree before it runs: paths of the scope, functions, literal texts of durable
//! calls.

use crate::{
    engine::CALL_WORKFLOW,
    inputs,
    problems::{Places, why_off},
};
use onward_core::ports::{ScriptInput, ScriptLiteral, ScriptProblem, ScriptReference, ScriptSite, ScriptWait};
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Keywords that are called like functions and stand in no module.
const KEYWORD_FUNCTIONS: [&str; 8] = ["Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "type_of", "this"];

/// The functions that an engine has, with the numbers of parameters that each takes.
pub(crate) type Functions = BTreeMap<String, BTreeSet<usize>>;

/// Every function of an engine.
pub(crate) fn functions_of(engine: &Engine) -> Functions {
    let mut functions = Functions::new();
    for (name, parameters) in engine.collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true) {
        functions.entry(name).or_default().insert(parameters);
    }
    functions
}

/// What a script names.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    pub(crate) references: Vec<ScriptReference>,
    pub(crate) literals: Vec<ScriptLiteral>,
    pub(crate) inputs: Vec<ScriptInput>,
    pub(crate) waits: Vec<ScriptWait>,
    pub(crate) sites: Vec<ScriptSite>,
    pub(crate) problems: Vec<ScriptProblem>,
}

/// Reads a syntax tree. `names` are the names of the scope, `functions` those of the engine, `durable` the functions whose
/// literal texts are wanted.
pub(crate) fn analyse(ast: &AST, places: Places, names: &[&str], functions: &Functions, durable: &[&str]) -> Analysis {
    let mut own = Functions::new();
    for function in ast.iter_functions() {
        own.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    let mut reader = Reader { places, names, functions, own, durable, properties: BTreeSet::new(), methods: Vec::new(), found: Analysis::default() };
    ast.walk(&mut |path| {
        reader.node(path, false);
        true
    });
    let mut visible = ast.clone_functions_only();
    visible.retain_functions(|_, _, name, _| !is_anonymous(name));
    visible.walk(&mut |path| {
        reader.node(path, true);
        true
    });
    reader.finish()
}

fn is_anonymous(name: &str) -> bool {
    name.starts_with("anon$")
}

struct Reader<'a> {
    places: Places,
    names: &'a [&'a str],
    functions: &'a Functions,
    /// Functions that the script defines.
    own: Functions,
    durable: &'a [&'a str],
    /// Names of properties that the script gives to maps: a closure in one can be called like a method.
    properties: BTreeSet<String>,
    /// Methods that no module has.
    methods: Vec<(String, Position)>,
    found: Analysis,
}

impl Reader<'_> {
    /// One node; `path` leads to it. The second reading, of named functions alone, looks for names that they cannot see.
    fn node(&mut self, path: &[ASTNode<'_>], in_function: bool) {
        let (node, parent) = match path {
            [.., parent, node] => (node, Some(parent)),
            [node] => (node, None),
            [] => return,
        };
        if in_function {
            if let ASTNode::Expr(Expr::Variable(variable, short, position)) = node
                && (variable.0, short) == (None, &None)
                && self.names.contains(&variable.1.as_str())
            {
                let message = format!("a function sees only its parameters; hand `{0}`, or what is needed of it, in as one", variable.1);
                self.found.problems.push(self.places.problem(*position, "not_in_scope", message, None));
            }
            return;
        }
        match node {
            // A variable of the script itself has an index.
            ASTNode::Expr(expression @ Expr::Variable(variable, short, position))
                if (variable.0, short) == (None, &None) && self.names.contains(&variable.1.as_str()) && !is_capture(expression, parent) =>
            {
                let mut path = vec![variable.1.to_string()];
                if let Some(ASTNode::Expr(Expr::Dot(chain, ..))) = parent
                    && std::ptr::eq(&raw const chain.lhs, *expression)
                {
                    properties(&chain.rhs, &mut path);
                }
                let (line, column) = self.places.of(*position);
                self.found.references.push(ScriptReference { path, line, column });
            }
            ASTNode::Expr(Expr::Map(map, _)) => self.properties.extend(map.0.iter().map(|(name, _)| name.name.to_string())),
            ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position)) => self.call(call, *position),
            ASTNode::Expr(Expr::MethodCall(call, position)) => {
                let takes = |functions: &Functions| functions.contains_key(call.name.as_str());
                if !takes(self.functions) && !takes(&self.own) && !KEYWORD_FUNCTIONS.contains(&call.name.as_str()) {
                    self.methods.push((call.name.to_string(), *position));
                }
            }
            ASTNode::Stmt(Stmt::Assignment(assignment)) => {
                if let Expr::Dot(chain, ..) = &assignment.1.lhs {
                    let mut names = Vec::new();
                    properties(&chain.rhs, &mut names);
                    self.properties.extend(names);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) {
        let name = call.name.as_str();
        if call.op_token.is_some() || KEYWORD_FUNCTIONS.contains(&name) || is_anonymous(name) {
            return;
        }
        let count = call.args.len();
        let shown = if name == CALL_WORKFLOW { "call" } else { name };
        if self.durable.contains(&shown) {
            let at = self.places.of(position);
            self.found.sites.push(ScriptSite { function: shown.to_owned(), line: at.0, column: at.1 });
            for (index, argument) in call.args.iter().enumerate() {
                if let Expr::StringConstant(text, position) = argument {
                    let (line, column) = self.places.of(*position);
                    let literal = ScriptLiteral { function: shown.to_owned(), call: at, argument: (index, count), text: text.to_string(), line, column };
                    self.found.literals.push(literal);
                }
            }
        }
        if name == "step" && self.durable.contains(&name) {
            self.found.inputs.extend(inputs::of_step(call, self.places));
        }
        if name == "wait_for" && self.durable.contains(&name) {
            self.wait(call);
        }
        let arities: BTreeSet<usize> = [self.functions, &self.own].into_iter().filter_map(|functions| functions.get(name)).flatten().copied().collect();
        if arities.contains(&count) {
            return;
        }
        let problem = if let (true, Some(why)) = (arities.is_empty(), why_off(name)) {
            self.places.problem(position, "unknown_function", format!("there is no `{shown}` here: {why}"), None)
        } else if arities.is_empty() {
            let known = self.functions.keys().chain(self.own.keys()).map(String::as_str);
            let known = known.filter(|name| name.starts_with(|letter: char| letter.is_ascii_lowercase()) && *name != CALL_WORKFLOW);
            self.places.wrong_name(position, "unknown_function", &format!("there is no function `{shown}`"), shown, known)
        } else {
            let arities: Vec<String> = arities.iter().map(usize::to_string).collect();
            let message = format!("`{shown}` does not take {count} argument(s), but {}", arities.join(" or "));
            self.places.problem(position, "bad_call", message, None)
        };
        self.found.problems.push(problem);
    }

    /// What a call of `wait_for` compares, where it says so literally.
    fn wait(&mut self, call: &FnCallExpr) {
        // With an id there are four arguments, and the event is the second.
        let first = usize::from(call.args.len() == 4);
        let (Some(Expr::StringConstant(event, _)), Some(matching)) = (call.args.get(first), call.args.get(first + 1)) else { return };
        let mut paths: Vec<String> = match matching {
            Expr::Map(map, _) => map.0.iter().map(|(name, _)| name.name.to_string()).collect(),
            Expr::StringConstant(word, _) if word.as_str() == "contact" => vec!["contact_id".to_owned()],
            Expr::StringConstant(word, _) if word.as_str() == "any" => Vec::new(),
            _ => return,
        };
        paths.sort();
        self.found.waits.push(ScriptWait { event: event.to_string(), paths });
    }

    fn finish(mut self) -> Analysis {
        for (name, position) in std::mem::take(&mut self.methods) {
            if !self.properties.contains(&name) {
                let known = self.functions.keys().chain(self.own.keys()).map(String::as_str);
                let known = known.filter(|name| name.starts_with(|letter: char| letter.is_ascii_lowercase()) && *name != CALL_WORKFLOW);
                self.found.problems.push(self.places.wrong_name(position, "unknown_function", &format!("there is no method `{name}`"), &name, known));
            }
        }
        self.found
    }
}

/// Whether a variable stands where a closure catches it: what the closure uses of it stands in its body.
fn is_capture(variable: &Expr, parent: Option<&ASTNode<'_>>) -> bool {
    let Some(ASTNode::Expr(Expr::FnCall(call, _))) = parent else { return false };
    if call.name.as_str() != "curry" {
        return false;
    }
    let Some(Expr::DynamicConstant(function, _)) = call.args.first() else { return false };
    function.is_fnptr() && call.args.iter().skip(1).any(|argument| std::ptr::eq(argument, variable))
}

/// The names after the points of a chain, up to the first that is none.
fn properties(expression: &Expr, names: &mut Vec<String>) {
    match expression {
        Expr::Property(property, _) => names.push(property.2.to_string()),
        Expr::Dot(chain, ..) => {
            let Expr::Property(property, _) = &chain.lhs else { return };
            names.push(property.2.to_string());
            properties(&chain.rhs, names);
        }
        Expr::Index(chain, ..) => {
            if let Expr::Property(property, _) = &chain.lhs {
                names.push(property.2.to_string());
            }
        }
        _ => {}
    }
}
