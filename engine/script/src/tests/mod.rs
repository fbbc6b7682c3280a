//! Tests through the port.

mod files;
mod hostile;
mod journal;
mod machine;
mod programs;
mod properties;
mod steps;
