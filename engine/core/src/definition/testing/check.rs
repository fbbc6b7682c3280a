//! Names of a test file or a scenario against the workflow and the nodes.

use super::{Case, Delivery, Mock, Opening, Placed, Scenario, Setting, TestFile, test_file::LaterKind};
use crate::{
    Value,
    definition::{Catalogue, Problem, Step, TriggerKind, Verb, Workflow, problems::Problems},
};
use std::collections::{BTreeMap, BTreeSet};

/// What the names are compared with.
struct Names<'a> {
    steps: BTreeMap<&'a str, &'a Step>,
    /// Workflows that are called: what they come to may be mocked by their name.
    called: BTreeSet<String>,
    /// A workflow is a script, which may compute the ids of its steps.
    scripted: bool,
    catalogue: &'a dyn Catalogue,
    problems: Problems,
}

impl TestFile {
    /// Finds names that the workflows and the nodes do not have; the first workflow is the one that is tested.
    pub fn check(&self, workflows: &[&Workflow], catalogue: &dyn Catalogue) -> Vec<Problem> {
        let mut names = Names::new(workflows, catalogue);
        names.setting(&self.setting);
        for case in &self.cases {
            names.case(case);
            if let Some(workflow) = workflows.first() {
                names.opening(case, &self.setting, workflow);
            }
        }
        names.problems.finish()
    }
}

impl Scenario {
    /// Finds names that the workflows and the nodes do not have.
    pub fn check(&self, workflows: &[&Workflow], catalogue: &dyn Catalogue) -> Vec<Problem> {
        let mut names = Names::new(workflows, catalogue);
        names.setting(&self.setting);
        for (step, _) in &self.answers {
            names.step(step);
        }
        names.problems.finish()
    }
}

impl<'a> Names<'a> {
    fn new(workflows: &[&'a Workflow], catalogue: &'a dyn Catalogue) -> Self {
        let mut steps = BTreeMap::new();
        let mut called = BTreeSet::new();
        for workflow in workflows {
            workflow.steps.each_step(&mut |step| {
                if let Verb::Call { workflow, .. } = &step.verb
                    && let Some(name) = workflow.as_literal().and_then(Value::as_str)
                {
                    called.insert(name.to_owned());
                }
                steps.entry(&*step.key).or_insert(step);
            });
            let literals = workflow.script.iter().flat_map(|script| script.program.literals());
            called.extend(
                literals
                    .filter(|literal| ["call", "start"].contains(&literal.function.as_str()) && literal.argument.0 == 0)
                    .map(|literal| literal.text.clone()),
            );
        }
        let scripted = workflows.iter().any(|workflow| workflow.script.is_some());
        Self { steps, called, scripted, catalogue, problems: Problems::default() }
    }

    fn setting(&mut self, setting: &Setting) {
        for Mock { target, .. } in &setting.mocks {
            self.target(target);
        }
        for (step, variant) in &setting.variants {
            self.branch(step, variant);
        }
    }

    fn case(&mut self, case: &Case) {
        self.setting(&case.setting);
        for later in &case.then {
            if let LaterKind::Answer { step: Some(step), .. } = &later.kind {
                self.step(step);
            }
        }
        let expect = &case.expect;
        for call in &expect.calls {
            if let Some(node) = &call.node {
                self.node(node);
            }
            if let Some(step) = &call.step {
                self.step(step);
            }
        }
        for target in &expect.no_calls {
            self.target(target);
        }
        for step in expect.steps.iter().chain(&expect.no_steps) {
            self.step(step);
        }
        if let Some(path) = &expect.path {
            for step in &path.value {
                self.step(&Placed { value: step.clone(), position: path.position.clone() });
            }
        }
        for (step, branch) in &expect.branches {
            self.branch(step, branch);
        }
    }

    /// What the case begins with, against the triggers.
    fn opening(&mut self, case: &Case, of_file: &Setting, workflow: &Workflow) {
        let schedules = || workflow.triggers.iter().filter_map(|trigger| if let TriggerKind::Schedule(schedule) = &trigger.on { Some(schedule) } else { None });
        match &case.begin {
            Opening::Begin(_) => {}
            Opening::Webhook(delivery) => self.delivery(delivery, case, workflow),
            Opening::Schedule { .. } if schedules().next().is_none() => {
                self.problems.error(&case.position, "bad_start", format!("{} has no `schedule` in its triggers", workflow.name));
            }
            Opening::Schedule { .. } => {
                let known = |name: &str| case.setting.segments.iter().chain(&of_file.segments).any(|(segment, _)| segment.value == name);
                let missing: Vec<&str> = schedules().filter_map(|schedule| schedule.each.as_deref()).filter(|segment| !known(segment)).collect();
                for segment in missing {
                    let message = format!("who is in the segment \"{segment}\"? Say so: `segments: {{ {segment}: [c1, c2] }}`");
                    self.problems.error(&case.position, "missing_field", message);
                }
            }
        }
        for later in &case.then {
            if let LaterKind::Webhook(delivery) = &later.kind {
                self.delivery(delivery, case, workflow);
            }
        }
    }

    fn delivery(&mut self, delivery: &Delivery, case: &Case, workflow: &Workflow) {
        let paths: Vec<&str> = workflow
            .triggers
            .iter()
            .filter_map(|trigger| if let TriggerKind::Webhook(webhook) = &trigger.on { Some(webhook.path.as_str()) } else { None })
            .collect();
        match &delivery.path {
            Some(path) if !paths.contains(&path.value.as_str()) => {
                let message = format!("the workflow does not listen at \"{}\"", path.value);
                self.problems.wrong_name(&path.position, "unknown_path", &message, &path.value, paths);
            }
            None if paths.len() != 1 => {
                let message = format!("the workflow listens at {} paths; name one: `webhook: {{ path, body }}`", paths.len());
                self.problems.error(&case.position, "bad_start", message);
            }
            _ => {}
        }
    }

    /// A node, a step, or a workflow that is called.
    fn target(&mut self, target: &Placed<String>) {
        if self.called.contains(&target.value) {
            return;
        }
        if target.value.contains('.') && !self.steps.contains_key(target.value.as_str()) {
            self.node(target);
        } else {
            self.step(target);
        }
    }

    /// A node, or a workflow that is called: its mock is asked as a node would be.
    fn node(&mut self, node: &Placed<String>) {
        if !self.called.contains(&node.value) && self.catalogue.node(&node.value).is_none() {
            let message = format!("there is no node \"{}\"", node.value);
            self.problems.wrong_name(&node.position, "unknown_node", &message, &node.value, self.catalogue.node_ids());
        }
    }

    fn step(&mut self, step: &Placed<String>) {
        if !self.scripted && !self.steps.contains_key(step.value.as_str()) {
            let message = format!("the workflow has no step \"{}\"", step.value);
            self.problems.wrong_name(&step.position, "unknown_step", &message, &step.value, self.steps.keys().copied());
        }
    }

    fn branch(&mut self, step: &Placed<String>, branch: &Placed<String>) {
        let Some(found) = self.steps.get(step.value.as_str()) else { return self.step(step) };
        let known = found.verb.branches();
        if known.is_empty() {
            let message = format!("step {} is a `{}` and takes no branch", step.value, found.verb.word());
            self.problems.error(&step.position, "bad_value", message);
        } else if !known.contains(&branch.value) {
            let message = format!("step {} has no branch \"{}\"", step.value, branch.value);
            self.problems.wrong_name(&branch.position, "unknown_branch", &message, &branch.value, known.iter().map(String::as_str));
        }
    }
}
