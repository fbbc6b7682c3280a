//! The automations that come with the binary: every workflow file of `examples/` and `workflows/`, embedded when it was
//! built, so that the binary works alone.

/// A workflow file that comes with the binary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shipped {
    /// Its path in the repository: `examples/first-reply/first-reply.yaml`.
    pub(crate) path: &'static str,
    /// Its text.
    pub(crate) source: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/gallery.rs"));
