use super::{compiled, problems};
use crate::definition::Severity;

/// Files whose shape is wrong, and the first problem: the JSON Schema refuses them, too.
pub(super) const SHAPES: &[(&str, &str)] = &[
    ("name: a\nstep: []\nsteps: [{ stop: }]", "2:1 error unknown_field: a workflow has no key \"step\"; did you mean \"steps\"?"),
    ("name: a\nlimits: {}\nsteps: [{ stop: }]", "2:9 error bad_value: `limits` is empty; leave it out, or give concurrency, rate or debounce"),
    ("name: a\nlimits: { rat: {} }\nsteps: [{ stop: }]", "2:11 error unknown_field: limits has no key \"rat\"; did you mean \"rate\"?"),
    ("name: a\nlimits: { concurrency: {} }\nsteps: [{ stop: }]", "2:24 error missing_field: concurrency needs `max`"),
    ("name: a\nlimits: { concurrency: { max: 0 } }\nsteps: [{ stop: }]", "2:31 error bad_value: `max` must lie between 1 and 1000000"),
    ("name: a\nlimits: { concurrency: { max: 1.5 } }\nsteps: [{ stop: }]", "2:31 error bad_value: `max` must be a whole number"),
    (
        "name: a\nlimits: { concurrency: { max: 1, shared: 'a b' } }\nsteps: [{ stop: }]",
        "2:42 error bad_name: the shared limit's name \"a b\" may hold letters, digits, `_`, `.` and `-` only, 100 at the most",
    ),
    ("name: a\nlimits: { rate: { max: 1 } }\nsteps: [{ stop: }]", "2:17 error missing_field: rate needs `per`"),
    ("name: a\nlimits: { rate: { max: 1, per: 5 } }\nsteps: [{ stop: }]", "2:32 error bad_duration: `per` needs a unit: write 5s, 5m, 5h or 5d"),
    ("name: a\nlimits: { debounce: { max_wait: 1m } }\nsteps: [{ stop: }]", "2:21 error missing_field: debounce needs `wait`"),
    (
        "name: a\npriority: 0\nsteps: [{ stop: }]",
        "2:11 error bad_value: `priority` must be a whole number from 1 (first) to 10 (last), or an expression that gives one",
    ),
    ("steps: [{ stop: }]", "1:1 error missing_field: a workflow needs a `name`, such as welcome-new-lead"),
    ("name: a", "1:1 error missing_field: a workflow needs `steps`"),
    (
        "name: My Flow\nsteps: [{ stop: }]",
        "1:7 error bad_name: the name \"My Flow\" must be kebab-case (small letters, digits and single `-`) and 100 letters long at the most: my-flow",
    ),
    ("name: a\nsteps: {}", "2:8 error wrong_type: `steps` must be a list (each item begins with `- `), not a map"),
    ("name: a\nsteps: []", "2:8 error bad_value: `steps` has no steps"),
    ("name: a\non: { event: x }\nsteps: [{ stop: }]", "2:5 error wrong_type: `on` must be a list (each item begins with `- `), not a map"),
    (
        "name: a\non: [{ webhook: { path: x } }]\nsteps: [{ stop: }]",
        "2:17 error missing_field: a webhook needs `verify`: write `verify: { connection: NAME }` with a connection of the connector http, or `verify: none` to let everybody deliver",
    ),
    (
        "name: a\non: [{ webhook: { path: Partner/Leads, verify: none } }]\nsteps: [{ stop: }]",
        "2:25 error bad_path: the path \"Partner/Leads\" may hold small letters, digits, `_`, `.` and `-` only, 100 at the most: it is the last part of the address /hooks/in/PATH",
    ),
    (
        "name: a\non: [{ webhook: { path: x, verify: { conection: y } } }]\nsteps: [{ stop: }]",
        "2:36 error missing_field: `verify` needs a connection: write `verify: { connection: NAME }` with a connection of the connector http, or `verify: none` to let everybody deliver",
    ),
    (
        "name: a\non: [{ webhook: { path: x, verify: none, respond: finishd } }]\nsteps: [{ stop: }]",
        "2:51 error bad_value: `respond` cannot be \"finishd\"; did you mean \"finished\"?",
    ),
    (
        "name: a\non: [{ schedule: { cron: '0 9 * * *', missed: run_twice } }]\nsteps: [{ stop: }]",
        "2:47 error bad_value: `missed` cannot be \"run_twice\"; did you mean \"run_once\"?",
    ),
    (
        "name: a\non: [{ schedule: { cron: '0 9 * * *', each: leads } }]\nsteps: [{ stop: }]",
        "2:45 error wrong_type: `each` must be a map (key: value), not a text",
    ),
    (
        "name: a\non: [{ schedule: { cron: '0 9 * * *' }, webhook: { path: x, verify: none } }]\nsteps: [{ stop: }]",
        "2:50 error bad_trigger: a trigger is one of event, schedule, webhook and manual; begin a second item with `- `",
    ),
    ("name: a\non: [{ evnt: x }]\nsteps: [{ stop: }]", "2:8 error unknown_field: a trigger has no key \"evnt\"; did you mean \"event\"?"),
    ("name: a\non: [{ if: x }]\nsteps: [{ stop: }]", "2:6 error bad_trigger: a trigger needs `event: TYPE`, `schedule`, `webhook` or `manual`"),
    ("name: a\nmode: sngle\nsteps: [{ stop: }]", "2:7 error bad_value: `mode` cannot be \"sngle\"; did you mean \"single\"?"),
    ("name: a\nretry: { attempts: 3 }\nsteps: [{ stop: }]", "2:10 error unknown_field: retry has no key \"attempts\"; did you mean \"max_attempts\"?"),
    ("name: a\nretry: { max_attempts: 0 }\nsteps: [{ stop: }]", "2:24 error bad_value: `max_attempts` must lie between 1 and 100"),
    (
        "name: a\nexit_on: [{ event: x }]\nsteps: [{ stop: }]",
        "2:11 error missing_match: `match` is missing: write `match: contact` (the event's contact is the run's), `match: { path.in.data: value }`, or `match: any` when really every such event counts",
    ),
    ("name: a\nsteps:\n  - dely: 1s", "3:5 error unknown_verb: there is no verb \"dely\"; did you mean \"delay\"?"),
    ("name: a\nsteps:\n  - wait-for: { event: x }", "3:5 error unknown_verb: there is no verb \"wait-for\"; did you mean \"wait_for\"?"),
    (
        "name: a\nsteps:\n  - id: x",
        "3:5 error missing_field: a step needs a verb: one of do, if, choose, split, delay, wait_for, parallel, for_each, repeat, call, start, script, try, ask, set, emit, stop",
    ),
    ("name: a\nsteps:\n  - if: x", "3:5 error missing_field: `if` needs `then:` with steps, or a verb that it guards"),
    ("name: a\nsteps:\n  - if: vars.x\n    else: [{ stop: }]", "3:5 error missing_field: `if` with `else` needs `then`, too"),
    ("name: a\nsteps:\n  - then: [{ stop: }]", "3:5 error missing_field: `then` and `else` need an `if`"),
    ("name: a\nsteps:\n  - do: debug.echo\n    delay: 1s", "4:5 error two_verbs: a step has one verb, not both `do` and `delay`; begin a new step with `- `"),
    ("name: a\nsteps:\n  - parallel: {}", "3:15 error bad_value: `parallel` has one to 50 branches; use for_each with max_parallel for more"),
    ("name: a\nsteps:\n  - parallel: { a: [{ delay: 1s }] }\n    join: most", "4:11 error bad_value: `join` cannot be \"most\"; there are all, any"),
    ("name: a\nsteps:\n  - parallel: { a: [{ delay: 1s }] }\n    join: 0", "4:11 error bad_value: `join` must lie between 1 and 1"),
    ("name: a\nsteps:\n  - for_each: []\n    steps: []", "4:12 error bad_value: `steps` has no steps"),
    ("name: a\nsteps:\n  - for_each: '{{ input.list }}'", "3:5 error missing_field: for_each needs `steps`"),
    (
        "name: a\nsteps:\n  - for_each: input.list\n    steps: [{ delay: 1s }]",
        "3:15 error wrong_type: `for_each` must be a list, or an expression that gives one, such as \"{{ input.items }}\", not a text",
    ),
    (
        "name: a\nsteps:\n  - for_each: []\n    max_parallel: 1000\n    steps: [{ delay: 1s }]",
        "4:19 error bad_value: `max_parallel` must lie between 1 and 100",
    ),
    (
        "name: a\nsteps:\n  - for_each: []\n    on_item_error: skip\n    steps: [{ delay: 1s }]",
        "4:20 error bad_value: `on_item_error` cannot be \"skip\"; there are fail, continue",
    ),
    ("name: a\nsteps:\n  - repeat: { steps: [{ delay: 1s }] }", "3:13 error missing_field: `repeat` needs `while`, `until` or `times`; it would never end"),
    ("name: a\nsteps:\n  - repeat: { times: -1, steps: [{ delay: 1s }] }", "3:22 error bad_value: `times` must lie between 0 and 100000"),
    (
        "name: a\nsteps:\n  - repeat: { tims: 1, until: input.a, steps: [{ delay: 1s }] }",
        "3:15 error unknown_field: repeat has no key \"tims\"; did you mean \"times\"?",
    ),
    ("name: a\nsteps:\n  - try: []\n    finally: [{ delay: 1s }]", "3:10 error bad_value: `try` has no steps"),
    ("name: a\nsteps:\n  - try: [{ delay: 1s }]\n    catch: [{ on: [timeout] }]", "4:13 error missing_field: a clause of catch needs `steps`"),
    ("name: a\nsteps:\n  - ask: { title: Ok? }", "3:10 error missing_field: ask needs `who`"),
    ("name: a\nsteps:\n  - ask: { who: contcat, title: Ok? }", "3:17 error bad_value: `who` cannot be \"contcat\"; did you mean \"contact\"?"),
    ("name: a\nsteps:\n  - ask: { who: { role: x, team: x }, title: Ok? }", "3:28 error unknown_field: who has no key \"team\"; there are role, user"),
    ("name: a\nsteps:\n  - script: ''", "3:13 error bad_value: `script` must not be empty"),
    ("name: a\nsteps:\n  - do: debug.echo\n    compensate: { with: {} }", "4:17 error missing_field: compensate needs `do`"),
    (
        "name: a\nsteps:\n  - delay: 1s\n    compensate: { do: debug.echo }",
        "4:5 error unknown_field: a delay step has no key \"compensate\"; there are delay, id, name, if, retry, timeout, on_error",
    ),
    ("name: a\nsteps:\n  - do: debug.echo\n    wiht: {}", "4:5 error unknown_field: a do step has no key \"wiht\"; did you mean \"with\"?"),
    (
        "name: a\nsteps:\n  - delay: 1s\n    with: {}",
        "4:5 error unknown_field: a delay step has no key \"with\"; there are delay, id, name, if, retry, timeout, on_error",
    ),
    ("name: a\nsteps:\n  - do: debug.echo\n    on_error: ignore", "4:15 error bad_value: `on_error` cannot be \"ignore\"; there are fail, continue"),
    ("name: a\nsteps:\n  - just text", "3:5 error wrong_type: a step is a map with a verb, such as `do: NODE`, not a text"),
    ("name: a\nsteps:\n  - delay: 5", "3:12 error bad_duration: `delay` needs a unit: write 5s, 5m, 5h or 5d"),
    ("name: a\nsteps:\n  - delay: { for: 1s, until: '09:00' }", "3:30 error bad_delay: a delay has `for` or `until`, not both"),
    ("name: a\nsteps:\n  - delay: { timezone: contact }", "3:12 error missing_field: a delay needs `for` or `until`"),
    (
        "name: a\nsteps:\n  - delay: { until: '09:00', counting: business_hours }",
        "3:40 error bad_delay: `counting` says what of `for` counts; with `until` say `within: business_hours`",
    ),
    (
        "name: a\nsteps:\n  - wait_for: { event: x, match: any }\n    timeout: { for: 4h, counting: always }",
        "4:35 error bad_value: `counting` cannot be \"always\"; there are business_hours",
    ),
    ("name: a\nsteps:\n  - delay: { for: 1s, within: { days: mon-fri, from: '09:00' } }", "3:31 error missing_field: within needs `to`"),
    ("name: a\nsteps:\n  - delay: { for: 1s, within: always }", "3:31 error bad_value: `within` cannot be \"always\"; there are business_hours"),
    ("name: a\nsteps:\n  - split: { variants: { a: 1 } }", "3:24 error bad_value: `variants` needs two variants at least"),
    ("name: a\nsteps:\n  - split: { variants: { a: 1, b: x } }", "3:35 error wrong_type: `weight` must be a number, not a text"),
    (
        "name: a\nsteps:\n  - wait_for: { event: message.received }",
        "3:15 error missing_match: `match` is missing: write `match: contact` (the event's contact is the run's), `match: { path.in.data: value }`, or `match: any` when really every such event counts",
    ),
    (
        "name: a\nsteps:\n  - wait_for: { event: x, match: { a: 1, b: 2, c: 3, d: 4, e: 5 } }",
        "3:34 error bad_match: `match` compares one to 4 paths; put more into `if`",
    ),
    ("name: a\nsteps:\n  - wait_for: { event: x, match: { a: } }", "3:37 error bad_match: `a` is compared with nothing, which never matches"),
    (
        "name: a\nsteps:\n  - wait_for: { event: x, match: contacts }",
        "3:34 error bad_match: `match` is contact, any, or a map such as { order_id: \"{{ … }}\" }, not \"contacts\"; did you mean \"contact\"?",
    ),
    ("name: a\nsteps:\n  - choose: [{ else: [{ stop: }] }]", "3:13 error missing_field: `choose` needs a branch with `if` and `steps`"),
    ("name: a\nsteps:\n  - stop: { state: failed }", "3:13 error unknown_field: stop has no key \"state\"; did you mean \"status\"?"),
    ("name: a\nsteps:\n  - emit: Not A Type", "3:11 error bad_event_type: the event type \"Not A Type\" may hold small letters, digits, `_`, `.` and `-` only"),
    ("name: a\nsteps:\n  - set: {}", "3:10 error bad_value: `set` gives no variable a value"),
    (
        "name: a\nsteps:\n  - set: { a-b: 1 }",
        "3:12 error bad_name: \"a-b\" is no name of a variable; it needs letters, digits and `_`, and begins with a letter",
    ),
    ("name: a\nsteps:\n  - id: My Step\n    stop:", "3:9 error bad_name: the id \"My Step\" must be snake_case (small letters, digits and `_`): my_step"),
];

/// Files that have the right shape and are wrong.
const MEANINGS: &[(&str, &str)] = &[
    (
        "name: a\non:\n  - webhook: { path: x, verify: none }\n  - webhook: { path: x, verify: none }\nsteps: [{ stop: }]",
        "4:5 error duplicate_path: the path \"x\" is taken by the webhook in line 3; one address leads to one trigger",
    ),
    (
        "name: a\non: [{ schedule: { cron: 0 25 * * * } }]\nsteps: [{ stop: }]",
        "2:26 error bad_cron: \"0 25 * * *\" is no cron pattern: the hour \"25\" is wrong: number out of bounds; write minute, hour, day, month and day of the week, such as \"0 9 * * mon-fri\"; with six fields the first is the second",
    ),
    ("name: a\non: [{ schedule: { cron: '0 0 30 2 *' } }]\nsteps: [{ stop: }]", "2:26 error bad_cron: \"0 0 30 2 *\" never occurs: no year has such a day"),
    (
        "name: a\non: [{ schedule: { cron: '0 9 * * *', timezone: Europe/Berlim } }]\nsteps: [{ stop: }]",
        "2:49 error bad_zone: there is no time zone \"Europe/Berlim\"; write `contact` or a name such as Asia/Kolkata; did you mean \"Europe/Berlin\"?",
    ),
    (
        "name: a\non: [{ schedule: { cron: '0 9 * * *', timezone: contact } }]\nsteps: [{ stop: }]",
        "2:49 error bad_zone: `timezone: contact` needs `each: { segment: NAME }`: without it there is no contact whose clocks could be meant",
    ),
    (
        "name: a\non: [{ schedule: { cron: '0 9 * * *', jitter: P1M } }]\nsteps: [{ stop: }]",
        "2:47 error bad_duration: `jitter` must be exact, such as 30s or 2h, and a day long at the most",
    ),
    (
        "name: a\nsteps:\n  - if: { '>': [{ var: contcat.score }, 1] }\n    then: [{ stop: }]",
        "3:9 error unknown_name: there is no `contcat` here; did you mean \"contact\"?",
    ),
    ("name: a\nsteps:\n  - do: message.sned", "3:9 error unknown_node: there is no node \"message.sned\"; did you mean \"message.send\"?"),
    (
        "name: a\nsteps:\n  - do: message.send\n    with: { templte: hi }",
        "4:13 error unknown_field: message.send has no input \"templte\"; did you mean \"template\"?",
    ),
    ("name: a\nsteps:\n  - do: message.send\n    with: { delay: soon }", "4:20 error wrong_type: message.send: `delay` must be a whole number, not a text"),
    ("name: a\nsteps:\n  - do: message.send\n    with: { text: 5 }", "4:19 error wrong_type: message.send: `text` must be a text, not a number; quote it"),
    (
        "name: a\nsteps:\n  - do: message.send\n    with: { if_denied: skp }",
        "4:24 error bad_value: message.send: `if_denied` cannot be \"skp\"; did you mean \"skip\"?",
    ),
    ("name: a\nsteps:\n  - do: message.send\n    with: { delay: -1 }", "4:20 error bad_value: message.send: `delay`: -1 is less than the minimum of 0"),
    (
        "name: a\nsteps:\n  - do: message.send\n    with:\n      buttons:\n        - { id: a }\n        - { tite: '{{ input.x }}' }",
        "7:11 error missing_input: message.send: `buttons.1` needs the input \"id\"",
    ),
    (
        "name: a\nsteps:\n  - do: message.send\n    with:\n      buttons:\n        - { id: a, tite: '{{ input.x }}' }",
        "6:20 error unknown_field: message.send: `buttons.0` has no input \"tite\"; did you mean \"title\"?",
    ),
    ("name: a\nsteps:\n  - do: crm.contact.upsert", "3:9 error missing_input: crm.contact.upsert needs the input \"phone\""),
    ("name: a\nsteps:\n  - do: debug.echo\n    with: [1]", "4:11 error wrong_type: `with` must be a map, not a list"),
    (
        "name: a\nsteps:\n  - id: x\n    stop:\n    if: input.a\n  - id: x\n    stop:",
        "6:9 error duplicate_id: the id \"x\" is given twice; it is already on line 3",
    ),
    (
        "name: a\nsteps:\n  - if: steps.replay.timed_out\n    then: [{ stop: }]\n  - id: reply\n    delay: 1s",
        "3:9 error unknown_step: there is no step \"replay\"; did you mean \"reply\"?",
    ),
    (
        "name: a\nsteps:\n  - if: steps.reply.due\n    then: [{ stop: }]\n  - id: reply\n    delay: 1s",
        "3:9 error step_comes_later: step \"reply\" comes later, so its output never exists here; move it up",
    ),
    (
        "name: a\nsteps:\n  - id: x\n    do: debug.echo\n    with: { a: '{{ steps.x.b }}' }",
        "5:16 error step_comes_later: step \"x\" names its own output, which does not exist yet",
    ),
    (
        "name: a\nsteps:\n  - id: x\n    delay: 1s\n  - set: { a: '{{ steps.x.deu }}' }",
        "5:15 error unknown_name: the output of step \"x\" has no field \"deu\"; did you mean \"due\"?",
    ),
    (
        "name: a\nsteps:\n  - id: m\n    do: message.send\n  - set: { a: '{{ steps.m.messageid }}' }",
        "5:15 error unknown_name: the output of step \"m\" has no field \"messageid\"; did you mean \"message_id\"?",
    ),
    ("name: a\nsteps:\n  - wait_for: { event: x, match: any, since: y }", "3:46 error unknown_step: there is no step \"y\""),
    ("name: a\nexit_on: [{ event: x, match: { a: '{{ steps.nope.b }}' } }]\nsteps: [{ stop: }]", "2:35 error unknown_step: there is no step \"nope\""),
    ("name: a\nsteps:\n  - stop:\n  - delay: 1s", "4:5 error unreachable_step: this step is never reached: the run has ended before it"),
    (
        "name: a\nsteps:\n  - if: input.x\n    then: [{ stop: }]\n    else: [{ stop: }]\n  - delay: 1s",
        "6:5 error unreachable_step: this step is never reached: the run has ended before it",
    ),
    ("name: a\nsteps:\n  - if: '{{ input.x }}'\n    then: [{ stop: }]", "3:9 error bad_expression: an expression stands here without braces: write `input.x`"),
    (
        "name: a\nsteps:\n  - if: input.x ==\n    then: [{ stop: }]",
        "3:9 error bad_expression: the expression cannot be read: unexpected end of input, expected expression (at `==`)",
    ),
    ("name: a\nsteps:\n  - set: { a: 'x', b: ['{{ input.x | uper }}'] }", "3:24 error bad_expression: there is no filter \"uper\"; did you mean \"upper\"?"),
    (
        "name: a\nsteps:\n  - set:\n      a: |\n        Hello\n        {{ input.x | uper }}\n",
        "6:1 error bad_expression: there is no filter \"uper\"; did you mean \"upper\"?",
    ),
    ("name: a\nsteps:\n  - if: { '=>': [1, 2] }\n    then: [{ stop: }]", "3:9 error bad_expression: JSONLogic has no operator \"=>\"; did you mean \"==\"?"),
    ("name: a\nsteps:\n  - if: [1]\n    then: [{ stop: }]", "3:9 error wrong_type: a condition is a text such as steps.reply.timed_out, or a JSONLogic map"),
    ("name: a\nsteps:\n  - set: { a: '{{ inptu.x }}' }", "3:15 error unknown_name: there is no `inptu` here; did you mean \"input\"?"),
    (
        "name: a\nsteps:\n  - set: { a: '{{ event.payload }}' }",
        "3:15 error unknown_name: `event` has no field \"payload\" (facts of the event are below data); there are specversion, id, source, type, subject, time, data",
    ),
    ("name: a\nsteps:\n  - set: { a: '{{ run.idd }}' }", "3:15 error unknown_name: `run` has no field \"idd\"; did you mean \"id\"?"),
    (
        "name: a\nvars: { count: 1 }\nsteps:\n  - set: { a: '{{ vars.cuont }}' }",
        "4:15 error unknown_variable: no variable \"cuont\" is given, neither in vars nor by a set step; did you mean \"count\"?",
    ),
    (
        "name: a\nsteps:\n  - set: { a: '{{ secrets.x }}' }",
        "3:15 error not_in_scope: `secrets` does not exist here; secrets are no part of the scope: nodes take `connection: NAME`",
    ),
    (
        "name: a\nsteps:\n  - if: incoming.data.x\n    then: [{ stop: }]",
        "3:9 error not_in_scope: `incoming` does not exist here; it is the arriving event, in the `if` of a wait_for, exit_on or goal",
    ),
    ("name: a\nsteps:\n  - set: { a: '{{ item.x }}' }", "3:15 error not_in_scope: `item` does not exist here; it exists inside the steps of a loop"),
    (
        "name: a\nsteps:\n  - for_each: []\n    as: row\n    steps: [{ set: { a: '{{ item.x }}' } }]",
        "5:25 error not_in_scope: `item` does not exist here; it exists inside the steps of a loop",
    ),
    (
        "name: a\nsteps:\n  - for_each: []\n    steps: [{ set: { a: '{{ loop.count }}' } }]",
        "4:25 error unknown_name: `loop` has no field \"count\"; there are index, index0, length, first, last",
    ),
    (
        "name: a\nsteps:\n  - for_each: []\n    as: contact\n    steps: [{ delay: 1s }]",
        "4:9 error bad_name: \"contact\" means something else here; choose another name for the item",
    ),
    (
        "name: a\nsteps:\n  - for_each: []\n    steps: [{ id: x, delay: 1s }]\n  - set: { a: '{{ steps.x.due }}' }",
        "5:15 error not_in_scope: step \"x\" is inside a loop: its output exists only there; use the loop's own output",
    ),
    (
        "name: a\nsteps:\n  - parallel:\n      a: [{ id: x, delay: 1s }]\n      b: [{ set: { c: '{{ steps.x.due }}' } }]",
        "5:23 error not_in_scope: step \"x\" is in a branch that runs side by side with this one, which never sees it",
    ),
    (
        "name: a\nsteps:\n  - parallel:\n      a: [{ set: { c: 1 } }]\n      b: [{ set: { c: 2 } }]",
        "5:20 error conflicting_set: the variable \"c\" is set by a branch that runs side by side, too (line 4); give them two names",
    ),
    (
        "name: a\nsteps:\n  - try: [{ delay: 1s }]\n    catch: [{ steps: [{ delay: 1s }] }, { on: [timeout], steps: [{ delay: 1s }] }]",
        "4:13 error unreachable_step: this clause takes every error, so those after it are never reached; give it `on`, or move it to the end",
    ),
    ("name: a\nsteps:\n  - try: [{ delay: 1s }]", "3:5 error missing_field: `try` needs `catch` or `finally`"),
    (
        "name: a\nsteps:\n  - set: { a: '{{ error.code }}' }",
        "3:15 error not_in_scope: `error` does not exist here; it exists inside `catch`; after on_error: continue, a failed step's error is steps.ID.error",
    ),
    ("name: a\nsteps:\n  - call: My Flow", "3:11 error bad_name: \"My Flow\" is no name of a workflow: they are kebab-case, such as welcome-new-lead"),
    ("name: a\nkey: '{{ steps.x.y }}'\nsteps: [{ stop: }]", "2:6 error not_in_scope: `steps` does not exist here; no step has run yet"),
    (
        "name: a\non: [{ event: lead.captured, if: input.x }]\nsteps: [{ stop: }]",
        "2:34 error not_in_scope: `input` does not exist here; a trigger makes the input; use event.data",
    ),
    ("name: a\nvars: { a: 1, b: '{{ vars.a }}' }\nsteps: [{ stop: }]", "2:18 error not_in_scope: `vars` does not exist here; variables are not set yet"),
    (
        "name: a\nsteps:\n  - delay: 5 parsecs",
        "3:12 error bad_duration: \"5 parsecs\" is no duration: its units are ms, s, m, h, d and w; write it like 30s, 2h 30m, 7d or P1M",
    ),
    ("name: a\ntimeout: -5m\nsteps: [{ stop: }]", "2:10 error bad_duration: \"-5m\" is no duration: it is negative; write it like 30s, 2h 30m, 7d or P1M"),
    (
        "name: a\nreentry: after lunch\nsteps: [{ stop: }]",
        "2:10 error bad_duration: \"lunch\" is no duration: a number is expected; write it like 30s, 2h 30m, 7d or P1M",
    ),
    (
        "name: a\nsteps:\n  - delay: { until: next moon 09:00 }",
        "3:21 error bad_moment: \"next moon 09:00\" is no moment; write it like 2026-12-24T09:00:00Z, 09:30, tomorrow 09:30, next weekday 09:30 or next mon 09:30",
    ),
    (
        "name: a\nsteps:\n  - delay: { until: '09:00', timezone: Asia/Kolkatta }",
        "3:40 error bad_zone: there is no time zone \"Asia/Kolkatta\"; write `contact` or a name such as Asia/Kolkata; did you mean \"Asia/Kolkata\"?",
    ),
    (
        "name: a\nsteps:\n  - delay: { for: P1M, counting: business_hours }",
        "3:19 error bad_duration: months and calendar days have no open time; count in hours, such as 8h",
    ),
    (
        "name: a\nsteps:\n  - delay: { for: 1s, within: { days: mon-fry, from: '09:00', to: '10:00' } }",
        "3:39 error bad_value: \"mon-fry\" is no day of the week; write mon, or mon-fri, of mon, tue, wed, thu, fri, sat, sun",
    ),
    (
        "name: a\nsteps:\n  - delay: { for: 1s, within: { days: mon, from: '09:00', to: '08:00' } }",
        "3:31 error bad_value: `from` must lie before `to` on the same day",
    ),
    (
        "name: a\nsteps:\n  - do: debug.echo\n    retry: { on: [time_out] }",
        "4:19 error unknown_code: there is no error code \"time_out\"; a provider's own is written CONNECTOR:CODE; did you mean \"timeout\"?",
    ),
    (
        "name: a\nsteps:\n  - do: debug.echo\n    retry: { initial: P1M }",
        "4:23 error bad_duration: `initial` must be exact, such as 30s or 2h; months and calendar days vary",
    ),
    ("name: a\nsteps:\n  - split: { variants: { a: 0, b: 0 } }", "3:24 error bad_value: one variant at least must weigh more than 0"),
    (
        "name: a\non: [{ manual: { input: { type: objekt } } }]\nsteps: [{ stop: }]",
        "2:33 error bad_schema: this is no JSON Schema: \"objekt\" is not valid under any of the schemas listed in the 'anyOf' keyword",
    ),
];

/// Files that are no YAML we take.
const TEXTS: &[(&str, &str)] = &[
    ("", "1:1 error empty: the file is empty; a workflow has at least name and steps"),
    ("# only a comment\n", "1:1 error empty: the file is empty; a workflow has at least name and steps"),
    ("- a\n", "1:1 error wrong_type: `workflow` must be a map (key: value), not a list"),
    ("name: a\nname: b\nsteps: [{ stop: }]", "2:1 error duplicate_key: the key \"name\" stands twice; it is already on line 1"),
    ("name: a\nsteps:\n\t- stop:\n", "3:1 error bad_yaml: a tab stands in the indentation; YAML is indented with spaces"),
    (
        "name: a\nsteps: [{ stop: }]\n---\nname: b\n",
        "3:1 error several_documents: the file holds several documents (`---`); put each workflow into a file of its own",
    ),
    (
        "name: a\nsteps:\n  - if: !steps.x\n    then: [{ stop: }]",
        "3:9 error bad_tag: the tag `!steps.x` has no meaning here; quote a text that begins with `!`",
    ),
    ("name: a\nsteps:\n  - set: { a: {{ input.x }} }", "3:16 error bad_key: a key must be a plain text; quote an expression in braces: \"{{ … }}\""),
    ("name: a\nvars: { a: .nan }\nsteps: [{ stop: }]", "2:12 error bad_value: `.nan` is no number that can be kept; quote it to make it a text"),
    (
        "name: a\nvars: { a: 99999999999999999999 }\nsteps: [{ stop: }]",
        "2:12 error bad_value: `99999999999999999999` is no number that can be kept; quote it to make it a text",
    ),
];

#[test]
fn each_mistake_is_told_with_its_place_and_remedy() {
    let mut wrong = Vec::new();
    for (source, expected) in SHAPES.iter().chain(MEANINGS).chain(TEXTS) {
        let found: Vec<String> = problems(source).into_iter().filter(|problem| !problem.contains(" hint ")).collect();
        if found.first().map(String::as_str) != Some(&format!("f.yaml:{expected}")) {
            wrong.push(format!("{source}\n  expected f.yaml:{expected}\n  found    {}\n", found.join("\n           ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_mistake_gives_one_error() {
    for (source, _) in MEANINGS.iter().filter(|(source, _)| !source.contains("tite: '")) {
        let found: Vec<_> = compiled(source).problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(found.len(), 1, "{source}\n{found:#?}");
    }
}

#[test]
fn all_mistakes_are_collected_in_file_order() {
    let found = problems("name: a\nmode: x\nsteps:\n  - delay: 5\n  - do: nope\n    with: { a: '{{ inptu }}' }\n  - stop: { a: 1 }\n");
    let codes: Vec<&str> = found.iter().filter_map(|problem| problem.split(' ').nth(2)).collect();
    assert_eq!(codes, ["no_trigger:", "bad_value:", "no_effect:", "bad_duration:", "unknown_node:", "unknown_name:", "unknown_field:"]);
}

#[test]
fn a_suggestion_is_the_text_to_put_in_its_place() {
    let problem = compiled("name: a\nsteps:\n  - do: message.send\n    with: { templte: x }\n")
        .problems
        .into_iter()
        .find(|problem| problem.code == "unknown_field")
        .unwrap();
    assert_eq!((problem.suggestion.as_deref(), problem.pointer.as_str(), problem.line, problem.column), (Some("template"), "/steps/0/with/templte", 4, 13));
}

#[test]
fn a_name_that_cannot_be_checked_is_not_blamed() {
    let found = problems("name: a\nsteps:\n  - id: x\n    nonsense: 1\n  - set: { a: '{{ steps.x.y }}' }\n");
    assert_eq!(found.iter().filter(|problem| problem.contains(" error ")).count(), 1, "{found:#?}");
}

#[test]
fn the_list_of_problems_is_capped_and_still_tells_the_errors() {
    let mut source = "name: a\nsteps:\n".to_owned();
    for _ in 0..300 {
        source.push_str("  - wait_for: { event: nobody.knows, match: any }\n");
    }
    source.push_str("  - nonsense: 1\n");
    let found = compiled(&source);
    assert_eq!(found.problems.len(), 100);
    assert!(found.problems.iter().any(|problem| problem.code == "unknown_verb" || problem.severity == Severity::Error));
    assert!(found.workflow.is_none());
}
