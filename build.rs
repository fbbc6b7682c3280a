//! Embeds the workflow files of `examples/` and `workflows/` (see `src/gallery.rs`).

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut list = String::new();
    for (folder, name) in [("examples", "EXAMPLES"), ("workflows", "GALLERY")] {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files)?;
        files.sort();
        writeln!(list, "/// The workflow files of `{folder}/`, by path.\npub(crate) const {name}: &[Shipped] = &[")?;
        for file in &files {
            let path = file.strip_prefix(&root)?.to_str().ok_or("a workflow file's name is not UTF-8")?;
            let absolute = file.to_str().ok_or("the repository's path is not UTF-8")?;
            writeln!(list, "    Shipped {{ path: {path:?}, source: include_str!({absolute:?}) }},")?;
        }
        list.push_str("];\n");
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("gallery.rs"), list)?;
    Ok(())
}

/// Workflow files are `*.yaml`, except the tests beside them, and `*.rhai`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "rhai") && !path.to_string_lossy().ends_with(".test.yaml") {
            files.push(path);
        }
    }
    Ok(())
}
