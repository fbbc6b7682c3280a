//! Files that are scripts, through the compiler of definitions.

use crate::Rhai;
use onward_core::{
    definition::{Catalogue, Compiled, Workflow, compile, render_problem},
    ports::{Effect, NodeDescriptor, Scripts},
};
use serde_json::{Value, json};

/// A few nodes, one of each effect.
pub(super) struct Nodes(Vec<NodeDescriptor>);

impl Default for Nodes {
    fn default() -> Self {
        let node = |id: &str, effect: Effect| NodeDescriptor {
            id: id.into(),
            title: id.into(),
            description: String::new(),
            category: "Test".into(),
            effect,
            input: if id == "message.send" {
                json!({ "type": "object", "properties": { "to": { "type": "string" }, "n": { "type": "integer" } }, "required": [], "additionalProperties": false })
            } else {
                json!({})
            },
            output: json!({}),
            example: json!({}),
            example_output: json!({ "assumed": true }),
            ui: Value::Null,
            connector: None,
            personal: false,
            binds: id.starts_with("crm.contact").then(|| "contact".into()),
        };
        Self(vec![
            node("debug.echo", Effect::External),
            node("message.send", Effect::AtMostOnce),
            node("crm.contact.get", Effect::Transactional),
            node("debug.log", Effect::Pure),
        ])
    }
}

impl Catalogue for Nodes {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        self.0.iter().find(|node| node.id == id)
    }
    fn node_ids(&self) -> Vec<&str> {
        self.0.iter().map(|node| node.id.as_str()).collect()
    }
    fn event_types(&self) -> Vec<&str> {
        vec!["message.received", "go"]
    }
    fn scripts(&self) -> Option<&dyn Scripts> {
        Some(&Rhai)
    }
}

fn compiled(source: &str) -> Compiled {
    compile(source, &Nodes::default())
}

/// The workflow of a file without a mistake.
pub(super) fn workflow(source: &str) -> Workflow {
    let Compiled { workflow, problems } = compiled(source);
    workflow.unwrap_or_else(|| panic!("{problems:#?}\n{source}"))
}

fn told(source: &str) -> Vec<String> {
    compiled(source).problems.iter().map(|problem| render_problem("f.rhai", problem)).collect()
}

#[test]
fn the_header_is_the_top_of_a_workflow() {
    let source = "\u{feff}\n//! name: trial-nurture\n//! on:\n//!   - event: go\n//! key: \"{{ event.data.k }}\"\n//! mode: single\n//! retry: { max_attempts: 3 }\n\n// A comment of the script.\nstep(\"debug.echo\", #{ n: input.n })\n";
    let workflow = workflow(source);
    assert_eq!((workflow.name.as_str(), workflow.triggers.len(), &*workflow.source), ("trial-nurture", 1, source));
    assert!(workflow.key.is_some() && workflow.steps.steps.is_empty());
    let script = workflow.script.expect("a script");
    assert_eq!(script.nodes["debug.echo"].retry.max_attempts, 3);
}

#[test]
fn mistakes_stand_where_they_were_made() {
    for (source, expected) in [
        ("//! name: Bad Name\n1", "f.rhai:1:11 error bad_name"),
        ("//! name: x\n//! onn: []\n1", "f.rhai:2:5 error unknown_field: a workflow has no key \"onn\"; did you mean \"on\"?"),
        ("//! name: x\n//! steps: []\n1", "f.rhai:2:12 error bad_value: the steps of a script are the script itself"),
        ("//! name: x\n\nlet a = 1;\n  evnt.data", "f.rhai:4:3 error unknown_name: there is no variable `evnt`; did you mean `event`?"),
        ("//! name: x\nevent.dta", "f.rhai:2:1 error unknown_name: `event` has no field \"dta\""),
        ("//! name: x\nvars.limit", "f.rhai:2:1 error unknown_variable: no variable \"limit\" is given"),
        ("//! name: x\nstep(\"message.sned\", #{})", "f.rhai:2:6 error unknown_node: there is no node \"message.sned\"; did you mean \"message.send\"?"),
        ("//! name: x\nstep(\"greet\", \"message.sned\")", "f.rhai:2:15 error unknown_node"),
        ("//! name: x\nsleep(\"1 fortnight\")", "f.rhai:2:7 error bad_duration"),
        ("//! name: x\nsleep_until(\"someday\")", "f.rhai:2:13 error bad_time"),
        ("//! name: x\nwait_for(\"Message Received\", \"any\")", "f.rhai:2:10 error bad_event_type"),
        ("//! name: x\nwait_for(\"message.received\", \"contct\", \"2h\")", "f.rhai:2:30 error bad_value: \"contct\" is no match"),
        ("//! name: x\nwait_for(\"message.received\", \"any\", \"2 hours ago\")", "f.rhai:2:37 error bad_duration"),
        ("//! name: x\nlet a = stepp(\"debug.echo\");", "f.rhai:2:9 error unknown_function: there is no function `stepp`; did you mean `step`?"),
        ("//! name: x\nstep(\"message.send\", #{\n  t: 1 })", "f.rhai:3:3 error unknown_field: message.send has no input \"t\"; did you mean \"to\"?"),
        (
            "//! name: x\nstep(\"greet\", \"message.send\", #{ to: `a${1}`, n: \"two\" })",
            "f.rhai:2:50 error wrong_type: message.send: `n` must be a whole number",
        ),
        ("//! name: x\nwait_for(\"message.recieved\", \"any\")", "f.rhai:2:10 hint unknown_event_type: nobody declares the event type \"message.recieved\""),
        ("//! name: x\nwait_for(\"message.received\")", "f.rhai:2:1 error bad_call: `wait_for` does not take 1 argument(s)"),
        ("//! name: x\nlet a = ;", "f.rhai:2:9 error bad_script"),
    ] {
        let told = told(source);
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}\n{told:#?}\n{source}");
    }
    assert!(told("//! name: x\nstep(\"greet\", \"message.send\"); step(\"debug.echo\", #{})").iter().all(|told| told.contains("hint")));
}

#[test]
fn mistakes_in_a_script_step_stand_where_they_were_made() {
    let file = |script: &str| format!("name: x\nsteps:\n  - id: a\n    do: debug.echo\n  - id: b\n    script: {script}\n");
    for (script, expected) in [
        ("|\n      let a = 1;\n      evnt.data", "f.rhai:8:7 error unknown_name: there is no variable `evnt`"),
        ("|\n      let a = 1;\n        trm(a)", "f.rhai:8:9 error unknown_function"),
        ("steps.c.x", "f.rhai:6:13 error unknown_step: there is no step \"c\""),
        ("\"steps.b\"", "error step_comes_later"),
        ("item.n", "f.rhai:6:13 error not_in_scope: `item` does not exist here"),
        ("vars.limit", "f.rhai:6:13 error unknown_variable"),
        ("sleep(1)", "f.rhai:6:13 error unknown_function"),
        ("[1]", "error wrong_type"),
    ] {
        let told = told(&file(script));
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}\n{told:#?}\n{script}");
    }
}

#[test]
fn a_large_file_is_refused_before_it_is_read() {
    let large = format!("//! name: x\n{}", " ".repeat(50 << 20));
    assert!(told(&large)[0].contains("too_large"));
}

#[test]
fn a_script_with_more_lines_than_its_file_is_told_within_the_file() {
    let source = "name: a\nsteps:\n  - script: \"1;\\n2;\\n3;\\n4;\\nlet = 5;\"\n";
    let problems = compile(source, &Nodes::default()).problems;
    assert!(problems.iter().any(|problem| (problem.line, problem.code.as_str()) == (4, "bad_script")), "{problems:?}");
}
