use super::{compiled, good, valid};
use crate::definition::{Block, Verb};
use proptest::prelude::*;

/// A generated step: its YAML, indented, and its verb.
fn step(depth: u32) -> BoxedStrategy<Vec<String>> {
    let leaf = prop_oneof![
        Just(vec!["do: debug.echo".to_owned(), "with: { a: \"{{ input.x }}\" }".to_owned()]),
        (1..500_u32).prop_map(|length| vec![format!("delay: {length}m")]),
        "[a-z]{1,8}".prop_map(|name| vec![format!("set: {{ v_{name}: \"{{{{ input.{name} }}}}\" }}")]),
        "[a-z]{1,8}".prop_map(|name| vec![format!("emit: my.{name}")]),
        Just(vec!["wait_for: { event: message.received, match: contact }".to_owned(), "timeout: 1d".to_owned()]),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = prop::collection::vec(step(depth - 1), 1..3);
    prop_oneof![
        3 => leaf,
        1 => (inner.clone(), inner.clone()).prop_map(|(then, otherwise)| branch("if: input.x", &[("then", then), ("else", otherwise)])),
        1 => inner.prop_map(|steps| {
            let mut lines = vec!["split:".to_owned(), "  variants:".to_owned(), "    b: 1".to_owned(), "    a:".to_owned(), "      weight: 2".to_owned(), "      steps:".to_owned()];
            lines.extend(list(&steps, 8));
            lines
        }),
    ]
    .boxed()
}

fn branch(head: &str, blocks: &[(&str, Vec<Vec<String>>)]) -> Vec<String> {
    let mut lines = vec![head.to_owned()];
    for (name, steps) in blocks {
        lines.push(format!("{name}:"));
        lines.extend(list(steps, 2));
    }
    lines
}

fn list(steps: &[Vec<String>], indent: usize) -> Vec<String> {
    let pad = " ".repeat(indent);
    steps
        .iter()
        .flat_map(|lines| lines.iter().enumerate().map(|(index, line)| format!("{pad}{}{line}", if index == 0 { "- " } else { "  " })).collect::<Vec<_>>())
        .collect()
}

/// The verbs of a program in file order, with their depth.
fn verbs(block: &Block, out: &mut Vec<&'static str>) {
    for step in &block.steps {
        out.push(step.verb.word());
        match &step.verb {
            Verb::If { then, otherwise, .. } => {
                verbs(then, out);
                verbs(otherwise, out);
            }
            Verb::Split { variants, .. } => variants.iter().for_each(|variant| verbs(&variant.steps, out)),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,400}") {
        let _ = compiled(&text);
    }

    #[test]
    fn arbitrary_yaml_never_panics(text in "[-a-z0-9 :{}\\[\\]\"'|>&*!%#?,\n\t.~]{0,300}") {
        let _ = compiled(&text);
    }

    #[test]
    fn a_damaged_definition_never_panics(at in 0..4_000_usize, length in 0..40_usize, with in "[-{}:\\[\\]|%'\"a-z \n]{0,6}") {
        for source in [valid::WELCOME, valid::EVERYTHING] {
            let mut letters: Vec<char> = source.chars().collect();
            let at = at % letters.len();
            let end = (at + length).min(letters.len());
            letters.splice(at..end, with.chars());
            let damaged: String = letters.into_iter().collect();
            let compiled = compiled(&damaged);
            for problem in &compiled.problems {
                prop_assert!(problem.line >= 1 && problem.column >= 1 && problem.line as usize <= damaged.lines().count() + 1, "{problem:?}");
            }
        }
    }

    #[test]
    fn a_generated_definition_compiles_to_its_own_steps(steps in prop::collection::vec(step(3), 1..5)) {
        let lines = list(&steps, 2);
        let source = format!("name: generated\nsteps:\n{}\n", lines.join("\n"));
        let workflow = good(&source);
        let mut found = Vec::new();
        verbs(&workflow.steps, &mut found);
        let words = ["do", "if", "split", "delay", "wait_for", "set", "emit"];
        let written: Vec<&str> = lines.iter().filter_map(|line| words.into_iter().find(|word| line.trim_start().starts_with(&format!("- {word}:")))).collect();
        prop_assert_eq!(found, written);
        // Keys are unique, stand in file order, and are the same whenever the text is.
        let keys: Vec<String> = workflow.outline.iter().map(|line| line.key.to_string()).collect();
        let mut unique = keys.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), keys.len());
        let again: Vec<String> = good(&source).outline.iter().map(|line| line.key.to_string()).collect();
        prop_assert_eq!(keys, again);
    }
}
