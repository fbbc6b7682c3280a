//! onward-records
