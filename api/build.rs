//! Makes cargo look again at `web/dist`, which the crate embeds, when it changes or appears. Builds nothing: `make web` does.

fn main() {
    // Watched without its folder it would be looked for again at every build.
    let built = std::path::Path::new("../web/dist").is_dir();
    println!("cargo::rerun-if-changed={}", if built { "../web/dist" } else { "../web" });
}
