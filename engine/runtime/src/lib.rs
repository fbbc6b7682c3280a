//! onward-runtime
