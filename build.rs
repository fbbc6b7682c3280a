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
    let mut files = Vec::new();
    for folder in ["examples", "workflows"] {
        println!("cargo::rerun-if-changed={folder}");
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut list = String::from("/// Every workflow file that comes with the binary, by path.\npub(crate) const SHIPPED: &[Shipped] = &[\n");
    for file in &files {
        let path = file.strip_prefix(&root)?.to_str().ok_or("a workflow file's name is not UTF-8")?;
        let absolute = file.to_str().ok_or("the repository's path is not UTF-8")?;
        writeln!(list, "    Shipped {{ path: {path:?}, source: include_str!({absolute:?}) }},")?;
    }
    list.push_str("];\n");
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
