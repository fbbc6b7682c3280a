//! The `OpenAPI` 3.1 document, made from the endpoints themselves.

use crate::{endpoints, problem};
use onward_core::Value;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        InfoBuilder, OpenApi, Ref, RefOr, Server,
        content::ContentBuilder,
        path::{Operation, PathItem},
        response::ResponseBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

const DESCRIPTION: &str = "Onward: a durable workflow engine with a CRM on top.\n\n\
Send `Authorization: Bearer TOKEN` (`onward token add NAME` makes one), or sign in and send the session cookie, with `X-CSRF-Token` on everything that changes something.\n\n\
Lists are pages: `?limit=&cursor=` in, `{ items, next_cursor }` out. Errors are `application/problem+json` with a stable `code`, and `errors: [{ pointer, detail }]` for input. \
`Idempotency-Key` on POST makes a repeated request give the first one's answer for 24 hours. `If-Match` with an `ETag` refuses a change of what somebody else changed meanwhile. \
Ids are UUIDs, times RFC 3339 in UTC.\n\n\
Providers deliver to `/hooks/{connector}/{connection_id}`; changes are pushed over the WebSocket `/ws`.";

/// The whole document.
pub fn document() -> Value {
    let mut document = endpoints::described().into_openapi();
    complete(&mut document);
    serde_json::to_value(&document).unwrap_or_default()
}

/// The files that the web app has of this program, by their path from the repository's root: the document, from which its client is
/// made, and the JSON Schema of workflows. `make generate` writes them.
pub fn generate() -> [(&'static str, String); 2] {
    let text = |value: Value| format!("{value:#}\n");
    [("web/openapi.json", text(document())), ("web/src/builder/language/workflow.schema.json", text(onward_core::definition::schema()))]
}

/// What holds for every operation stands here once.
fn complete(document: &mut OpenApi) {
    document.info = InfoBuilder::new().title("Onward").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION)).build();
    document.servers = Some(vec![Server::new("/")]);
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token: `onw_…`.")).build();
    components.security_schemes.insert("token".into(), SecurityScheme::Http(bearer).into());
    let cookie = ApiKeyValue::with_description(crate::caller::COOKIE, "The session cookie, with `X-CSRF-Token` on everything that changes something.");
    components.security_schemes.insert("session".into(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into());
    let mut schemas = vec![(problem::ProblemShape::name().into_owned(), problem::ProblemShape::schema())];
    problem::ProblemShape::schemas(&mut schemas);
    components.schemas.extend(schemas);
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new()), SecurityRequirement::new("session", Vec::<String>::new())]);
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let refused = ResponseBuilder::new()
                .description("It was not done; `code` and `detail` say why.")
                .content(problem::CONTENT_TYPE, ContentBuilder::new().schema(Some(Ref::from_schema_name(problem::ProblemShape::name()))).build())
                .build();
            operation.responses.responses.insert("default".into(), RefOr::T(refused));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().filter_map(Option::as_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn it_is_openapi_3_1_and_every_operation_is_described() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = format!("{method} {path}");
                assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{name} has no summary");
                assert!(operation["tags"][0].is_string(), "{name} has no tag");
                assert!(operation["responses"]["default"].is_object(), "{name} has no problem");
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}: {} twice", operation["operationId"]);
            }
        }
        assert!(ids.len() > 40, "{}", ids.len());
    }

    #[test]
    fn no_reference_is_dangling() {
        fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
            match value {
                Value::Object(object) => {
                    if let Some(Value::String(reference)) = object.get("$ref") {
                        found.push(reference);
                    }
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn the_generated_files_are_not_stale() {
        for (file, text) in generate() {
            let committed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap_or_default();
            assert!(committed == text, "{file} is stale; run `make generate`");
        }
    }

    #[test]
    fn examples_are_json_of_their_schema() {
        let document = document();
        let mut checked = 0;
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let Some(example) = schema.get("example") else { continue };
            let root = json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
            let validator = jsonschema::validator_for(&root).unwrap();
            let problems: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
            assert!(problems.is_empty(), "{name}: {problems:?}");
            checked += 1;
        }
        assert!(checked > 8, "{checked}");
    }
}
