use super::compiled;
use crate::limits;
use std::fmt::Write as _;

fn refused(source: &str) -> String {
    let compiled = compiled(source);
    assert!(compiled.workflow.is_none());
    compiled.problems.into_iter().find(|problem| problem.severity == super::Severity::Error).map(|problem| problem.code).unwrap_or_default()
}

#[test]
fn hostile_files_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(bomb, "a{level}: &a{level} [{previous}]");
    }
    let deep_flow = "[".repeat(100_000);
    let deep_block = (0..500).fold(String::new(), |mut text, level| {
        let _ = writeln!(text, "{}a:", " ".repeat(level));
        text
    });
    let wide = format!("name: a\nvars: {{ a: [{}] }}\n", "1,".repeat(60_000));
    let long = format!("name: {}\n", "a".repeat(limits::DEFINITION_BYTES));
    let aliased: String = (0..20_000).fold("a: &a [1, 2, 3, 4]\n".to_owned(), |mut text, number| {
        let _ = writeln!(text, "b{number}: *a");
        text
    });
    let mut nested_anchors = (0..60).fold(String::new(), |mut text, level| {
        let _ = write!(text, "&a{level} [");
        text
    });
    nested_anchors.push_str(&"]".repeat(60));
    for (name, source, code) in [
        ("alias bomb", bomb, "too_large"),
        ("deep flow", deep_flow, "too_deep"),
        ("deep flow, closed", format!("a: {}{}", "[".repeat(70), "]".repeat(70)), "too_deep"),
        ("deep block", deep_block, "too_deep"),
        ("wide", wide, "too_large"),
        ("long", long, "too_large"),
        ("aliases", aliased, "too_large"),
        ("alias of itself", "a: &a [*a]\n".to_owned(), "bad_alias"),
        ("unknown alias", "a: *b\n".to_owned(), "bad_yaml"),
        ("key that is a map", "? { a: 1 }\n: 2\n".to_owned(), "bad_key"),
        ("tag", "a: !!binary aGk=\n".to_owned(), "bad_tag"),
        ("merge key", "name: a\n<<: { b: 1 }\nsteps: [{ stop: }]".to_owned(), "unknown_field"),
        ("unclosed", "a: [1, 2\n".to_owned(), "bad_yaml"),
        ("unclosed quote", "a: \"x\n".to_owned(), "bad_yaml"),
        ("nul", "a: \0\n".to_owned(), "bad_yaml"),
        ("only anchors", nested_anchors, "wrong_type"),
    ] {
        assert_eq!(refused(&source), code, "{name}");
    }
}

#[test]
fn as_many_steps_as_allowed_and_no_more() {
    let steps = |count: usize| format!("name: a\nsteps:\n{}", "  - delay: 1s\n".repeat(count));
    assert!(compiled(&steps(limits::DEFINITION_STEPS)).workflow.is_some());
    assert_eq!(refused(&steps(limits::DEFINITION_STEPS + 1)), "too_large");
}

#[test]
fn steps_nest_as_deep_as_the_file_may() {
    let nested = |levels: usize| {
        let mut source = "name: a\nsteps:\n".to_owned();
        for level in 0..levels {
            let indent = " ".repeat(2 + level * 4);
            let _ = write!(source, "{indent}- if: input.x\n{indent}  then:\n");
        }
        let _ = writeln!(source, "{}- stop:", " ".repeat(2 + levels * 4));
        source
    };
    assert!(compiled(&nested(20)).workflow.is_some());
    assert_eq!(refused(&nested(40)), "too_deep");
}
