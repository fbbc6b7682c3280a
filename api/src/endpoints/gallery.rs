//! The gallery: ready workflows that come with the server, and what each needs before it can do its work.

use crate::{
    Answer, App, Caller, Problem,
    request::{Name, page::envelope, params::shortened},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::definition::{Need, NeedKind};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

/// A workflow of the gallery.
#[derive(Clone, Debug, Serialize)]
pub struct GalleryItem {
    /// The workflow's name.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// The file's text.
    pub source: String,
    /// What the organisation must have before it can do its work.
    pub needs: GalleryNeeds,
}

/// Names of things that a workflow needs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GalleryNeeds {
    /// Connections.
    pub connections: Vec<String>,
    /// Segments.
    pub segments: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Approved message templates.
    pub templates: Vec<String>,
    /// Other workflows.
    pub workflows: Vec<String>,
}

impl From<Vec<Need>> for GalleryNeeds {
    fn from(needs: Vec<Need>) -> Self {
        let mut all = Self::default();
        for need in needs {
            let list = match need.kind {
                NeedKind::Connection => &mut all.connections,
                NeedKind::Segment => &mut all.segments,
                NeedKind::Team => &mut all.teams,
                NeedKind::Template => &mut all.templates,
                NeedKind::Workflow => &mut all.workflows,
            };
            list.push(need.name);
        }
        all
    }
}

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_gallery)).routes(routes!(get_gallery_item))
}

/// Lists the ready workflows that come with the server, by name.
#[utoipa::path(get, path = "/gallery", tag = "Catalogue", responses((status = 200, body = shapes::Page<shapes::GalleryItem>)))]
async fn list_gallery(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let items = app.parts.gallery.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(Problem::internal)?;
    Ok(Answer::ok(envelope(items, None)))
}

/// Gives one of them; publish its `source` to use it.
#[utoipa::path(get, path = "/gallery/{name}", tag = "Catalogue", params(("name" = String, Path)), responses((status = 200, body = shapes::GalleryItem)))]
async fn get_gallery_item(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let item = app.parts.gallery.iter().find(|item| item.name == name).ok_or_else(|| Problem::not_found("workflow of the gallery", shortened(&name)))?;
    Ok(Answer::ok(serde_json::to_value(item).map_err(Problem::internal)?))
}
