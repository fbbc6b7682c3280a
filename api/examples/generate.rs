//! Writes the `OpenAPI` document into `web/openapi.json`, or into the file that is named: `make generate`.

use std::{env, fs, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let file = env::args_os().nth(1).map_or_else(|| PathBuf::from("web/openapi.json"), PathBuf::from);
    match fs::write(&file, onward_api::generate()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}
