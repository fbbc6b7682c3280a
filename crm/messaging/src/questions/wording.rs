//! What the contact gets to see of a question. Pure.

use super::{Question, form::Field};
use onward_connectors::channel::Button;

/// Answers that do not fit, after which a person takes over.
pub(super) const MISFITS: u32 = 3;
/// What opens a list of choices.
pub(crate) const OPENS_LIST: &str = "Choose";
/// What a contact is told whom nobody understood.
const GIVEN_UP: &str = "Thank you. One of us will look at your answer.";
/// What an id of a choice begins with.
const CHOICE: &str = "ask";

/// Why a question is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It opened.
    Opened,
    /// It has not been answered for a while.
    Reminded,
    /// What the contact wrote does not fit.
    Misfit,
    /// It did not fit too often: a person takes over.
    GivenUp,
}

impl Reason {
    /// As in events.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reminded => "reminded",
            Self::Misfit => "misfit",
            Self::GivenUp => "given_up",
        }
    }
    /// Reads what [`Reason::as_str`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Opened, Self::Reminded, Self::Misfit, Self::GivenUp].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// A way to write a question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wording {
    /// The text.
    pub(crate) text: String,
    /// What can be chosen from; nothing where it is part of the text.
    pub(crate) choices: Vec<Button>,
}

/// The ways to write a question, the handiest first: choices to tap, or numbered in the text. A channel takes the first one that
/// it can carry.
pub(super) fn wordings(question: &Question, reason: Reason) -> Vec<Wording> {
    if reason == Reason::GivenUp {
        return vec![Wording { text: GIVEN_UP.to_owned(), choices: Vec::new() }];
    }
    let field = Field::of(&question.form);
    let title = match (&field, reason) {
        (Some(field), Reason::Misfit) => format!("{}\n\n{}", field.expected(), question.title),
        _ => question.title.clone(),
    };
    let choices = field.as_ref().map(Field::choices).unwrap_or_default();
    if choices.is_empty() {
        return vec![Wording { text: title, choices: Vec::new() }];
    }
    let buttons = choices.iter().enumerate().map(|(place, choice)| Button { id: format!("{CHOICE}:{}:{place}", question.id), title: choice.title.clone() });
    let lines: Vec<String> = choices.iter().zip(1..).map(|(choice, number): (_, usize)| format!("{number}. {}", choice.title)).collect();
    let numbered = format!("{title}\n\n{}", lines.join("\n"));
    vec![Wording { text: title, choices: buttons.collect() }, Wording { text: numbered, choices: Vec::new() }]
}

/// The question and the place of the choice that an id names; `None`: it is no choice of a question.
pub(super) fn choice_of(reply_id: &str) -> Option<(uuid::Uuid, usize)> {
    let (id, place) = reply_id.strip_prefix(CHOICE)?.strip_prefix(':')?.split_once(':')?;
    Some((id.parse().ok()?, place.parse().ok()?))
}
