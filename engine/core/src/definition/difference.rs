//! What two versions of a workflow differ in: its text, line by line; its steps, by key; and what stands above them.

use super::{
    OutlineStep, Workflow,
    problems::Problems,
    tree::{self, Tree},
};
use crate::Value;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Lines of both files together that are compared line by line; of longer files that differ, all of the one gives way to all
/// of the other. The comparison takes time that grows with the square of what differs.
const COMPARED_LINES: usize = 10_000;
/// Lines that are shown around a change.
const CONTEXT_LINES: usize = 3;

/// What two versions differ in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Their texts are the same.
    pub same: bool,
    /// Steps, in the order of the new file, removed ones last.
    pub steps: Vec<StepDifference>,
    /// What stands above the steps: triggers (`on`), limits, variables ….
    pub settings: Vec<FieldDifference>,
    /// The unified diff of the texts.
    pub text: String,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepDifference {
    /// Its key: its `id`, or what it is named by without one.
    pub step: Arc<str>,
    /// For people.
    pub title: String,
    /// What became of it.
    pub change: StepChange,
    /// It stands in another list, or elsewhere in its list. A changed step may have moved, too.
    pub moved: bool,
    /// Its line in the old file.
    pub line_was: Option<u32>,
    /// Its line in the new file.
    pub line_now: Option<u32>,
    /// What it has otherwise than before, the steps inside it apart.
    pub fields: Vec<FieldDifference>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepChange {
    /// The old version has none of this key.
    Added,
    /// The new version has none of this key.
    Removed,
    /// It says something else.
    Changed,
    /// It says the same, elsewhere.
    Moved,
}

/// A value that is not what it was; null where there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldDifference {
    /// The key: `with`, `timeout`, `on` ….
    pub field: String,
    /// In the old version.
    pub was: Value,
    /// In the new version.
    pub now: Value,
}

/// Compares two versions.
pub fn differences(old: &Workflow, new: &Workflow) -> Difference {
    let (was, now) = (Outlined::of(old), Outlined::of(new));
    let moved = was.moved_in(&now);
    let mut steps = Vec::new();
    for (key, step) in &now.steps {
        let Some(before) = was.steps.get(key) else {
            steps.push(step.changed(StepChange::Added, None, Some(step), Vec::new()));
            continue;
        };
        let fields = fields(&before.content, &step.content);
        let moved = moved.contains(key);
        if !fields.is_empty() || moved {
            let change = if fields.is_empty() { StepChange::Moved } else { StepChange::Changed };
            steps.push(StepDifference { moved, ..step.changed(change, Some(before), Some(step), fields) });
        }
    }
    steps.sort_by_key(|step| step.line_now);
    let mut removed: Vec<StepDifference> = was
        .steps
        .iter()
        .filter(|(key, _)| !now.steps.contains_key(*key))
        .map(|(_, step)| step.changed(StepChange::Removed, Some(step), None, Vec::new()))
        .collect();
    removed.sort_by_key(|step| step.line_was);
    steps.extend(removed);
    Difference { same: old.source == new.source, steps, settings: fields(&was.settings, &now.settings), text: unified(&old.source, &new.source) }
}

/// A file taken apart.
struct Outlined {
    steps: BTreeMap<Arc<str>, Part>,
    settings: Value,
}

/// A list of steps: the key of the step around, and the way from there.
type List = (Option<Arc<str>>, String);

/// A step that both files have in one list.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stayed<'a> {
    was: usize,
    now: usize,
    key: &'a Arc<str>,
}

/// A step by itself.
struct Part {
    key: Arc<str>,
    title: String,
    line: u32,
    /// The list that it stands in.
    list: List,
    /// Its place in that list.
    place: usize,
    /// What it says, without the steps inside.
    content: Value,
}

impl Part {
    fn changed(&self, change: StepChange, was: Option<&Self>, now: Option<&Self>, fields: Vec<FieldDifference>) -> StepDifference {
        let line = |part: Option<&Self>| part.map(|part| part.line);
        StepDifference { step: Arc::clone(&self.key), title: self.title.clone(), change, moved: false, line_was: line(was), line_now: line(now), fields }
    }
}

impl Outlined {
    fn of(workflow: &Workflow) -> Self {
        // It was parsed before: a published file is a tree.
        let document = tree::parse(&workflow.source, &mut Problems::default()).as_ref().map(Tree::to_value).unwrap_or_default();
        let mut settings = document.clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.shift_remove("steps");
        }
        let steps = workflow.outline.iter().map(|step| (Arc::clone(&step.key), part(step, &workflow.outline, &document))).collect();
        Self { steps, settings }
    }

    /// The steps that stand elsewhere in the other file: in another list, or out of the order of those that stayed.
    fn moved_in(&self, other: &Self) -> Vec<Arc<str>> {
        let mut moved = Vec::new();
        let mut stayed: BTreeMap<&List, Vec<Stayed<'_>>> = BTreeMap::new();
        for (key, step) in &self.steps {
            match other.steps.get(key) {
                Some(now) if now.list == step.list => stayed.entry(&step.list).or_default().push(Stayed { was: step.place, now: now.place, key }),
                Some(_) => moved.push(Arc::clone(key)),
                None => {}
            }
        }
        for mut list in stayed.into_values() {
            list.sort_unstable();
            let places: Vec<usize> = list.iter().map(|step| step.now).collect();
            let kept = longest_rising(&places);
            moved.extend(list.iter().enumerate().filter(|(index, _)| !kept.contains(index)).map(|(_, step)| Arc::clone(step.key)));
        }
        moved
    }
}

fn part(step: &OutlineStep, outline: &[OutlineStep], document: &Value) -> Part {
    let pointer = step.position.pointer.as_str();
    let (list, place) = pointer.rsplit_once('/').unwrap_or((pointer, ""));
    let around = outline.iter().rfind(|other| list.strip_prefix(other.position.pointer.as_str()).is_some_and(|rest| rest.starts_with('/')));
    let way = around.map_or(list, |around| &list[around.position.pointer.len()..]);
    let mut content = document.pointer(pointer).cloned().unwrap_or_default();
    for inner in outline {
        let Some(below) = inner.position.pointer.strip_prefix(pointer).filter(|below| below.starts_with('/')) else { continue };
        if let Some(list) = below.rsplit_once('/').and_then(|(list, _)| content.pointer_mut(list)) {
            *list = Value::Null;
        }
    }
    Part {
        key: Arc::clone(&step.key),
        title: step.title.clone(),
        line: step.position.line,
        list: (around.map(|around| Arc::clone(&around.key)), way.to_owned()),
        place: place.parse().unwrap_or_default(),
        content,
    }
}

/// The places of a longest run of rising numbers, not side by side.
fn longest_rising(numbers: &[usize]) -> Vec<usize> {
    // For each length, the place of the smallest number with which so many end; and for each place, the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; numbers.len()];
    for (place, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        before[place] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() {
            ends.push(place);
        } else {
            ends[length] = place;
        }
    }
    std::iter::successors(ends.last().copied(), |place| before[*place]).collect()
}

fn fields(was: &Value, now: &Value) -> Vec<FieldDifference> {
    let none = crate::Object::new();
    let (was, now) = (was.as_object().unwrap_or(&none), now.as_object().unwrap_or(&none));
    let names = now.keys().chain(was.keys().filter(|name| !now.contains_key(*name)));
    let value = |of: &crate::Object, name: &str| of.get(name).cloned().unwrap_or_default();
    let pairs = names.map(|name| FieldDifference { field: name.clone(), was: value(was, name), now: value(now, name) });
    pairs.filter(|field| field.was != field.now || was.contains_key(&field.field) != now.contains_key(&field.field)).collect()
}

fn unified(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    if old.lines().count() + new.lines().count() > COMPARED_LINES {
        let marked = |mark: char, text: &str| text.lines().flat_map(|line| [mark.to_string(), line.to_owned(), "\n".to_owned()]).collect::<String>();
        return format!("@@ -1,{} +1,{} @@\n{}{}", old.lines().count(), new.lines().count(), marked('-', old), marked('+', new));
    }
    similar::TextDiff::from_lines(old, new).unified_diff().context_radius(CONTEXT_LINES).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{compile, tests::Nodes};

    fn workflow(source: &str) -> Workflow {
        let compiled = compile(source, &Nodes::default());
        compiled.workflow.unwrap_or_else(|| panic!("{:?}", compiled.problems))
    }

    const OLD: &str = "name: w
on: [{ event: a.b }]
vars: { wait: 1h }
steps:
  - { id: first, do: debug.echo, with: { n: 1 } }
  - { id: second, delay: 1h }
  - id: choice
    if: event.data.big
    then:
      - { id: inside, delay: 2h }
    else:
      - { id: other, delay: 3h }
  - { id: gone, delay: 4h }
";

    fn summary(difference: &Difference) -> Vec<String> {
        let line = |step: &StepDifference| {
            let fields: Vec<&str> = step.fields.iter().map(|field| field.field.as_str()).collect();
            format!("{:?} {}{} {}", step.change, step.step, if step.moved { " moved" } else { "" }, fields.join(","))
        };
        difference.steps.iter().map(|step| line(step).trim().to_owned()).collect()
    }

    #[test]
    fn the_same_file_differs_in_nothing() {
        let difference = differences(&workflow(OLD), &workflow(OLD));
        assert_eq!(difference, Difference { same: true, steps: vec![], settings: vec![], text: String::new() });
    }

    #[test]
    fn steps_are_added_removed_changed_and_moved_and_settings_change() {
        let new = "name: w
on: [{ event: a.c }]
steps:
  - { id: second, delay: 1h }
  - { id: first, do: debug.echo, with: { n: 2 } }
  - id: choice
    if: event.data.big
    then:
      - { id: inside, delay: 2h }
      - { id: more, delay: 1m }
    else:
      - { delay: 3h }
  - { id: other, delay: 3h }
";
        let difference = differences(&workflow(OLD), &workflow(new));
        assert_eq!(summary(&difference), ["Changed first moved with", "Added more", "Added choice/delay:1", "Moved other moved", "Removed gone"]);
        let settings: Vec<&str> = difference.settings.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(settings, ["on", "vars"]);
        assert!(!difference.same);
        assert!(difference.text.contains("-vars: { wait: 1h }") && difference.text.contains("+      - { id: more, delay: 1m }"), "{}", difference.text);
    }

    #[test]
    fn a_step_that_gets_others_inside_has_not_changed() {
        let new = OLD.replace("      - { id: inside, delay: 2h }\n", "      - { id: inside, delay: 2h }\n      - { id: more, delay: 2h }\n");
        assert_eq!(summary(&differences(&workflow(OLD), &workflow(&new))), ["Added more"]);
    }

    #[test]
    fn files_of_very_many_lines_are_not_compared_line_by_line() {
        let many = |word: &str| format!("{OLD}# {}", format!("{word}\n# ").repeat(COMPARED_LINES));
        let text = unified(&many("a"), &many("b"));
        assert!(text.starts_with("@@ -1,") && text.contains("\n+# b\n"));
    }
}
