//! The workflows that are measured.

use std::fmt::Write as _;

/// So many sequential `debug.echo`, started by hand: each result is durable before the next step starts.
pub(crate) fn echo_chain(name: &str, steps: usize) -> String {
    let mut source = format!("name: {name}\non:\n  - manual: {{}}\nsteps:\n");
    echo_steps(&mut source, steps);
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

fn echo_steps(source: &mut String, steps: usize) {
    for step in 1..=steps {
        // Writing to a text cannot fail.
        let _ = write!(source, "  - id: step_{step}\n    do: debug.echo\n    with: {{ number: {step} }}\n");
    }
}
