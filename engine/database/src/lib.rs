//! onward-database
