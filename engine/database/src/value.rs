//! Arguments of statements: our own values, which each dialect binds in its own way.

use crate::Rows;
use onward_core::{
    Timestamp, Value,
    ids::{ConnectionId, EventId, NodeId, OrganisationId, RunId, Shard},
};
use uuid::Uuid;

/// The type of an argument; a null has one too, since PostgreSQL asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `boolean`; 0 or 1 on SQLite.
    Boolean,
    /// `bigint`.
    Integer,
    /// `double precision`.
    Float,
    /// `text`.
    Text,
    /// `bytea`; a blob on SQLite.
    Bytes,
    /// `uuid`; a 16-byte blob on SQLite.
    Uuid,
    /// Text on both: `jsonb` would reorder it and refuse some of it.
    Json,
    /// A list of rows.
    Rows,
}

/// One argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// No value, of this kind.
    Null(Kind),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text without a NUL character.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An id.
    Uuid(Uuid),
    /// JSON as text.
    Json(String),
    /// A list of rows, for the list marker.
    Rows(Rows),
}

impl Arg {
    /// Its type.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Null(kind) => *kind,
            Self::Boolean(_) => Kind::Boolean,
            Self::Integer(_) => Kind::Integer,
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::Bytes(_) => Kind::Bytes,
            Self::Uuid(_) => Kind::Uuid,
            Self::Json(_) => Kind::Json,
            Self::Rows(_) => Kind::Rows,
        }
    }
}

/// The arguments of one statement, in order: `$1` is the first. Made by [`crate::args!`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args(pub(crate) Vec<Arg>);

impl Args {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }
    /// None yet, with room for some.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }
    /// Adds one at the end.
    pub fn push(&mut self, value: impl IntoArg) {
        self.0.push(value.into_arg());
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The rows of all lists among them.
    pub(crate) fn rows(&self) -> u64 {
        self.0.iter().map(|arg| if let Arg::Rows(rows) = arg { rows.len() as u64 } else { 0 }).sum()
    }
}

/// The arguments of a statement: `args![organisation, name, Some(5_i64)]`.
#[macro_export]
macro_rules! args {
    () => { $crate::Args::new() };
    ($($value:expr),+ $(,)?) => {{
        let mut args = $crate::Args::with_capacity([$(stringify!($value)),+].len());
        $(args.push($value);)+
        args
    }};
}

/// Lets ids made by `onward_core::define_id!` stand in [`args!`](crate::args) and be read by [`crate::Row::get`]:
/// `onward_database::id_columns!(ContactId, CompanyId);` beside their declaration.
#[macro_export]
macro_rules! id_columns {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::IntoArg for $name {
            const KIND: $crate::Kind = $crate::Kind::Uuid;
            fn into_arg(self) -> $crate::Arg {
                $crate::Arg::Uuid(self.0)
            }
        }
        impl $crate::FromColumn for $name {
            fn from_column(column: $crate::Column<'_>) -> Result<Self, $crate::DatabaseError> {
                column.uuid().map(Self)
            }
        }
    )+};
}

id_columns!(OrganisationId, RunId, EventId, ConnectionId, NodeId);

/// What can be an argument.
pub trait IntoArg {
    /// The kind of a null in its place.
    const KIND: Kind;
    /// As an argument.
    fn into_arg(self) -> Arg;
}

macro_rules! into_arg {
    ($($type:ty => $kind:ident, $value:ident => $arg:expr;)+) => {$(
        impl IntoArg for $type {
            const KIND: Kind = Kind::$kind;
            fn into_arg(self) -> Arg {
                let $value = self;
                $arg
            }
        }
    )+};
}

into_arg! {
    bool => Boolean, value => Arg::Boolean(value);
    i16 => Integer, value => Arg::Integer(value.into());
    i32 => Integer, value => Arg::Integer(value.into());
    i64 => Integer, value => Arg::Integer(value);
    u16 => Integer, value => Arg::Integer(value.into());
    u32 => Integer, value => Arg::Integer(value.into());
    f64 => Float, value => Arg::Float(value);
    &str => Text, value => Arg::Text(storable(value.to_owned()));
    String => Text, value => Arg::Text(storable(value));
    Vec<u8> => Bytes, value => Arg::Bytes(value);
    [u8; 16] => Bytes, value => Arg::Bytes(value.to_vec());
    [u8; 32] => Bytes, value => Arg::Bytes(value.to_vec());
    Uuid => Uuid, value => Arg::Uuid(value);
    Timestamp => Integer, value => Arg::Integer(value.as_millis());
    Shard => Integer, value => Arg::Integer(value.0.into());
    Value => Json, value => Arg::Json(value.to_string());
    Rows => Rows, value => Arg::Rows(value);
}

/// PostgreSQL refuses the NUL character in text (its documentation, 8.3), and SQLite's functions end a text there: both keep U+FFFD in
/// its place. JSON writes it as an escape, which both keep as it is.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

impl<T: IntoArg> IntoArg for Option<T> {
    const KIND: Kind = T::KIND;
    fn into_arg(self) -> Arg {
        self.map_or(Arg::Null(T::KIND), T::into_arg)
    }
}

impl<T: IntoArg + Clone> IntoArg for &T {
    const KIND: Kind = T::KIND;
    fn into_arg(self) -> Arg {
        self.clone().into_arg()
    }
}
