//! The workflows that are measured.

use std::fmt::Write as _;

/// So many sequential `debug.echo`, started by hand: each result is durable before the next step starts.
pub(crate) fn echo_chain(name: &str, steps: usize) -> String {
    let mut source = format!("name: {name}\non:\n  - manual: {{}}\nsteps:\n");
    echo_steps(&mut source, steps);
    source
}

/// So many calls of this URL one after the other, started by an event.
pub(crate) fn calls(name: &str, event: &str, url: &str, steps: usize) -> String {
    let mut source = format!("name: {name}\non:\n  - event: {event}\nsteps:\n");
    for step in 1..=steps {
        // Writing to a text cannot fail.
        let _ = write!(source, "  - id: call_{step}\n    do: http.request\n    with: {{ method: POST, url: \"{url}\", body: {{ step: {step} }} }}\n");
    }
    source
}

/// One `debug.echo`, started by an event.
pub(crate) fn short(name: &str, event: &str) -> String {
    let mut source = format!("name: {name}\non:\n  - event: {event}\nsteps:\n");
    echo_steps(&mut source, 1);
    source
}

/// Sleeps for a month, started by an event.
pub(crate) fn sleeper(name: &str, event: &str) -> String {
    format!("name: {name}\non:\n  - event: {event}\nsteps:\n  - id: sleep\n    delay: 30d\n")
}

/// Sleeps until the moment that the event names.
pub(crate) fn alarm(name: &str, event: &str) -> String {
    format!("name: {name}\non:\n  - event: {event}\nsteps:\n  - id: sleep\n    delay: {{ until: \"{{{{ event.data.until }}}}\" }}\n")
}

/// Four messages over thirty days, each but the last followed by a wait for an answer, which ends it.
pub(crate) fn drip(name: &str, event: &str) -> String {
    let mut source = format!(
        "name: {name}\non:\n  - event: {event}\nexit_on:\n  - {{ event: contact.unsubscribed, match: contact }}\nsteps:\n  - id: greeting\n    split: {{ variants: {{ short: 50, long: 50 }} }}\n"
    );
    for (number, pause) in [(1, "2d"), (2, "5d"), (3, "19d")] {
        // Writing to a text cannot fail.
        let _ = write!(
            source,
            "  - id: message_{number}\n    do: debug.echo\n    with: {{ template: \"drip_{number}_{{{{ steps.greeting.variant }}}}\", name: \"{{{{ contact.first_name | default('there') }}}}\" }}\n  - id: reply_{number}\n    wait_for: {{ event: message.received, match: contact }}\n    timeout: 1d\n  - id: fork_{number}\n    if: not steps.reply_{number}.timed_out\n    then: [{{ stop: {{}} }}]\n    else: [{{ delay: {pause} }}]\n"
        );
    }
    source.push_str("  - id: last\n    do: debug.echo\n    with: { template: goodbye }\n");
    source
}

fn echo_steps(source: &mut String, steps: usize) {
    for step in 1..=steps {
        // Writing to a text cannot fail.
        let _ = write!(source, "  - id: step_{step}\n    do: debug.echo\n    with: {{ number: {step} }}\n");
    }
}
