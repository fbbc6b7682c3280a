//! `onward completions`: completion for a shell.

use super::Arguments;
use crate::terminal;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Print completion for a shell.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward completions bash > ~/.local/share/bash-completion/completions/onward
  onward completions zsh > ~/.zfunc/_onward")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "onward", &mut script);
        terminal::print(&String::from_utf8_lossy(&script));
    }
}
