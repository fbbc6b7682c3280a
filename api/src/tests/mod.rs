//! The endpoints, asked as a client would: the whole router over a real database and a real engine.

mod accounts;
mod asks;
mod bulk_repair;
mod connections;
mod contacts;
mod contract;
mod conversations;
mod desk;
mod engine;
mod events;
mod guarding;
mod harness;
mod hooks;
mod idempotency;
mod isolation;
mod jobs;
mod pages;
mod pauses;
mod privacy;
mod repair;
mod results;
mod retention;
mod sales;
mod simulating;
mod sockets;
mod stats;
mod teams;
mod versions;
mod webhooks;
mod why;

pub(crate) use harness::{Reply, Server, WORKFLOW};
