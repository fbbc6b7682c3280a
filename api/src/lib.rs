//! onward-api
