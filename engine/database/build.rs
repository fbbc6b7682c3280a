//! Embeds the migrations: every `NNNN_name.sql` of `migrations/sqlite` and `migrations/postgres`, in order, so that a new file
//! needs no edit here.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let migrations = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../migrations");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let code = embedded("SQLITE", &migrations.join("sqlite"))? + &embedded("POSTGRES", &migrations.join("postgres"))?;
    fs::write(out_dir.join("migrations.rs"), code)
}

/// A constant with the folder's files: number, description, text.
fn embedded(constant: &str, folder: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let Some((number, description)) = name.strip_suffix(".sql").and_then(|stem| stem.split_once('_')) else { continue };
        let Ok(version) = number.parse::<i64>() else {
            return Err(io::Error::other(format!("migration {name}: the name must be NNNN_what.sql")));
        };
        println!("cargo::rerun-if-changed={}", path.display());
        files.push((version, description.replace('_', " "), fs::canonicalize(&path)?));
    }
    files.sort();
    if let Some(twice) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(io::Error::other(format!("two migrations have the number {}", twice[0].0)));
    }
    let mut code = format!("pub(crate) const {constant}: &[(i64, &str, &str)] = &[\n");
    for (version, description, path) in files {
        writeln!(code, "    ({version}, {description:?}, include_str!({:?})),", path.display().to_string()).map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    Ok(code)
}
