//! onward-accounts
