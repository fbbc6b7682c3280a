//! `crm.user.pick`: whose turn it is.

use super::{Described, input::Input, schema};
use crate::{
    CrmError, UserId,
    teams::{self, Team},
};
use onward_core::{
    OrganisationId, StepError, Value,
    ports::{Node, NodeDescriptor, Outcome, StepContext},
};
use onward_database::{DatabaseError, Tx};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// How much users have to do: open conversations and tasks, which rooms above this one know.
#[onward_core::async_trait]
pub trait Workload: Send + Sync + 'static {
    /// Open pieces of work of each of these users; who is missing has none.
    async fn of(&self, tx: &mut Tx, organisation: OrganisationId, users: &[UserId]) -> Result<BTreeMap<UserId, u64>, DatabaseError>;
}

pub(super) struct PickNode {
    descriptor: NodeDescriptor,
    workload: Arc<dyn Workload>,
}

impl PickNode {
    pub(super) fn new(workload: Arc<dyn Workload>) -> Self {
        Self { descriptor: descriptor(), workload }
    }

    async fn pick(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Result<Value, CrmError> {
        let input = Input::new(input)?;
        let name = input.id("team")?.ok_or_else(|| CrmError::invalid("team", "name the team to pick from"))?;
        let least_busy = match input.text("by")?.as_deref() {
            None | Some("round_robin") => false,
            Some("least_busy") => true,
            Some(other) => return Err(CrmError::invalid("by", format!("`by` is round_robin or least_busy; this is `{other}`"))),
        };
        let online = input.boolean("online")?.unwrap_or(false);
        let team = teams::named(tx, ctx.organisation, &name).await?;
        let waiting = teams::waiting(tx, ctx.organisation, &team, online).await?;
        let busy = if least_busy { self.workload.of(tx, ctx.organisation, &waiting).await? } else { BTreeMap::new() };
        // `waiting` is in order of turns, and of equally busy ones the first is taken.
        let picked = waiting.into_iter().min_by_key(|user| busy.get(user).copied().unwrap_or(0)).ok_or_else(|| nobody(&team, online))?;
        let user = teams::take_turn(tx, ctx.organisation, &team, picked).await?;
        Ok(json!({ "id": user.id, "name": user.name, "email": user.email, "team": team.name }))
    }
}

fn nobody(team: &Team, online: bool) -> CrmError {
    if online {
        CrmError::Unavailable { message: format!("nobody of the team {} is online; retry the step, or leave `online` out", team.name) }
    } else {
        CrmError::conflict(format!("the team {} has no active member; add one", team.name), vec![team.id.to_string()])
    }
}

#[onward_core::async_trait]
impl Node<Tx> for PickNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    async fn apply(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Outcome {
        match self.pick(tx, ctx, input).await {
            Ok(output) => Outcome::done(output),
            Err(error) => StepError::from(error).into(),
        }
    }
}

fn descriptor() -> NodeDescriptor {
    Described {
        id: "crm.user.pick",
        title: "Pick a user",
        description: "Picks who of a team is next: in turns, or whoever has the fewest open conversations and tasks. Fails with unavailable when `online` is asked for and nobody is.",
        category: "CRM",
        input: schema::input(
            &json!({
                "team": { "type": ["string", "object"], "description": "A team's name or id" },
                "by": { "enum": ["round_robin", "least_busy", null], "description": "In turns (default), or whoever has the least to do" },
                "online": schema::boolean("Only who has the app open"),
            }),
            &["team"],
        ),
        example: json!({ "team": "sales", "by": "round_robin" }),
        output: (
            json!({
                "type": "object",
                "properties": {
                    "id": { "type": "string" }, "name": { "type": "string" }, "email": { "type": "string" }, "team": { "type": "string" }
                },
                "required": ["id", "name", "email", "team"]
            }),
            json!({ "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b40", "name": "Meera", "email": "meera@example.com", "team": "sales" }),
        ),
        order: &["team", "by", "online"],
        binds: None,
    }
    .transactional()
}
