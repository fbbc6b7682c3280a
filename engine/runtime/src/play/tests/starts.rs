//! What starts a run in a play: the workflow's own times, webhooks, and the limits that hold starts back.

use super::{file, pass, reports, told, workflow};

const NIGHTLY: &str = "name: nightly
on: [{ schedule: { cron: 30 8 * * mon-fri, timezone: Asia/Kolkata, jitter: 5m } }]
steps:
  - { id: call, do: http.request, with: { due: \"{{ event.data.due }}\" } }
  - { delay: 1d }
";

#[test]
fn the_clock_goes_on_to_the_workflows_own_times() {
    pass(
        &[workflow(NIGHTLY)],
        r#"
  - name: fires the next time
    schedule: {}
    expect: { runs: 1, status: completed, calls: [{ node: http.request, with: { due: "2026-01-06T03:00:00.000Z" } }], took: { under: 25h } }
  - name: fires over a weekend
    now: "2026-01-09T00:00:00Z"
    schedule: { fires: 2 }
    expect: { runs: 2, run: 2, status: completed, calls: [{ node: http.request, times: 1, with: { due: "2026-01-12T03:00:00.000Z" } }] }
  - name: what comes later is counted from the first time
    schedule: { fires: 1 }
    for: 12h
    then: [{ after: 6h, cancel: enough }]
    expect: { status: cancelled }
"#,
    );
}

const BIRTHDAYS: &str = "name: birthdays
on: [{ schedule: { cron: 0 9 * * *, timezone: contact, each: { segment: birthdays } } }]
steps: [{ id: greet, do: message.send, with: { text: \"{{ event.data.contact_id }} {{ contact.first_name }}\" } }]
";

#[test]
fn each_contact_of_a_segment_gets_a_run_where_it_lives() {
    let cases = r#"
  - name: two in one zone
    segments: { birthdays: [a, b] }
    records: { contact: { first_name: Asha } }
    schedule: {}
    expect: { runs: 2, calls: [{ node: message.send, times: 1, with: { text: a Asha } }, { node: message.send, times: 1, with: { text: b Asha } }] }
  - name: the sun rises in Kolkata first
    now: "2026-01-05T00:00:00Z"
    segments: { birthdays: [{ id: a, timezone: Europe/Berlin }, { id: b, timezone: Asia/Kolkata }] }
    records: { contact: { first_name: Asha } }
    schedule: {}
    expect: { runs: 1, calls: [{ node: message.send, times: 1, with: { text: b Asha } }] }
  - name: nobody is in it
    segments: { birthdays: [] }
    schedule: {}
    expect: { runs: 0 }
"#;
    let zone = "timezone: contact";
    pass(
        &[workflow(&BIRTHDAYS.replace(zone, "timezone: UTC"))],
        &cases.replace("runs: 1, calls: [{ node: message.send, times: 1, with: { text: b", "runs: 2, calls: [{ node: message.send, times: 1, with: { text: b"),
    );
    let report = reports(&[workflow(BIRTHDAYS)], cases);
    assert!(report[0].passed && report[1].passed, "{:?}", report.iter().map(told).collect::<Vec<_>>());
    assert!(told(&report[2])[0].contains("has no schedule that fires for anybody"), "{:?}", told(&report[2]));
}

#[test]
fn a_schedule_fires_its_own_trigger_only() {
    let other = workflow("name: other\non: [{ schedule: { cron: 0 1 * * * } }]\nsteps: [{ do: http.request }]\n");
    pass(&[workflow(NIGHTLY), other], "  - { name: alone, schedule: {}, expect: { runs: 1 } }\n");
}

#[test]
fn somebody_posts_to_a_webhook() {
    let form = workflow(
        "name: form\non:\n  - webhook: { path: site-form, verify: none }\n    with: { name: \"{{ event.data.name }}\" }\n  - webhook: { path: old-form, verify: none }\n    with: { name: \"{{ event.data.full_name }}\" }\nsteps:\n  - stop: { output: \"{{ input.name }}\" }\n",
    );
    pass(
        &[form],
        r"
  - { name: new, webhook: { path: site-form, body: { name: Asha } }, expect: { runs: 1, output: Asha } }
  - { name: old, webhook: { path: old-form, body: { full_name: Asha } }, expect: { runs: 1, output: Asha } }
  - name: once
    webhook: { path: site-form, id: a, body: { name: Asha } }
    then: [{ webhook: { path: site-form, id: a, body: { name: Asha } } }, { webhook: { path: site-form, id: b, body: { name: Ravi } } }]
    expect: { runs: 2, run: 2, output: Ravi }
",
    );
}

fn limited(limits: &str) -> std::sync::Arc<onward_core::definition::Workflow> {
    workflow(&format!(
        "name: limited\non: [{{ event: go }}]\nkey: \"{{{{ event.data.key }}}}\"\nlimits: {limits}\npriority: \"{{{{ event.data.priority | default(5) }}}}\"\nsteps:\n  - {{ id: work, do: http.request, with: {{ n: \"{{{{ event.data.n }}}}\" }} }}\n  - delay: 1h\n"
    ))
}

fn burst(n: usize, apart: &str, expect: &str) -> String {
    use std::fmt::Write as _;
    let mut case = format!("  - name: burst\n    event: {{ type: go, data: {{ key: a, n: 1 }} }}\n    expect: {expect}\n    then:\n");
    for n in 2..=n {
        let _ = writeln!(case, "      - {{ after: {apart}, event: {{ type: go, data: {{ key: a, n: {n} }} }} }}");
    }
    case
}

#[test]
fn no_more_run_at_a_time_than_the_limit_says() {
    let one = limited("{ concurrency: { max: 1, key: all } }");
    pass(&[std::sync::Arc::clone(&one)], &burst(3, "1m", "{ runs: 3, held: 0, calls: [{ node: http.request, times: 3 }] }"));
    pass(&[std::sync::Arc::clone(&one)], &burst(3, "1m", "{ runs: 1, held: 2 }").replace("    then:", "    for: 30m\n    then:"));
    let urgent = r"
  - name: the urgent one goes first
    event: { type: go, data: { key: a, n: 1 } }
    then:
      - { after: 1m, event: { type: go, data: { key: b, n: 2 } } }
      - { after: 1m, event: { type: go, data: { key: c, n: 3, priority: 1 } } }
    for: 90m
    expect: { runs: 2, held: 1, calls: [{ node: http.request, with: { n: 3 } }] }
";
    pass(&[one], urgent);
}

#[test]
fn starts_are_spread_as_the_rate_says() {
    let spread = limited("{ rate: { max: 2, per: 1h, key: all } }");
    pass(&[std::sync::Arc::clone(&spread)], &burst(4, "1s", "{ runs: 4, held: 0, run: 4, status: completed }"));
    pass(&[spread], &burst(4, "1s", "{ runs: 2, held: 2 }").replace("    then:", "    for: 45m\n    then:"));
}

#[test]
fn the_last_event_of_a_burst_starts_the_run() {
    let settled = limited("{ debounce: { wait: 5m, max_wait: 12m } }");
    pass(&[std::sync::Arc::clone(&settled)], &burst(3, "2m", "{ runs: 1, held: 0, calls: [{ node: http.request, times: 1, with: { n: 3 } }] }"));
    pass(
        &[std::sync::Arc::clone(&settled)],
        &burst(2, "5m", "{ runs: 2, calls: [{ node: http.request, with: { n: 1 } }, { node: http.request, with: { n: 2 } }] }"),
    );
    // The longest that a burst lasts: the fourth event begins another one.
    pass(
        &[settled],
        &burst(5, "4m", "{ runs: 2, calls: [{ node: http.request, times: 1, with: { n: 3 } }, { node: http.request, times: 1, with: { n: 5 } }] }"),
    );
}

#[test]
fn openings_are_compared_with_the_triggers() {
    let problems = |workflow: &std::sync::Arc<onward_core::definition::Workflow>, cases: &str| -> Vec<String> {
        let nodes = super::Nodes::default();
        file(cases).check(&[workflow], &nodes).into_iter().map(|problem| problem.message).collect()
    };
    let birthdays = workflow(BIRTHDAYS);
    let missing = problems(&birthdays, "  - { name: x, schedule: {}, expect: { runs: 1 } }\n");
    assert!(missing[0].contains("who is in the segment \"birthdays\"?"), "{missing:?}");
    let none = problems(&birthdays, "  - { name: x, webhook: { body: {} }, expect: { runs: 1 } }\n");
    assert!(none[0].contains("listens at 0 paths"), "{none:?}");
    let form = workflow("name: form\non: [{ webhook: { path: site-form, verify: none } }]\nsteps: [{ delay: 1s }]\n");
    let wrong = problems(&form, "  - { name: x, webhook: { path: site-from }, expect: { runs: 1 } }\n  - { name: y, schedule: {}, expect: { runs: 1 } }\n");
    assert!(wrong[0].contains("does not listen at \"site-from\"") && wrong[1].contains("has no `schedule`"), "{wrong:?}");
}
