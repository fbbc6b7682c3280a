//! Every connector of this build.

use crate::{Connector, Manifest, http::HttpClient};
use std::{collections::BTreeMap, sync::Arc};

/// The connectors, by id. Cheap to clone.
#[derive(Clone)]
pub struct Connectors {
    by_id: Arc<BTreeMap<&'static str, Arc<dyn Connector>>>,
}

impl Connectors {
    /// These connectors.
    pub fn new(connectors: impl IntoIterator<Item = Arc<dyn Connector>>) -> Self {
        Self { by_id: Arc::new(connectors.into_iter().map(|connector| (connector.manifest().id, connector)).collect()) }
    }
    /// All that this version has; every call of theirs goes through this client.
    pub fn standard(client: &HttpClient) -> Self {
        let whatsapp: Arc<dyn Connector> = Arc::new(crate::whatsapp::WhatsApp::new(client.clone()));
        let http: Arc<dyn Connector> = Arc::new(crate::http::HttpConnector::new(client.clone()));
        Self::new([whatsapp, http])
    }
    /// By id.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Connector>> {
        self.by_id.get(id)
    }
    /// All, by id.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Connector>> {
        self.by_id.values()
    }
    /// The ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.by_id.keys().copied()
    }
    /// What is to be known of a connector, by id.
    pub fn manifest(&self, id: &str) -> Option<&Manifest> {
        self.get(id).map(|connector| connector.manifest())
    }
}
