//! The fuzz target `script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| onward_fuzz::script(text));
