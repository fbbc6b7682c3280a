//! Tests through the port.

mod hostile;
mod journal;
mod programs;
mod properties;
mod steps;
