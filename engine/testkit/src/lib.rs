//! onward-testkit
