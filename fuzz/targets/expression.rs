//! The fuzz target `expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| onward_fuzz::expression(text));
