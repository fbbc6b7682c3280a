//! Schedules in the pretended world: the workflow's own times, and one event for each contact of a segment.

use super::{Outside, Stage, Watch, World, world::Coming};
use crate::schedules::{fired_event, fires_at, lives_there, zone_of};
use onward_core::{
    Timestamp,
    definition::{Schedule, TriggerKind, Workflow, Zone},
    schedule::{Calendar, Firing},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl<O: Outside, W: Watch> World<'_, O, W> {
    /// Lets the schedules of the first workflow of the stage fire so many times from now on, or, with a moment, at all due times
    /// before it, which must not be more. Gives when the first one fires.
    pub(super) fn fire_schedules(&mut self, fires: usize, until: Option<Timestamp>) -> Result<Timestamp, String> {
        let Some(workflow) = self.stage.workflows.first().map(Arc::clone) else { return Err("there is no workflow".into()) };
        let mut all = Vec::new();
        for (trigger, on) in workflow.triggers.iter().enumerate() {
            if let TriggerKind::Schedule(schedule) = &on.on {
                let most = fires.saturating_add(usize::from(until.is_some()));
                let firings = self.firings(&workflow, trigger, schedule, most, until);
                all.extend(firings.into_iter().map(|(at, firing)| (at, trigger, firing)));
            }
        }
        all.sort_by_key(|(at, trigger, _)| (*at, *trigger));
        if until.is_some() && all.len() > fires {
            return Err(format!("{} has more than {fires} due times in this span: take a shorter one", workflow.name));
        }
        all.truncate(fires);
        let first = all.first().map(|(at, _, _)| *at).ok_or_else(|| format!("{} has no schedule that fires for anybody", workflow.name))?;
        for (at, trigger, firing) in all {
            self.comes_at(at, Coming::Fired { workflow: 0, trigger, firing });
        }
        Ok(first)
    }

    /// The next firings of one schedule, and when they come. With `timezone: contact` only where somebody lives.
    fn firings(&self, workflow: &Workflow, trigger: usize, schedule: &Schedule, most: usize, until: Option<Timestamp>) -> Vec<(Timestamp, Firing)> {
        let mut due_times: BTreeMap<Timestamp, Option<Vec<String>>> = BTreeMap::new();
        let mut add = |schedule: &Schedule, zone: Option<&str>| {
            let calendar = Calendar::of(schedule, &self.stage.timezone);
            let dues = std::iter::successors(calendar.next_after(self.now), |due| calendar.next_after(*due));
            for due in dues.take_while(|due| until.is_none_or(|until| *due < until)).take(most) {
                let zones = due_times.entry(due).or_default();
                if let Some(zone) = zone {
                    zones.get_or_insert_default().push(zone.to_owned());
                }
            }
        };
        if schedule.timezone == Some(Zone::Contact) {
            let members = schedule.each.as_deref().and_then(|segment| self.outside.members(segment)).unwrap_or_default();
            let zones: BTreeSet<&str> = members.iter().map(|member| zone_of(member, &self.stage.timezone)).collect();
            for zone in zones {
                add(&Schedule { timezone: Some(Zone::Named(zone.to_owned())), ..schedule.clone() }, Some(zone));
            }
        } else {
            add(schedule, None);
        }
        let when = |due| fires_at(schedule, Stage::organisation(), &workflow.name, trigger, due);
        due_times.into_iter().take(most).map(|(due, zones)| (when(due), Firing { due, zones })).collect()
    }

    /// A due time fires: once, or for each contact of the segment that it is due for.
    pub(super) fn fired(&mut self, workflow: usize, trigger: usize, firing: &Firing) {
        let Some(definition) = self.stage.workflows.get(workflow).map(Arc::clone) else { return };
        let Some(TriggerKind::Schedule(schedule)) = definition.triggers.get(trigger).map(|trigger| &trigger.on) else { return };
        let event = |contact: Option<&str>| fired_event(Stage::organisation(), &definition.name, trigger, firing.due, contact);
        let meant = Some((workflow, trigger));
        // A segment that does not exist is told by the trigger, as in the engine.
        let Some(members) = schedule.each.as_deref().and_then(|segment| self.outside.members(segment)) else {
            return self.arrive(event(None), meant);
        };
        for member in members.iter().filter(|member| lives_there(firing, member, &self.stage.timezone)) {
            if let Some(contact) = self.outside.contact(&member.contact) {
                self.about(contact);
            }
            self.arrive(event(Some(&member.contact)), meant);
        }
    }
}
