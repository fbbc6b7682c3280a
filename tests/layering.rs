//! Each room imports only what stands below it (DESIGN.md, "Layout"), outside crates included.

use onward_core::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Our crates, and which of ours each may import. Tests may besides use the testkit, and the sandbox.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("onward-core", &[]),
    ("onward-sandbox", &[]),
    ("onward-testkit", &["onward-core"]),
    ("onward-fuzz", &["onward-core", "onward-script"]),
    ("onward-database", &["onward-core"]),
    ("onward-store", &["onward-core", "onward-database"]),
    ("onward-script", &["onward-core"]),
    ("onward-runtime", &["onward-core", "onward-script"]),
    ("onward-connectors", &["onward-core", "onward-database"]),
    ("onward-accounts", &["onward-core", "onward-database"]),
    ("onward-records", &["onward-accounts", "onward-core", "onward-database"]),
    ("onward-messaging", &["onward-accounts", "onward-connectors", "onward-core", "onward-database", "onward-records"]),
    (
        "onward-api",
        &["onward-accounts", "onward-connectors", "onward-core", "onward-database", "onward-messaging", "onward-records", "onward-runtime", "onward-store"],
    ),
];

/// Outside crates that stand in some rooms only.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["onward-database"]),
    ("rusqlite", &["onward-database"]),
    ("axum", &["onward-api", "onward-sandbox", "onward"]),
    ("utoipa", &["onward-api"]),
    // One HTTP client for the product; the sandbox is the outside world and has its own.
    ("reqwest", &["onward-connectors", "onward-sandbox"]),
    ("clap", &["onward"]),
    ("rustls", &["onward-connectors", "onward-sandbox", "onward"]),
    ("argon2", &["onward-accounts"]),
    ("chacha20poly1305", &["onward-connectors"]),
    ("minijinja", &["onward-core"]),
    ("datalogic-rs", &["onward-core"]),
    ("rhai", &["onward-script"]),
];

/// What the pure crates must not have: I/O, a runtime, clocks, chance.
const NEVER_IN_PURE: &[&str] = &["tokio", "sqlx", "reqwest", "axum", "hyper", "rand", "tracing-subscriber", "futures-timer", "async-std", "smol"];

struct Crate {
    name: String,
    normal: BTreeSet<String>,
    for_tests: BTreeSet<String>,
}

fn crates() -> Vec<Crate> {
    let metadata = super::harness::metadata(&["--no-deps"]);
    let read = |package: &Value| {
        let mut found = Crate { name: package["name"].as_str().unwrap().to_owned(), normal: BTreeSet::new(), for_tests: BTreeSet::new() };
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap().to_owned();
            let kind = if dependency["kind"] == "dev" { &mut found.for_tests } else { &mut found.normal };
            kind.insert(name);
        }
        found
    };
    metadata["packages"].as_array().unwrap().iter().map(read).collect()
}

/// Everything that breaks the rules, as sentences.
fn breaches(crates: &[Crate]) -> Vec<String> {
    let may: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let only: BTreeMap<&str, &[&str]> = ONLY_IN.iter().copied().collect();
    let mut breaches = Vec::new();
    for one in crates {
        let name = one.name.as_str();
        match may.get(name) {
            Some(allowed) => {
                let ours = |dependency: &&String| dependency.starts_with("onward");
                breaches.extend(
                    one.normal
                        .iter()
                        .filter(ours)
                        .filter(|other| !allowed.contains(&other.as_str()))
                        .map(|other| format!("{name} imports {other}, which does not stand below it")),
                );
                let in_tests = |other: &&String| allowed.contains(&other.as_str()) || ["onward-testkit", "onward-sandbox"].contains(&other.as_str());
                // The store's and the runtime's tests need each other's neighbours to be shown on a real database.
                let shown_on =
                    |other: &&String| ["onward-store", "onward-runtime"].contains(&name) && ["onward-database", "onward-store"].contains(&other.as_str());
                breaches.extend(
                    one.for_tests
                        .iter()
                        .filter(ours)
                        .filter(|other| !in_tests(other) && !shown_on(other))
                        .map(|other| format!("{name}'s tests import {other}, which does not stand below it")),
                );
            }
            None if name == "onward" => {}
            None => breaches.push(format!("{name} has no place in the layout; add it to tests/layering.rs and docs/ARCHITECTURE.md")),
        }
        for dependency in &one.normal {
            if let Some(rooms) = only.get(dependency.as_str())
                && !rooms.contains(&name)
            {
                breaches.push(format!("{name} imports {dependency}, which belongs to {}", rooms.join(", ")));
            }
        }
        if ["onward-core", "onward-testkit"].contains(&name) {
            // tokio::sync runs on any executor, the simulated one included; the testkit may use it.
            let excused = |dependency: &str| name == "onward-testkit" && ["tokio", "rand"].contains(&dependency);
            breaches.extend(
                one.normal
                    .iter()
                    .filter(|other| NEVER_IN_PURE.contains(&other.as_str()) && !excused(other))
                    .map(|other| format!("{name} is pure and imports {other}")),
            );
        }
    }
    breaches
}

#[test]
fn no_arrow_points_up() {
    let found = breaches(&crates());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_is_there() {
    let crates = crates();
    for (name, _) in MAY_IMPORT {
        assert!(crates.iter().any(|one| one.name == *name), "{name} is named in the layout and does not exist");
    }
}

#[test]
fn a_breach_is_seen() {
    let one = |name: &str, normal: &[&str], for_tests: &[&str]| Crate {
        name: name.into(),
        normal: normal.iter().map(|&text| text.to_owned()).collect(),
        for_tests: for_tests.iter().map(|&text| text.to_owned()).collect(),
    };
    for (breaking, says) in [
        (one("onward-core", &["tokio"], &[]), "is pure"),
        (one("onward-database", &["onward-store"], &[]), "does not stand below it"),
        (one("onward-records", &["sqlx"], &[]), "belongs to onward-database"),
        (one("onward-runtime", &["onward-database"], &[]), "does not stand below it"),
        (one("onward-records", &[], &["onward-api"]), "tests import"),
        (one("onward-sandbox", &["onward-connectors"], &[]), "does not stand below it"),
        (one("onward-helpers", &[], &[]), "no place"),
    ] {
        let found = breaches(&[breaking]);
        assert!(found.iter().any(|text| text.contains(says)), "{says}: {found:?}");
    }
}
