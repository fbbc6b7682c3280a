//! onward-sandbox
