//! onward-messaging
