//! Tests through the port.

mod calls;
mod files;
mod hostile;
mod journal;
mod machine;
mod programs;
mod properties;
mod standing;
mod steps;
mod verbs;
