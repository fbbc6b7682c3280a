//! onward-connectors
