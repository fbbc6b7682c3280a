//! Why runs fail, so that the same failure of many runs is one: step, code and message without their variable parts.

use crate::{StepError, definition::key_of_path, digest};

/// Characters of a message that tell failures apart.
const LONGEST: usize = 200;
/// What stands for a variable part.
const VARIABLE: &str = "…";

/// What failures have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The step that failed, without the iterations it was in.
    pub step: Option<String>,
    /// The error's code.
    pub code: String,
    /// The message without what differs from run to run.
    pub message: String,
}

impl Cause {
    /// Of an error.
    pub fn of(error: &StepError) -> Self {
        Self {
            step: error.step.as_deref().map(|step| key_of_path(step).to_owned()),
            code: error.code.as_str().to_owned(),
            message: without_variables(&error.message),
        }
    }

    /// Its name within an organisation: of a workflow's failures, 32 hex digits.
    pub fn id(&self, workflow: &str) -> String {
        let step = self.step.as_deref().unwrap_or_default();
        hex::encode(digest::short(&[workflow.as_bytes(), step.as_bytes(), self.code.as_bytes(), self.message.as_bytes()]))
    }
}

/// A message with `…` in place of what is in quotes, of numbers, ids, addresses and times.
fn without_variables(message: &str) -> String {
    let mut out = String::new();
    let mut quote: Option<char> = None;
    let mut word = String::new();
    for letter in message.chars() {
        match quote {
            Some(closing) if letter == closing => {
                quote = None;
                out.push(closing);
            }
            Some(_) => {}
            None => match closing_of(letter, word.is_empty()) {
                Some(closing) => {
                    flush(&mut word, &mut out);
                    out.push(letter);
                    out.push_str(VARIABLE);
                    quote = Some(closing);
                }
                None if letter.is_whitespace() => {
                    flush(&mut word, &mut out);
                    out.push(' ');
                }
                None => word.push(letter),
            },
        }
    }
    flush(&mut word, &mut out);
    match out.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}{VARIABLE}", &out[..end]),
        None => out,
    }
}

/// What ends the quotation that this begins. An apostrophe within a word begins none.
fn closing_of(letter: char, at_the_beginning: bool) -> Option<char> {
    match letter {
        '"' => Some('"'),
        '`' => Some('`'),
        '\'' if at_the_beginning => Some('\''),
        '“' => Some('”'),
        _ => None,
    }
}

fn flush(word: &mut String, out: &mut String) {
    let ending = word.trim_end_matches([',', '.', ';', ':', ')', ']', '!', '?']);
    let (body, rest) = word.split_at(ending.len());
    let start = body.len() - body.trim_start_matches(['(', '[']).len();
    let (before, body) = body.split_at(start);
    let varies = body.chars().any(|letter| letter.is_ascii_digit()) || body.contains('@') || body.contains("://");
    out.push_str(before);
    out.push_str(if varies { VARIABLE } else { body });
    out.push_str(rest);
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        for (message, common) in [
            ("the attempt took longer than 2000 ms", "the attempt took longer than … ms"),
            ("order \"A-17\" of asha@example.com was declined (in_3f), again.", "order \"…\" of … was declined (…), again."),
            ("contact 019b76da-a800-7000-8000-032705dfe96e: it's gone", "contact …: it's gone"),
            ("`contact.age` is missing: see https://example.com/x", "`…` is missing: see …"),
            ("an open \"quote", "an open \"…"),
            ("", ""),
        ] {
            assert_eq!(without_variables(message), common);
        }
        assert_eq!(without_variables(&"ä ".repeat(500)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn iterations_are_one_cause_and_workflows_are_apart() {
        let failure = |step: &str, message: &str| Cause::of(&StepError::new(ErrorCode::Declined, message).at_step(step));
        assert_eq!(failure("pay#3", "no 1").id("w"), failure("pay#9", "no 2").id("w"));
        assert_ne!(failure("pay", "no").id("w"), failure("pay", "no").id("v"));
        assert_ne!(failure("pay", "no").id("w"), failure("ship", "no").id("w"));
    }
}
