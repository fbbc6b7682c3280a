//! What commands are given: files and JSON texts.

use super::Failure;
use onward_core::limits;
use serde_json::Value;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Reads a text file, `-` for standard input, up to `limit` bytes.
fn read(path: &Path, limit: usize) -> Result<String, Failure> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = |source: &mut dyn Read, bytes: &mut Vec<u8>| source.take(limit as u64 + 1).read_to_end(bytes);
    let result =
        if path == Path::new("-") { read(&mut io::stdin().lock(), &mut bytes) } else { File::open(path).and_then(|mut file| read(&mut file, &mut bytes)) };
    result.map_err(|error| Failure::wrong_use(format!("{shown} cannot be read: {error}")))?;
    if bytes.len() > limit {
        return Err(Failure::wrong_use(format!("{shown} is larger than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| Failure::wrong_use(format!("{shown} is not UTF-8 text: byte {} cannot be read", error.utf8_error().valid_up_to())))
}

/// Reads a workflow file.
pub(crate) fn workflow_file(path: &Path) -> Result<String, Failure> {
    read(path, limits::DEFINITION_BYTES)
}

/// Reads a JSON file, such as an event or an exported run.
pub(crate) fn json_file(path: &Path, limit: usize) -> Result<Value, Failure> {
    let text = read(path, limit)?;
    serde_json::from_str(&text).map_err(|error| Failure::wrong_use(format!("{} is not JSON: {error}", path.display())))
}

/// Bytes of a secret or a setting in a file of its own.
const SHORT_TEXT_BYTES: usize = 64 << 10;

/// Reads a short text from a file, such as a secret, without its last line break.
pub(crate) fn short_text(file: &str) -> Result<String, Failure> {
    read(Path::new(file), SHORT_TEXT_BYTES).map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a JSON text from the command line; `@FILE` and `-` read it from a file or standard input.
pub(crate) fn json(option: &str, text: &str) -> Result<Value, Failure> {
    match text.strip_prefix('@').or((text == "-").then_some("-")) {
        Some(file) => json_file(Path::new(file), limits::EVENT_BYTES_MAX),
        None => serde_json::from_str(text)
            .map_err(|error| Failure::wrong_use(format!("{option} is not JSON: {error}; quote it for the shell, as in '{{\"name\": \"Asha\"}}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_from_the_text_or_from_a_file() {
        assert_eq!(json("--data", r#"{"a": 1}"#).unwrap(), serde_json::json!({ "a": 1 }));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[1, 2]").unwrap();
        assert_eq!(json("--data", &format!("@{}", file.path().display())).unwrap(), serde_json::json!([1, 2]));
        assert!(matches!(json("--data", "{a: 1}"), Err(Failure::WrongUse(message)) if message.starts_with("--data is not JSON")));
        assert!(matches!(json("--data", "@/nowhere"), Err(Failure::WrongUse(message)) if message.contains("/nowhere")));
    }

    #[test]
    fn a_file_that_is_too_large_or_no_text_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'a'; limits::DEFINITION_BYTES + 1]).unwrap();
        assert!(matches!(workflow_file(file.path()), Err(Failure::WrongUse(message)) if message.contains("larger than")));
        std::fs::write(file.path(), [b'a', 0xff]).unwrap();
        assert!(matches!(workflow_file(file.path()), Err(Failure::WrongUse(message)) if message.contains("byte 1")));
    }
}
