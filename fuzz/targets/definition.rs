//! The fuzz target `definition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| onward_fuzz::definition(text));
