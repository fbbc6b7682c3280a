//! The built-in workflow `send-message`: how composer, API, campaigns and AI send. There is no second outbox.

/// Its name; reserved in every organisation.
pub const NAME: &str = "send-message";

/// Its source. Its input is that of `message.send`, with `contact_id` and `conversation_id` for the run's records and
/// `author` for who writes. What may not leave fails the run at once, since a person is waiting for the answer.
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
          buttons: { type: [array, "null"] }
          language: { type: [string, "null"] }
          category: { type: [string, "null"] }
          if_denied: { type: [string, "null"] }
          reply_to: { type: [string, "null"] }
          author: { type: [object, "null"] }
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
      buttons: "{{ input.buttons | default(none) }}"
      language: "{{ input.language | default(none) }}"
      category: "{{ input.category | default(none) }}"
      if_denied: "{{ input.if_denied | default('fail') }}"
      reply_to: "{{ input.reply_to | default(none) }}"
      author: "{{ input.author | default(none) }}"
  - stop: { output: "{{ steps.send }}" }
"#;
