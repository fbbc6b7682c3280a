//! `webhook` triggers: what they say, and the checks of it.

use super::{Mention, MentionKind, compiler::Compiler, fields, tree::Tree};

/// Letters of a path.
const PATH_LETTERS: usize = 100;

/// A `webhook` trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The last part of its address, unique in its organisation: `[a-z0-9_.-]+`.
    pub path: String,
    /// The connection that says who may deliver; `None`: everybody may, `verify: none`.
    pub connection: Option<String>,
    /// The answer waits until the run has ended.
    pub finished: bool,
}

impl Webhook {
    /// The type of its events.
    pub fn event_type(&self) -> String {
        format!("webhook.{}", self.path)
    }
}

impl Compiler<'_> {
    pub(super) fn webhook(&mut self, tree: &Tree) -> Option<Webhook> {
        let entries = fields::map(&mut self.problems, tree, "webhook")?;
        fields::refuse_unknown(&mut self.problems, entries, &["path", "verify", "respond"], "a webhook");
        let path = self.webhook_path(tree);
        let connection = self.webhook_verify(tree);
        let finished = match tree.get("respond") {
            None => false,
            Some(tree) => fields::word(&mut self.problems, tree, "respond", &["accepted", "finished"])? == "finished",
        };
        Some(Webhook { path: path?, connection: connection?, finished })
    }

    fn webhook_path(&mut self, tree: &Tree) -> Option<String> {
        let Some(tree) = tree.get("path") else {
            self.problems.error(&tree.place, "missing_field", "a webhook needs a `path`, such as partner-leads: the last part of its address".into());
            return None;
        };
        let path = fields::text(&mut self.problems, tree, "path")?;
        let letters = path.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte));
        if letters && path.len() <= PATH_LETTERS && path.bytes().any(|byte| byte != b'.') {
            return Some(path.to_owned());
        }
        let shown: String = path.chars().take(60).collect();
        let message = format!(
            "the path \"{shown}\" may hold small letters, digits, `_`, `.` and `-` only, {PATH_LETTERS} at the most: it is the last part of the address /hooks/in/PATH"
        );
        self.problems.error(&tree.place, "bad_path", message);
        None
    }

    /// Who may deliver must be said: an open door is not a default.
    #[expect(clippy::option_option, reason = "right, and naming a connection: two questions")]
    fn webhook_verify(&mut self, tree: &Tree) -> Option<Option<String>> {
        const REMEDY: &str = "write `verify: { connection: NAME }` with a connection of the connector http, or `verify: none` to let everybody deliver";
        let Some(tree) = tree.get("verify") else {
            self.problems.error(&tree.place, "missing_field", format!("a webhook needs `verify`: {REMEDY}"));
            return None;
        };
        if tree.text() == Some("none") {
            return Some(None);
        }
        if tree.map().is_none() {
            self.problems.error(&tree.place, "bad_value", format!("`verify` says who may deliver: {REMEDY}"));
            return None;
        }
        let entries = fields::map(&mut self.problems, tree, "verify")?;
        fields::refuse_unknown(&mut self.problems, entries, &["connection"], "verify");
        let Some(connection) = tree.get("connection") else {
            self.problems.error(&tree.place, "missing_field", format!("`verify` needs a connection: {REMEDY}"));
            return None;
        };
        let name = fields::text(&mut self.problems, connection, "connection")?.to_owned();
        self.validators.mentions.push(Mention { kind: MentionKind::Connection, name: name.clone(), position: connection.place.clone() });
        Some(Some(name))
    }
}
