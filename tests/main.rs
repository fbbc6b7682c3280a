//! Black-box tests of the built binary, and checks of the workspace as a whole. One binary: linked once, run in parallel.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking, its helpers included")]

mod harness;

mod asks;
mod backup;
mod bad_input;
mod command_line;
mod contact_asks;
mod demonstration;
mod disk_full;
mod epoch;
mod gallery_payloads;
mod kill;
mod kill_jobs;
mod kill_long;
mod kill_scripts;
mod layering;
mod licences;
mod logs;
mod main_job;
mod metrics;
mod nodes;
mod one_server;
mod partition;
mod pause_everything;
mod power_loss;
mod recorded_bodies;
mod repeated_events;
mod replay;
mod shipped_files;
mod traces;
mod triggers;
mod unknown_commit;
mod upgrade;
mod workflow_tests;
