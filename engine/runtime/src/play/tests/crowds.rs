//! Crowds whose contacts meet: in a limit, in a key; and crowds that a schedule or a webhook starts.

use super::{Nodes, workflow};
use crate::play::{Counts, Crowd, Stage, Starts, contacts};
use onward_core::definition::{
    Span,
    testing::{Begin, EventDraft, Scenario},
};
use serde_json::json;

fn span(text: &str) -> Span {
    Span::parse(text).unwrap()
}

/// What a test says of a crowd.
struct Asked<'a> {
    sources: &'a [&'a str],
    starts: Starts,
    scenario: &'a str,
    watched_for: Option<&'a str>,
    over: Option<&'a str>,
    contacts: u64,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        let data = json!({ "contact_id": "x", "phone": "+1" });
        let event = EventDraft { kind: "go".into(), data, ..EventDraft::default() };
        Self { sources: &[], starts: Starts::Begin(Begin::Event(event)), scenario: "{}", watched_for: None, over: None, contacts: 0 }
    }
}

impl Asked<'_> {
    fn played(&self) -> Counts {
        let (nodes, scenario) = (Nodes::default(), Scenario::parse(self.scenario));
        let scenario = scenario.value.unwrap_or_else(|| panic!("{:#?}", scenario.problems));
        let played = |threads| {
            contacts(&Crowd {
                stage: Stage::new(self.sources.iter().map(|source| workflow(source)).collect()),
                starts: self.starts.clone(),
                scenario: &scenario,
                watched_for: self.watched_for.map(span),
                over: self.over.map(span),
                previews: &nodes,
                contacts: self.contacts,
                threads,
            })
        };
        let counts = played(2);
        assert!(counts.faults.is_empty() && counts.given_up == 0, "{counts:#?}");
        assert_eq!(counts, played(1), "the result does not depend on threads");
        counts
    }
}

fn limited(top: &str) -> String {
    format!("name: limited\non: [{{ event: go }}]\n{top}\nsteps:\n  - {{ id: work, do: http.request }}\n  - delay: 1h\n")
}

const MINUTE: i64 = 60_000;

#[test]
fn contacts_wait_for_each_other_where_a_limit_joins_them() {
    let source = limited("limits: { concurrency: { max: 10 } }");
    let counts = Asked { sources: &[&source], contacts: 100, ..Asked::default() }.played();
    assert!(counts.together);
    assert_eq!((counts.runs, counts.held, counts.statuses["completed"]), (100, 0, 100));
    let delays = counts.delays["limits.concurrency"];
    assert_eq!((delays.held, delays.let_through, delays.suppressed, delays.still_held), (90, 90, 0, 0));
    let waited = delays.waited.expect("ninety waited");
    assert_eq!((waited.shortest_ms, waited.median_ms, waited.longest_ms), (60 * MINUTE, 5 * 60 * MINUTE, 9 * 60 * MINUTE));
    let watched = Asked { sources: &[&source], contacts: 100, watched_for: Some("150m"), ..Asked::default() }.played();
    assert_eq!((watched.runs, watched.held, watched.delays["limits.concurrency"].still_held), (30, 70, 70));
}

#[test]
fn starts_of_a_crowd_are_spread_as_the_rate_says() {
    let source = limited("limits: { rate: { max: 60, per: 1h } }");
    let counts = Asked { sources: &[&source], contacts: 200, ..Asked::default() }.played();
    let delays = counts.delays["limits.rate"];
    assert_eq!((counts.together, counts.runs, delays.let_through, delays.still_held), (true, 200, 199, 0));
    assert_eq!(delays.waited.map(|waited| (waited.shortest_ms, waited.longest_ms)), Some((MINUTE, 199 * MINUTE)));
    // Who comes one a minute is never held up.
    let slow = Asked { sources: &[&source], contacts: 200, over: Some("200m"), ..Asked::default() }.played();
    assert!(slow.together && slow.delays.is_empty(), "{slow:#?}");
}

#[test]
fn contacts_that_share_a_key_meet_as_its_mode_says() {
    let keyed = |mode: &str| limited(&format!("key: \"{{{{ event.data.account }}}}\"\nmode: {mode}"));
    let scenario = "vary: { data: { account: { a: 1, b: 1 } } }";
    let single = Asked { sources: &[&keyed("single")], contacts: 50, scenario, ..Asked::default() }.played();
    assert_eq!((single.together, single.runs, single.not_started.values().sum::<u64>()), (true, 2, 48), "{single:#?}");
    let queued = Asked { sources: &[&keyed("queued")], contacts: 50, scenario, ..Asked::default() }.played();
    assert_eq!((queued.runs, queued.delays["mode"].let_through), (50, 48));
    let restart = Asked { sources: &[&keyed("restart")], contacts: 50, scenario, over: Some("50m"), ..Asked::default() }.played();
    assert_eq!((restart.statuses["cancelled"], restart.statuses["completed"]), (48, 2));
    let burst = limited("key: \"{{ event.data.account }}\"\nlimits: { debounce: { wait: 5m } }");
    let debounced = Asked { sources: &[&burst], contacts: 50, scenario, ..Asked::default() }.played();
    let delays = debounced.delays["limits.debounce"];
    assert_eq!((debounced.runs, delays.held, delays.let_through, delays.suppressed), (2, 50, 2, 48));
}

#[test]
fn contacts_with_keys_of_their_own_are_played_alone() {
    let own = limited("key: \"{{ event.data.contact_id }}\"\nmode: single\nlimits: { concurrency: { max: 1 }, rate: { max: 1, per: 1h } }");
    let counts = Asked { sources: &[&own], contacts: 30, ..Asked::default() }.played();
    assert_eq!((counts.together, counts.runs), (false, 30));
    // A limit of a workflow that it calls joins them just as well.
    let calls = "name: calls\non: [{ event: go }]\nsteps: [{ id: child, call: limited }]\n";
    let child = limited("limits: { concurrency: { max: 1 } }").replace("on: [{ event: go }]", "on: [{ manual: {} }]");
    let counts = Asked { sources: &[calls, &child], contacts: 5, ..Asked::default() }.played();
    assert_eq!((counts.together, counts.runs, counts.delays["limits.concurrency"].let_through), (true, 5, 4));
    assert_eq!(counts.steps.iter().map(|step| (step.step.as_str(), step.entered)).collect::<Vec<_>>(), [("child", 5)], "steps are the workflow's own");
}

#[test]
fn answers_find_the_contact_that_they_are_of() {
    let source = "name: asks\non: [{ event: go }]\nlimits: { concurrency: { max: 7, key: all } }\nsteps:\n  - { id: reply, wait_for: { event: message.received, match: contact }, timeout: 1d }\n";
    let scenario = "answers: { reply: [{ share: 40, after: { from: 1m, to: 2h } }] }";
    let together = Asked { sources: &[source], contacts: 500, scenario, ..Asked::default() }.played();
    let alone = Asked { sources: &[&source.replace("limits", "vars")], contacts: 500, scenario, ..Asked::default() }.played();
    assert!(together.together && !alone.together);
    assert_eq!(together.steps, alone.steps, "who answers does not depend on who waits for whom");
}

#[test]
fn a_schedule_starts_a_crowd_that_is_its_segment() {
    let source = "name: digest\non: [{ schedule: { cron: 0 9 * * *, timezone: contact, each: { segment: subscribers } } }]\nlimits: { concurrency: { max: 1, key: \"{{ run.key }}\" } }\nsteps: [{ id: told, do: message.send }]\n"
        .replace("limits: { concurrency: { max: 1, key: \"{{ run.key }}\" } }\n", "");
    let scenario = "vary: { contact: { timezone: [{ value: Asia/Kolkata, share: 50 }, { value: Europe/Berlin, share: 50 }] } }";
    let starts = Starts::Schedule(span("3d"));
    let counts = Asked { sources: &[&source], starts: starts.clone(), contacts: 20, scenario, ..Asked::default() }.played();
    assert_eq!((counts.together, counts.runs, counts.messages), (false, 60, 60), "{counts:#?}");
    let limited = source.replace("steps:", "limits: { rate: { max: 1, per: 1h, key: all } }\nsteps:");
    let counts = Asked { sources: &[&limited], starts: starts.clone(), contacts: 20, scenario, ..Asked::default() }.played();
    assert_eq!((counts.together, counts.runs), (true, 60));
    assert!(counts.delays["limits.rate"].let_through > 40, "{counts:#?}");
    let nightly = workflow("name: nightly\non: [{ schedule: { cron: 0 3 * * * } }]\nsteps: [{ do: http.request }]\n");
    assert!(starts.check(&nightly, true).unwrap_err().contains("leave the crowd out"));
    assert!(starts.check(&nightly, false).is_ok());
}

#[test]
fn a_webhook_starts_a_crowd() {
    let source =
        "name: form\non: [{ webhook: { path: site-form, verify: none } }]\nkey: \"{{ event.data.email }}\"\nmode: single\nsteps: [{ do: http.request }]\n";
    let starts = Starts::Webhook { path: None, body: json!({ "email": "a@example.com" }) };
    let counts = Asked { sources: &[source], starts, contacts: 12, ..Asked::default() }.played();
    assert_eq!((counts.together, counts.runs), (false, 12));
    let elsewhere = Starts::Webhook { path: Some("site-from".into()), body: json!({}) };
    assert!(elsewhere.check(&workflow(source), true).unwrap_err().contains("it listens at site-form"));
}
