//! What a store is.
