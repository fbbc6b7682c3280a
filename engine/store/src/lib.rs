//! onward-store
