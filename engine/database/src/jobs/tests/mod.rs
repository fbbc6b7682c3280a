//! What background jobs promise, on the real table. A database passes when all of these hold on it.

mod claims;
mod harness;
mod running;
