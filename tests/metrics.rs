//! `/metrics` of the built binary: names, types, and that the counts are right.

use super::harness::{Home, Server, eventually, workspace};
use onward_core::Value;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const KNOWN: &str = "name: seen-orders
on:
  - event: order.paid
    if: event.data.take
  - webhook: { path: orders, verify: none }
steps:
  - { id: echo, do: debug.echo, with: { n: \"{{ 1 }}\" } }
  - { id: flaky, do: debug.flaky, with: { fail_times: 1 }, retry: { max_attempts: 3, initial: 1ms } }
  - { id: note, do: debug.log, with: { message: \"for secret-customer\" } }
";
const FAILING: &str = "name: refusing
on: [{ event: order.refused }]
steps:
  - { do: debug.fail, with: { code: declined, message: \"no\" } }
";

/// Every expression of the dashboard and of the alerts, and where it stands.
fn expressions() -> Vec<(String, String)> {
    let folder = workspace().join("docs/operations");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let mut found = Vec::new();
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "panel {title} shows nothing");
        found.extend(targets.iter().map(|target| (format!("panel {title}"), target["expr"].as_str().unwrap().to_owned())));
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        found.extend(variable["definition"].as_str().map(|expression| ("a variable".to_owned(), expression.to_owned())));
    }
    let rules: Value = serde_saphyr::from_str(&read("alerts.yml")).unwrap();
    let mut names = BTreeSet::new();
    for rule in rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "two alerts are called {name}");
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {text}");
        }
        found.push((format!("alert {name}"), rule["expr"].as_str().unwrap().to_owned()));
    }
    for (place, expression) in &found {
        for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
            assert_eq!(expression.matches(open).count(), expression.matches(close).count(), "{place}: {expression}");
        }
    }
    found
}

/// The metrics of ours that an expression names.
fn named(expression: &str) -> Vec<String> {
    let words = expression.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("onward_") || word.starts_with("process_")).map(str::to_owned).collect()
}

/// What was scraped.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// By name.
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) helped: BTreeSet<String>,
    /// By name with labels, as written.
    values: BTreeMap<String, f64>,
}

impl Scrape {
    pub(crate) fn read(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some((name, _)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                scrape.helped.insert(name.to_owned());
            } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is told twice");
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
                let value = value.parse().unwrap_or_else(|_| panic!("{line:?} has no number"));
                assert!(scrape.values.insert(name.to_owned(), value).is_none(), "{name} is told twice");
            }
        }
        scrape
    }
    /// A sample; 0 when there is none.
    fn value(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_types_and_counts_are_right_after_a_known_set_of_runs() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("seen-orders", KNOWN).await;
    api.publish("refusing", FAILING).await;
    let before = Scrape::read(&api.ask("/metrics").await.text);
    let mut runs = Vec::new();
    for number in 0..4 {
        let event = json!({ "type": "order.paid", "id": format!("o{number}"), "data": { "take": true, "name": "secret-customer" } });
        runs.push(api.post("/api/v1/events", &event).await.expect(202)["items"][0]["run_ids"][0].as_str().unwrap().to_owned());
    }
    let again = api.post("/api/v1/events", &json!({ "type": "order.paid", "id": "o0", "data": { "take": true } })).await.expect(202);
    assert_eq!(again["items"][0]["duplicate"], true);
    api.post("/api/v1/events", &json!({ "type": "order.paid", "data": { "take": false } })).await.expect(202);
    let delivered = api.post("/hooks/in/orders", &json!({ "take": true })).await;
    assert_eq!(delivered.status, 202, "{}", delivered.text);
    let failed = api.post("/api/v1/events", &json!({ "type": "order.refused", "data": {} })).await.expect(202);
    api.run_in(failed["items"][0]["run_ids"][0].as_str().unwrap(), "failed").await;
    for run in &runs {
        api.run_in(run, "completed").await;
    }
    let ended = "onward_runs_ended_total{status=\"completed\"}";
    let scrape = eventually("the fifth run has ended", || async {
        let scrape = Scrape::read(&api.ask("/metrics").await.text);
        (scrape.value(ended) - before.value(ended) >= 5.0).then_some(scrape)
    })
    .await;

    let rise = |name: &str| scrape.value(name) - before.value(name);
    for (name, expected) in [
        ("onward_runs_started_total", 6.0),
        (ended, 5.0),
        ("onward_runs_ended_total{status=\"failed\"}", 1.0),
        ("onward_events_duplicate_total", 1.0),
        // Six from outside, and `run.failed`.
        ("onward_events_total", 8.0),
        ("onward_step_retries_total", 5.0),
        ("onward_step_attempts_total{node=\"debug.echo\",outcome=\"done\"}", 5.0),
        ("onward_step_attempts_total{node=\"debug.flaky\",outcome=\"done\"}", 5.0),
        ("onward_step_attempts_total{node=\"debug.flaky\",outcome=\"failed\"}", 5.0),
        ("onward_step_attempts_total{node=\"debug.fail\",outcome=\"failed\"}", 1.0),
        ("onward_step_seconds_count{node=\"debug.echo\"}", 5.0),
        ("onward_webhook_requests_total{connector=\"in\",outcome=\"taken\"}", 1.0),
    ] {
        assert!((rise(name) - expected).abs() < f64::EPSILON, "{name} rose by {} and not by {expected}", rise(name));
    }
    for (name, least) in [
        ("onward_shards_owned", 256.0),
        ("onward_accepting", 1.0),
        ("onward_lease_remaining_seconds", 0.1),
        ("onward_database_bytes", 1.0),
        ("onward_commit_seconds_count", 1.0),
        ("onward_commit_batch_items_count", 1.0),
        ("process_resident_memory_bytes", 1_000_000.0),
        ("process_open_fds", 1.0),
    ] {
        assert!(scrape.value(name) >= least, "{name} is {}", scrape.value(name));
    }
    for (name, kind) in &scrape.types {
        assert!(scrape.helped.contains(name), "{name} has no help");
        let counts = name.ends_with("_total");
        assert_eq!(counts, kind == "counter", "{name} is a {kind}");
        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name} is a {kind}");
        assert!(name.starts_with("onward_") || name.starts_with("process_"), "{name}");
    }
    for (place, expression) in expressions() {
        for name in named(&expression) {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).filter(|base| scrape.types.contains_key(*base));
            assert!(base.is_some() || scrape.types.contains_key(&name), "{place} names {name}, which this binary does not give");
        }
    }
    let why = home.onward(&["runs", "why", &runs[0]]).await.good().out;
    assert!(why.contains("It has ended: completed"), "{why}");
    let labels: String = scrape.values.keys().flat_map(|name| [name.as_str(), "\n"]).collect();
    for secret in ["secret-customer", "seen-orders", "refusing", "default", "order.paid"] {
        assert!(!labels.contains(secret), "{secret} is in a label:\n{labels}");
    }
}
