//! Writes the files that the web app has of this program: `make generate`, from the repository's root.

use std::{fs, process::ExitCode};

fn main() -> ExitCode {
    for (file, text) in onward_api::generate() {
        if let Err(error) = fs::write(file, text) {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
