//! placeholder
pub(crate) mod plants;
