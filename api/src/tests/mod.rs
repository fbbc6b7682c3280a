//! The endpoints, asked as a client would.
