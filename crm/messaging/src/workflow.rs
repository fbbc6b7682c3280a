//! The built-in workflows: `send-message`, by which composer, API, campaigns and AI send, and `ask-contact`, which brings questions to
//! contacts. There is no second outbox.

/// The built-in workflows, each with its source. Their names are reserved in every organisation.
pub const BUILT_IN: [(&str, &str); 2] = [(NAME, SOURCE), (ASK_CONTACT, ASK_CONTACT_SOURCE)];

/// Whether a name is a built-in workflow's.
pub fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
}

/// The name of the workflow that sends.
pub const NAME: &str = "send-message";

/// Its source. Its input is that of `message.send`, with `contact_id` and `conversation_id` for the run's records and
/// `author` for who writes and `draft` for the
/// draft that it sends. What may not leave fails the run at once, since a person is waiting for the answer.
pub const SOURCE: &str = r#"name: send-message
description: Sends one message for a person or a program. Built in; composer and API start it.
on:
  - manual:
      input:
        type: object
        properties:
          contact_id: { type: string }
          conversation_id: { type: [string, "null"] }
          channel: { type: [string, "null"] }
          connection: { type: [string, "null"] }
          text: { type: [string, "null"] }
          template: { type: [string, "null"] }
          params: { type: [object, array, "null"] }
          header: { type: [object, array, string, number, "null"] }
          button_params: { type: [array, "null"] }
          buttons: { type: [array, "null"] }
          language: { type: [string, "null"] }
          category: { type: [string, "null"] }
          if_denied: { type: [string, "null"] }
          reply_to: { type: [string, "null"] }
          author: { type: [object, "null"] }
          draft: { type: [string, "null"] }
        required: [contact_id]
steps:
  - id: send
    do: message.send
    with:
      contact: "{{ input.contact_id }}"
      channel: "{{ input.channel | default(none) }}"
      connection: "{{ input.connection | default(none) }}"
      text: "{{ input.text | default(none) }}"
      template: "{{ input.template | default(none) }}"
      params: "{{ input.params | default(none) }}"
      header: "{{ input.header | default(none) }}"
      button_params: "{{ input.button_params | default(none) }}"
      buttons: "{{ input.buttons | default(none) }}"
      language: "{{ input.language | default(none) }}"
      category: "{{ input.category | default(none) }}"
      if_denied: "{{ input.if_denied | default('fail') }}"
      reply_to: "{{ input.reply_to | default(none) }}"
      author: "{{ input.author | default(none) }}"
      draft: "{{ input.draft | default(none) }}"
  - stop: { output: "{{ steps.send }}" }
"#;

/// The name of the workflow that brings questions to contacts.
pub const ASK_CONTACT: &str = "ask-contact";

/// Its source. One question is brought after the other: a reminder waits until what is held before it has left.
pub const ASK_CONTACT_SOURCE: &str = r#"name: ask-contact
description: Brings a question of a run to its contact. Built in; a step that asks the contact starts it.
on:
  - event: ask.contact
    with: { run_id: "{{ event.data.run_id }}", step: "{{ event.data.step }}", reason: "{{ event.data.reason }}" }
  - event: ask.reminded
    if: event.data.who.contact is defined
    with: { run_id: "{{ event.data.run_id }}", step: "{{ event.data.step }}", reason: reminded }
key: "{{ input.run_id }}/{{ input.step }}"
mode: queued
steps:
  - id: send
    do: message.send
    with:
      question: { run_id: "{{ input.run_id }}", step: "{{ input.step }}", reason: "{{ input.reason }}", since: "{{ event.time }}" }
  - stop: { output: "{{ steps.send }}" }
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channels;
    use onward_core::{
        Value,
        definition::{Catalogue, Severity, Verb, compile},
        expression::Scope,
        ports::{Node, NodeDescriptor},
    };
    use onward_database::Tx;
    use serde_json::json;
    use std::sync::Arc;

    struct Nodes(Vec<Arc<dyn Node<Tx>>>);
    impl Catalogue for Nodes {
        fn node(&self, id: &str) -> Option<&NodeDescriptor> {
            self.0.iter().map(|node| node.descriptor()).find(|descriptor| descriptor.id == id)
        }
        fn node_ids(&self) -> Vec<&str> {
            self.0.iter().map(|node| node.descriptor().id.as_str()).collect()
        }
        fn event_types(&self) -> Vec<&str> {
            crate::event_types()
        }
    }

    fn catalogue() -> Nodes {
        let mut nodes = crate::nodes(Channels::default());
        nodes.extend(onward_records::nodes());
        nodes.extend(onward_accounts::nodes(Arc::new(crate::OpenWork)));
        Nodes(nodes)
    }

    #[test]
    fn it_compiles_and_passes_on_what_is_given() {
        let compiled = compile(SOURCE, &catalogue());
        assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
        let workflow = compiled.workflow.unwrap();
        assert_eq!(&*workflow.name, NAME);
        let Verb::Do { with, .. } = &workflow.steps.steps[0].verb else { panic!("the first step sends") };
        let scope = Scope { input: Arc::new(json!({ "contact_id": "c1", "text": "Hello", "author": { "kind": "user", "id": "u" } })), ..Scope::default() };
        let rendered = with.render(&scope).unwrap();
        assert_eq!((&rendered["contact"], &rendered["text"], &rendered["if_denied"]), (&json!("c1"), &json!("Hello"), &json!("fail")));
        assert_eq!((&rendered["template"], &rendered["author"]["kind"]), (&Value::Null, &json!("user")));
    }

    #[test]
    fn every_built_in_workflow_compiles_under_its_name() {
        for (name, source) in BUILT_IN {
            let compiled = compile(source, &catalogue());
            // The engine's own events are not of this room's catalogue.
            let ours = compiled.problems.iter().filter(|problem| problem.code != "unknown_event_type");
            assert_eq!(ours.count(), 0, "{name}: {:?}", compiled.problems);
            assert_eq!(compiled.workflow.unwrap().name, name);
            assert!(is_built_in(name));
        }
        assert!(!is_built_in("welcome"));
    }

    #[test]
    fn the_example_of_every_node_is_valid_input() {
        let catalogue = catalogue();
        for node in &catalogue.0 {
            let descriptor = node.descriptor();
            let source = format!(
                "name: example\non:\n  - manual: {{ input: {{ type: object }} }}\nsteps:\n  - do: {}\n    with: {}\n",
                descriptor.id, descriptor.example
            );
            let compiled = compile(&source, &catalogue);
            let errors: Vec<_> = compiled.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", descriptor.id);
            let output = jsonschema::validator_for(&descriptor.output).unwrap();
            assert!(output.is_valid(&descriptor.example_output), "{}: example_output", descriptor.id);
        }
    }
}
