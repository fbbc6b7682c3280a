//! What fuzzing tries: any text as a definition, an expression, a script. Each function panics when a promise does not hold; the
//! targets of libFuzzer (feature `libfuzzer`, `make fuzz`) hand it what they think of, the tests here what is shipped.

mod definition;
mod expression;
mod ground;
mod script;

pub use definition::definition;
pub use expression::expression;
pub use script::script;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Files of a folder and those below it.
    fn files(folder: &Path, extension: &str, act: &mut dyn FnMut(&str)) -> usize {
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        let mut count = 0;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                count += files(&path, extension, act);
            } else if path.extension().is_some_and(|found| found == extension) || extension.is_empty() {
                act(&fs::read_to_string(&path).unwrap());
                count += 1;
            }
        }
        count
    }

    #[test]
    fn what_is_shipped_keeps_the_promises() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for folder in ["examples", "workflows"] {
            assert!(files(&root.join(folder), "yaml", &mut |text| super::definition(text)) > 5, "{folder}");
            files(&root.join(folder), "rhai", &mut |text| {
                super::script(text);
                super::definition(text);
            });
        }
        assert!(files(&root.join("fuzz/seeds/expression"), "", &mut |text| super::expression(text)) > 5);
    }
}
