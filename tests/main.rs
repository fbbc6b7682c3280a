//! Black-box and cross-crate tests.
