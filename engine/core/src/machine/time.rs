//! Delays: from what the admin wrote to a due time.
