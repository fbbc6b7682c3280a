//! Writes the `OpenAPI` document into the file that is named: `cargo run -p onward-api --example generate -- web/openapi.json`.

use std::{env, fs, process::ExitCode};

fn main() -> ExitCode {
    let Some(file) = env::args_os().nth(1) else {
        eprintln!("name the file to write, for example web/openapi.json");
        return ExitCode::from(2);
    };
    match fs::write(&file, onward_api::generate()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}
