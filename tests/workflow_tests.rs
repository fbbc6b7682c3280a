//! `onward test`: the tests of the workflows that we ship, and how the command tells what it finds.

use super::harness::{Home, workspace};
use onward_core::Value;
use std::path::{Path, PathBuf};

fn yaml_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn every_workflow_that_we_ship_has_tests_that_pass_under_crashes_and_failures() {
    let home = Home::fresh();
    for name in ["examples", "workflows"] {
        let folder = workspace().join(name);
        let mut files = Vec::new();
        yaml_below(&folder, &mut files);
        if files.is_empty() {
            continue;
        }
        for file in files.iter().filter(|file| !file.to_string_lossy().ends_with(".test.yaml")) {
            assert!(file.with_extension("test.yaml").is_file(), "{} has no test beside it", file.display());
        }
        let played = home.onward(&["test", folder.to_str().unwrap(), "--harden", "--json"]).await.good().json();
        for file in played["files"].as_array().unwrap() {
            assert_eq!(file["coverage"]["uncovered"], serde_json::json!([]), "{}: every step and every branch must be gone through", file["file"]);
            let cases = file["cases"].as_array().unwrap().len();
            assert!(name != "workflows" || cases >= 3, "{}: a workflow of the gallery has several cases, and not {cases}", file["file"]);
        }
    }
}

#[tokio::test]
async fn the_gallery_is_in_the_binary_and_in_the_manual() {
    let home = Home::fresh();
    let items = home.onward(&["workflows", "gallery", "--json"]).await.good().json();
    let items = items["items"].as_array().unwrap();
    let mut files = Vec::new();
    yaml_below(&workspace().join("workflows"), &mut files);
    let on_disk = files.iter().filter(|file| !file.to_string_lossy().ends_with(".test.yaml")).count();
    assert!(items.len() == on_disk && items.len() >= 22, "{} in the binary, {on_disk} on disk", items.len());
    let page = std::fs::read_to_string(workspace().join("docs/manual/gallery.md")).unwrap();
    for item in items {
        let name = item["name"].as_str().unwrap();
        let file = workspace().join(format!("workflows/{name}.yaml"));
        assert_eq!(
            item["source"].as_str().unwrap(),
            std::fs::read_to_string(&file).unwrap_or_default(),
            "the file is named after the workflow: {}",
            file.display()
        );
        let row = page.lines().find(|line| line.contains(&format!("[`{name}`](../../workflows/{name}.yaml)")));
        let row = row.unwrap_or_else(|| panic!("docs/manual/gallery.md does not tell of {name}"));
        for need in item["needs"].as_object().unwrap().values().flat_map(|names| names.as_array().unwrap()) {
            assert!(row.contains(&format!("`{}`", need.as_str().unwrap())), "docs/manual/gallery.md does not say that {name} needs {need}");
        }
    }
    let one = home.onward(&["workflows", "gallery", "missed-call"]).await.good();
    assert!(one.out.starts_with("name: missed-call\n"), "{}", one.out);
    let near = home.onward(&["workflows", "gallery", "mised-call"]).await;
    assert!(near.code == 1 && near.err.contains("did you mean `missed-call`?"), "{}", near.err);
}

/// The blocks of the manual are what they say they are: a workflow, its test, and what a simulation assumes of it.
#[tokio::test]
async fn the_manual_can_be_played() {
    let home = Home::fresh();
    let page = std::fs::read_to_string(workspace().join("docs/manual/testing.md")).unwrap();
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block)).collect();
    let [workflow, test, digest, digest_test, scenario] = blocks.as_slice() else { panic!("the page has {} blocks", blocks.len()) };
    home.write("digest.yaml", digest);
    home.write("digest.test.yaml", digest_test);
    home.onward(&["test", "digest.yaml", "--harden"]).await.good();
    home.write("payment.yaml", workflow);
    home.write("payment.test.yaml", test);
    home.write("assumptions.yaml", scenario);
    home.write("order.json", r#"{ "type": "order.created", "data": { "order": "4711" } }"#);
    let tested = home.onward(&["test", "payment.yaml", "--harden", "--json"]).await.good().json();
    assert_eq!(tested["files"][0]["coverage"]["uncovered"], serde_json::json!([]), "{tested:#}");
    let once = home.onward(&["simulate", "payment.yaml", "--event", "order.json", "--json"]).await.good().json();
    assert_eq!((&once["status"], &once["output"], &once["calls"][0]["step"]), (&"completed".into(), &serde_json::json!({ "paid": false }), &"remind".into()));
    assert_eq!(once["history"][0]["kind"], "run_started");
    let drawn = home.onward(&["simulate", "payment.yaml", "--event", "order.json"]).await.good();
    assert!(drawn.out.contains("0 messages would be sent; calls: http.request 1"), "{}", drawn.out);
    let arguments = ["simulate", "payment.yaml", "--event", "order.json", "--mock", "assumptions.yaml", "--contacts", "500", "--for", "30d"];
    let crowd = home.onward(&arguments).await.good();
    assert!(crowd.out.contains("500 contacts, 500 runs") && crowd.out.contains("timed_out"), "{}", crowd.out);
    let counts = home.onward(&[&arguments[..], &["--json"]].concat()).await.good().json();
    let waits = &counts["steps"][0]["branches"];
    assert_eq!(waits["event"].as_u64().unwrap() + waits["timed_out"].as_u64().unwrap(), 500, "{counts:#}");
    let again = home.onward(&[&arguments[..], &["--json"]].concat()).await.good().json();
    assert_eq!(counts, again, "the same seed gives the same crowd");
    let wrong = home.onward(&["simulate", "payment.yaml", "--event", "order.json", "--mock", "payment.test.yaml"]).await;
    assert_eq!(wrong.code, 1, "{}", wrong.out);
    assert_eq!(home.onward(&["simulate", "payment.yaml", "--contacts", "0"]).await.code, 2);
}

const WORKFLOW: &str = "name: reminder
on: [{ event: order.created }]
steps:
  - { id: pay, wait_for: { event: payment.succeeded, match: { order: \"{{ event.data.order }}\" } }, timeout: 2d }
  - id: fork
    if: steps.pay.timed_out
    then: [{ id: remind, do: http.request, with: { url: https://example.com } }]
";

const TEST: &str = "workflow: reminder.yaml
cases:
  - name: paid
    event: { type: order.created, data: { order: a } }
    then: [{ after: 1h, event: { type: payment.succeeded, data: { order: a } } }]
    expect: { status: completed, no_calls: true }
  - name: not paid & reminded
    event: { type: order.created, data: { order: a } }
    expect:
      status: completed
      calls: [{ step: remind, times: 2 }]
";

#[tokio::test]
async fn a_case_that_fails_is_told_with_its_place() {
    let home = Home::fresh();
    home.write("reminder.yaml", WORKFLOW);
    home.write("reminder.test.yaml", TEST);
    let told = home.onward(&["test"]).await;
    assert_eq!(told.code, 1, "{}", told.err);
    assert!(told.out.contains("✓ paid") && told.out.contains("✗ not paid"), "{}", told.out);
    assert!(told.out.contains("reminder.test.yaml:11:15 error expected_calls: calls: remind was called once, expected twice"), "{}", told.out);
    assert!(told.out.contains("2 cases in 1 file: 1 passed, 1 failed"), "{}", told.out);

    let json = home.onward(&["test", "reminder.yaml", "--json", "--junit", "report.xml"]).await.json();
    let file = &json["files"][0];
    assert_eq!(file["file"], "reminder.test.yaml");
    assert_eq!((&file["cases"][0]["name"], &file["cases"][0]["passed"], &file["cases"][0]["problems"]), (&"paid".into(), &true.into(), &Value::Array(vec![])));
    assert_eq!(file["cases"][1]["passed"], false);
    assert_eq!(file["cases"][1]["problems"][0]["line"], 11);
    assert_eq!(file["coverage"]["uncovered"], serde_json::json!([]), "{file:#}");
    let junit = std::fs::read_to_string(home.folder().join("report.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" failures=\"1\"") && junit.contains("name=\"not paid &amp; reminded\""), "{junit}");

    let one = home.onward(&["test", "--filter", "not", "--json"]).await.json();
    assert_eq!(one["files"][0]["cases"].as_array().unwrap().len(), 1);
    home.onward(&["test", "--filter", "not paid &", "--harden", "reminder.test.yaml"]).await;
    assert_eq!(home.onward(&["test", "--filter", "nothing like it"]).await.code, 2);
    assert_eq!(home.onward(&["test", "nowhere.yaml"]).await.code, 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_played_is_told_with_its_place() {
    let home = Home::fresh();
    home.write("reminder.yaml", WORKFLOW);
    home.write("a.test.yaml", "workflow: remindr.yaml\ncases: [{ name: x, input: {}, expect: { status: completed } }]\n");
    home.write("b.test.yaml", &TEST.replace("step: remind", "step: remnd"));
    home.write("c.test.yaml", &TEST.replace("status: completed", "status: complete"));
    let told = home.onward(&["test"]).await;
    assert_eq!(told.code, 1);
    for expected in [
        "a.test.yaml:1:11 error no_file: remindr.yaml cannot be read",
        "b.test.yaml:11:23 error unknown_step: the workflow has no step \"remnd\"; did you mean \"remind\"?",
        "did you mean \"completed\"?",
        "0 cases in 3 files: 0 passed, 3 files cannot be played",
    ] {
        assert!(told.out.contains(expected), "{expected}\n{}", told.out);
    }
}
