//! Which files are tests.

use crate::cli::Failure;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The end of a test file's name.
const ENDING: &str = ".test.yaml";
/// Folders in folders that are looked into.
const DEPTH: usize = 16;

/// The test files that the paths mean, each once, in order of name.
pub(super) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let shown = path.display();
        if path.is_dir() {
            let before = found.len();
            below(path, DEPTH, &mut found).map_err(|error| Failure::wrong_use(format!("{shown} cannot be read: {error}")))?;
            if found.len() == before {
                return Err(Failure::wrong_use(format!("there is no test below {shown}; a test is a file NAME{ENDING} beside NAME.yaml")));
            }
        } else if is_test(path) {
            found.push(path.clone());
        } else {
            let beside = path.with_extension("test.yaml");
            if !beside.is_file() {
                return Err(Failure::wrong_use(format!("{shown} is no test, and there is no {} beside it", beside.display())));
            }
            found.push(beside);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING))
}

/// Hidden folders and those of build tools are left alone.
fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A link may lead round in a circle: it is not followed.
        if entry.file_type()?.is_dir() {
            if depth > 0 && !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                below(&entry.path(), depth - 1, found)?;
            }
        } else if name.ends_with(ENDING) {
            let path = entry.path();
            found.push(path.strip_prefix(".").map_or_else(|_| path.clone(), Path::to_path_buf));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_beside_workflows_and_below_folders() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for folder in ["b", ".hidden", "target"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for file in ["a.yaml", "a.test.yaml", "b/c.test.yaml", "b/d.yaml", ".hidden/x.test.yaml", "target/y.test.yaml"] {
            fs::write(at(file), "").unwrap();
        }
        assert_eq!(test_files(&[home.path().into()]).unwrap(), [at("a.test.yaml"), at("b/c.test.yaml")]);
        assert_eq!(test_files(&[at("a.yaml"), at("a.test.yaml")]).unwrap(), [at("a.test.yaml")]);
        assert!(matches!(test_files(&[at("b/d.yaml")]), Err(Failure::WrongUse(message)) if message.contains("d.test.yaml")));
        assert!(matches!(test_files(&[at("target/nothing")]), Err(Failure::WrongUse(_))));
    }
}
