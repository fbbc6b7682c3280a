//! The ports: what the engine needs of the world, as traits. Adapters stand above; nothing here does I/O.

mod clock;
mod disk;
mod errors;
mod held;
mod inbox;
mod inventory;
mod node;
mod nodes;
mod pause;
mod processes;
mod published;
mod questions;
mod records;
mod rollout;
mod routing;
mod run;
mod script;
mod segments;
mod store;
mod transaction;
mod writer;

pub use clock::{BoxFuture, Clock, Executor, Ids};
pub use disk::{BoundlessDisk, Disk};
pub use errors::{CommitError, StoreError};
pub use held::{HeldQueue, HeldStart};
pub use inbox::{InboxMessage, InboxRow};
pub use inventory::{Inventory, NoInventory, Presence};
pub use node::{Effect, Node, NodeDescriptor, Outcome, Reconciled, StepContext};
pub use nodes::{Beat, Lease, NoNotices, NodeRole, NodeRow, Notice, NoticeKind, Notices, ShardOwner, ShardSet, Standing, Take, to_take};
pub use pause::{HELD_WITH_OTHERS, Pause, PauseScope};
pub use processes::{Processes, UnknownProcesses};
pub use published::{PublishedVersion, ScheduleRow};
pub use questions::{Asking, ContactQuestion, ContactQuestions, NobodyAsked};
pub use records::{Connection, Credentials, RecordRef, Records, Secret};
pub use rollout::RolloutState;
pub use routing::{Inserted, RoutingNote};
pub use run::{Checkpoint, Correlation, KeyState, OpenWait, ResumedRun, RunRow, RunStatus, RunWrite, StoredRun, Timer};
pub use script::{
    Answer, DurableCall, Interrupted, Journal, Origin, PROGRAM_NAMES, SCRIPT_NAMES, ScriptBudget, ScriptEnd, ScriptField, ScriptInput, ScriptLiteral,
    ScriptProblem, ScriptProgram, ScriptReference, ScriptShape, ScriptSite, ScriptStanding, ScriptStart, ScriptStep, ScriptTurn, ScriptValue, ScriptWait,
    Scripts,
};
pub use segments::{SegmentMember, Segments};
pub use store::Store;
pub use transaction::{Change, GivenAnswer, Outbox, Transaction, Wake};
pub use writer::{Body, Lane, WriteError, Writer, write};
