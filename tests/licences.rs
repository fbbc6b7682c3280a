//! Every crate that is linked has a licence that we accept, and none is banned. The rules stand once, in `deny.toml`, for
//! `cargo deny` as well; this test needs nothing installed.

use super::harness::{metadata, workspace};
use onward_core::Value;
use std::collections::BTreeSet;

/// The texts in the array `name = [ … ]`, and the `name`s within it. As much TOML as `deny.toml` uses.
fn listed(deny: &str, array: &str) -> BTreeSet<String> {
    let (_, rest) = deny.split_once(&format!("\n{array} = [")).unwrap_or_else(|| panic!("deny.toml has no `{array}`"));
    let (inside, _) = rest.split_once("\n]").unwrap_or_else(|| panic!("`{array}` in deny.toml does not end"));
    inside.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

/// Whether a licence expression is accepted: of `OR` one side is enough, of `AND` both are needed.
fn accepted(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.trim();
    if let Some((one, other)) = outside_parentheses(expression, " AND ") {
        return accepted(one, allowed) && accepted(other, allowed);
    }
    if let Some((one, other)) = outside_parentheses(expression, " OR ").or_else(|| outside_parentheses(expression, "/")) {
        return accepted(one, allowed) || accepted(other, allowed);
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => accepted(inner, allowed),
        // `MPL-2.0+`: that version or a later one.
        None => allowed.contains(expression.strip_suffix('+').unwrap_or(expression)),
    }
}

fn outside_parentheses<'e>(expression: &'e str, word: &str) -> Option<(&'e str, &'e str)> {
    let mut depth = 0_i32;
    for (index, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[index..].starts_with(word) => return Some((&expression[..index], &expression[index + word.len()..])),
            _ => {}
        }
    }
    None
}

/// The packages that the product is linked from: normal and build dependencies, not those of tests.
fn linked(metadata: &Value) -> Vec<&Value> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let ours = metadata["workspace_members"].as_array().unwrap();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = ours.iter().filter_map(Value::as_str).collect();
    while let Some(id) = open.pop() {
        if !reached.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id).unwrap();
        for dependency in node["deps"].as_array().unwrap() {
            if dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev") {
                open.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    metadata["packages"].as_array().unwrap().iter().filter(|package| reached.contains(package["id"].as_str().unwrap())).collect()
}

#[test]
fn every_licence_is_accepted_and_no_crate_is_banned() {
    let deny = std::fs::read_to_string(workspace().join("deny.toml")).unwrap();
    let (allowed, banned) = (listed(&deny, "allow"), listed(&deny, "deny"));
    assert!(allowed.contains("MIT") && banned.contains("openssl"), "{allowed:?} {banned:?}");
    let metadata = metadata(&["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let packages = linked(&metadata);
    assert!(packages.len() > 100, "only {} packages were found", packages.len());
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        if !accepted(licence, &allowed) {
            wrong.push(format!("{name} has the licence {licence}"));
        }
        if banned.contains(name) {
            wrong.push(format!("{name} is banned"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn licence_expressions() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Apache-2.0".to_owned(), "Unicode-3.0".to_owned()]);
    for (expression, good) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("none", false),
    ] {
        assert_eq!(accepted(expression, &allowed), good, "{expression}");
    }
}
