//! The workflow files that come with the binary, embedded when it was built, so that the binary works alone: the examples, which
//! the demonstration publishes, and the gallery, which people choose from.

use crate::cli::Failure;
use onward_api::GalleryItem;
use onward_core::definition::{self, Catalogue};

/// A workflow file that comes with the binary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shipped {
    /// Its path in the repository: `examples/first-reply/first-reply.yaml`.
    pub(crate) path: &'static str,
    /// Its text.
    pub(crate) source: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/gallery.rs"));

/// The gallery, by name, each with what it needs.
pub(crate) fn items(catalogue: &dyn Catalogue) -> Result<Vec<GalleryItem>, Failure> {
    let mut items = Vec::with_capacity(GALLERY.len());
    for shipped in GALLERY {
        let workflow = definition::compile(shipped.source, catalogue).workflow;
        let workflow = workflow.ok_or_else(|| Failure::new(format!("{} does not compile; report this as a bug", shipped.path)))?;
        items.push(GalleryItem {
            name: workflow.name,
            description: workflow.description.unwrap_or_default(),
            source: shipped.source.to_owned(),
            needs: definition::needs(shipped.source).into(),
        });
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring;

    #[test]
    fn the_gallery_is_told_with_what_each_needs() {
        let items = items(&wiring::catalogue().unwrap()).unwrap();
        assert!(items.len() >= 22, "{}", items.len());
        assert!(items.iter().all(|item| !item.description.is_empty()));
        let lead = items.iter().find(|item| item.name == "welcome-new-lead").unwrap();
        assert_eq!((&lead.needs.teams, &lead.needs.templates), (&vec!["sales".to_owned()], &vec!["welcome_follow_up".to_owned(), "welcome_lead".to_owned()]));
        assert!(EXAMPLES.iter().any(|shipped| shipped.path.ends_with("first-reply.yaml")));
    }
}
