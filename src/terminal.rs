//! What a terminal can show: colours, box drawing, width; and writing to it without ever failing on a closed pipe.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

/// How text may look where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Colours may be used.
    pub(crate) colour: bool,
    /// Characters beyond ASCII may be used.
    pub(crate) unicode: bool,
    /// Columns.
    pub(crate) width: usize,
}

/// Columns when nobody says how many there are.
const DEFAULT_WIDTH: usize = 120;

impl Look {
    /// Of standard output: colours on a terminal only, and not with `NO_COLOR`; characters as the locale says.
    pub(crate) fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(DEFAULT_WIDTH);
        Self { colour: terminal && !dumb && !set("NO_COLOR"), unicode: speaks_utf8(|name| env::var(name).ok()), width: width.clamp(40, 400) }
    }

    /// Paints a text, where colours may be used.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if self.colour { format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()) } else { text.to_owned() }
    }

    /// The first text, or the second where only ASCII may be used.
    pub(crate) fn either<'t>(self, unicode: &'t str, ascii: &'t str) -> &'t str {
        if self.unicode { unicode } else { ascii }
    }
}

/// The locale's first word decides, as POSIX says; an unset locale is taken for a modern one.
fn speaks_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty())).is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// What a text is painted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Good.
    Good,
    /// Bad.
    Bad,
    /// Waiting, or worth a look.
    Attention,
    /// What a person looks for first.
    Strong,
    /// What may be overlooked.
    Faint,
    /// Names.
    Name,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Attention => "33",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Name => "36",
        }
    }
}

/// Writes data to standard output. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    write_to(&mut io::stdout().lock(), text);
}

/// Writes talk to standard error.
pub(crate) fn say(text: &str) {
    write_to(&mut io::stderr().lock(), text);
}

fn write_to(stream: &mut dyn io::Write, text: &str) {
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    // Nobody is left to be told when the stream itself is gone.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(end.as_bytes())).and_then(|()| stream.flush());
}

/// Asks for a password without showing it; from a pipe, reads its first line.
pub(crate) fn read_password(prompt: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let hidden = stdin.is_terminal() && echo(false);
    if stdin.is_terminal() {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{prompt}: ");
        let _ = stderr.flush();
    }
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    if hidden {
        echo(true);
        say("");
    }
    read.map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Turns the terminal's echo on or off. `stty` is part of POSIX; where it is missing the password is shown as it is typed.
fn echo(on: bool) -> bool {
    let setting = if on { "echo" } else { "-echo" };
    std::process::Command::new("stty").arg(setting).stdin(std::process::Stdio::inherit()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_about_characters() {
        let with = |pairs: &'static [(&'static str, &'static str)]| {
            speaks_utf8(move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(with(&[]));
        assert!(with(&[("LANG", "de_DE.UTF-8")]));
        assert!(with(&[("LANG", "C"), ("LC_ALL", "C.utf8")]));
        assert!(!with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]));
        assert!(!with(&[("LANG", "POSIX")]));
    }

    #[test]
    fn paint_is_left_out_where_colours_are_not_wanted() {
        let look = Look { colour: false, unicode: true, width: 80 };
        assert_eq!(look.paint(Paint::Bad, "x"), "x");
        assert_eq!(Look { colour: true, ..look }.paint(Paint::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
