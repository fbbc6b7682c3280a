//! What starts the runs of a simulation.

use super::{Outside, Watch, World, scripted::drafted};
use onward_core::{
    Value,
    definition::{
        Span, TriggerKind, Webhook, Workflow,
        testing::{Begin, EventDraft},
    },
};

/// Due times of one simulation.
const DUE_TIMES: usize = 10_000;

/// What starts the runs of a simulation.
#[derive(Clone, Debug, PartialEq)]
pub enum Starts {
    /// An event, or a start by hand.
    Begin(Begin),
    /// A delivery to a webhook of the workflow.
    Webhook {
        /// The webhook's path; `None`: the only one that the workflow has.
        path: Option<String>,
        /// The body: what `event.data` holds.
        body: Value,
    },
    /// The workflow's own schedules: every due time of so long a span.
    Schedule(Span),
}

impl Starts {
    /// Whether the workflow can be started so, by one or by a crowd. `Err` says why not.
    pub fn check(&self, workflow: &Workflow, crowd: bool) -> Result<(), String> {
        match self {
            Self::Begin(_) => Ok(()),
            Self::Webhook { path, .. } => webhook_event(workflow, path.as_deref()).map(drop),
            Self::Schedule(_) => {
                let mut schedules = workflow.triggers.iter().filter_map(|trigger| match &trigger.on {
                    TriggerKind::Schedule(schedule) => Some(schedule),
                    _ => None,
                });
                if workflow.triggers.iter().all(|trigger| !matches!(trigger.on, TriggerKind::Schedule(_))) {
                    return Err(format!("{} has no `schedule`", workflow.name));
                }
                if crowd && schedules.all(|schedule| schedule.each.is_none()) {
                    return Err(format!("the schedules of {} start one run at a time and none for each contact (`each`): leave the crowd out", workflow.name));
                }
                Ok(())
            }
        }
    }

    /// What a due time, a delivery or an event brings about, in a world that stands at the moment of it. `personal` puts a
    /// contact's own values into the data.
    pub(super) fn begin<O: Outside, W: Watch>(&self, world: &mut World<'_, O, W>, personal: impl Fn(&Value) -> Value) {
        let workflow = world.stage.workflows.first().cloned();
        let Some(workflow) = workflow else { return };
        let begun = match self {
            Self::Begin(Begin::Event(event)) => {
                world.take_in(drafted(&EventDraft { data: personal(&event.data), ..event.clone() }));
                Ok(())
            }
            Self::Begin(Begin::Input(input)) => {
                world.start_by_hand(&personal(input));
                Ok(())
            }
            Self::Webhook { path, body } => webhook_event(&workflow, path.as_deref()).map(|kind| {
                world.take_in(drafted(&EventDraft { kind, data: personal(body), ..EventDraft::default() }));
            }),
            Self::Schedule(span) => {
                let until = span.add_to(world.now(), &world.stage.timezone);
                world.fire_schedules(DUE_TIMES, Some(until)).map(drop)
            }
        };
        if let Err(reason) = begun {
            world.refuse(world.contact, &workflow, reason);
        }
    }
}

/// The type of the event of a delivery: without a path, that of the only webhook.
pub(super) fn webhook_event(workflow: &Workflow, path: Option<&str>) -> Result<String, String> {
    let webhooks = || {
        workflow.triggers.iter().filter_map(|trigger| match &trigger.on {
            TriggerKind::Webhook(webhook) => Some(webhook),
            _ => None,
        })
    };
    if path.is_none() && webhooks().count() > 1 {
        return Err(format!("{} listens at several paths: say at which one", workflow.name));
    }
    let found = webhooks().find(|webhook| path.is_none_or(|path| path == webhook.path));
    found.map(Webhook::event_type).ok_or_else(|| match path {
        Some(path) => {
            let there: Vec<&str> = webhooks().map(|webhook| webhook.path.as_str()).collect();
            format!("{} does not listen at {path:?}; it listens at {}", workflow.name, if there.is_empty() { "no path".into() } else { there.join(", ") })
        }
        None => format!("{} listens at no path: it has no `webhook`", workflow.name),
    })
}
