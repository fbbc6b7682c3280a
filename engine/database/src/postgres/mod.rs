//! The PostgreSQL dialect: everything that knows its driver.

mod backend;
mod bounds;
mod errors;
mod listener;
mod readers;
mod row;
mod statement;
mod statistics;
mod write;

pub(crate) use backend::{Backend, ReadTransaction};
pub(crate) use listener::Listener;
pub(crate) use row::Row;
pub(crate) use write::WriteConnection;
