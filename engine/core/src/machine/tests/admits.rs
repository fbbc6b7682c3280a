//! What a start is asked before there is a run.

use super::*;

fn admitted(definition: &str, envelope: Value) -> Admission {
    let compiled = compile(definition, &Nodes::default());
    let workflow = compiled.workflow.unwrap_or_else(|| panic!("{:?}", compiled.problems));
    // 20:30 UTC: the next day has begun in India.
    let asked = Asked { known: &Known::default(), now: Timestamp::from_millis(1_740_861_000_000), timezone: "Asia/Kolkata" };
    admit(&workflow, 0, &Arc::new(envelope), asked)
}

#[test]
fn a_trigger_reckons_in_the_organisations_zone() {
    let definition = "
name: zoned
on:
  - event: start
    if: (now | format('%H:%M')) == '02:00'
    with: { day: \"{{ now | format('%d %b') }}\" }
key: \"{{ input.day }}\"
steps:
  - stop: {}
";
    let Admission::Yes { input, key, .. } = admitted(definition, json!({ "type": "start", "data": {} })) else { panic!("the trigger refused") };
    assert_eq!((input, key.as_deref()), (json!({ "day": "02 Mar" }), Some("02 Mar")));
}
