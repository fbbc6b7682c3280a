//! How a command ends badly.

use crate::terminal;
use std::process::ExitCode;

/// How a command ends badly: what is printed to standard error, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The thing asked about failed: exit code 1.
    Failed(String),
    /// It was asked wrongly: exit code 2.
    WrongUse(String),
    /// The output already says why: exit code 1, nothing more is printed.
    Shown,
}

impl Failure {
    /// The thing asked about failed.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
    /// The thing asked about failed, with what was tried and the whole chain of causes, each once.
    pub(crate) fn because(what: impl std::fmt::Display, error: &dyn std::error::Error) -> Self {
        let mut message = format!("{what}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::Failed(message)
    }
    /// It was asked wrongly.
    pub(crate) fn wrong_use(message: impl Into<String>) -> Self {
        Self::WrongUse(message.into())
    }

    /// What is told.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Failed(message) | Self::WrongUse(message) => message,
            Self::Shown => "",
        }
    }

    /// Tells the person, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Failed(message) => {
                terminal::say(&format!("onward: {message}"));
                ExitCode::from(1)
            }
            Self::WrongUse(message) => {
                terminal::say(&format!("onward: {message}"));
                ExitCode::from(2)
            }
            Self::Shown => ExitCode::from(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_of_causes_is_printed_once() {
        let error = std::io::Error::other(std::io::Error::other("no room"));
        assert_eq!(Failure::because("cannot write x", &error), Failure::Failed("cannot write x: no room".into()));
    }
}
