//! A local stand-in for the providers, so that everything can be tried without an outside account: the WhatsApp Cloud API,
//! and a server of no importance for `http.request`.
//!
//! Written from the providers' contracts. It shares no code with the connectors and depends on nothing of ours, so that the
//! two can disagree. It can be told to misbehave ([`Behaviour`]): slow, failing, rate-limiting, silent, out of order.
//!
//! | address | what it is |
//! | --- | --- |
//! | `POST /{version}/{phone_number_id}/messages`, `…/media`, `GET /{version}/{id}` | the Graph API |
//! | `/http/{anything}` | answers whatever is sent, and records it |
//! | `POST`, `GET /sandbox/customers/{wa_id}/messages` | writes as a customer; shows what their phone shows |
//! | `POST`, `GET`, `DELETE /sandbox/behaviour` | misbehaviour of the next calls |
//! | `GET /sandbox/sends[?at_least=N]` | every accepted send; waits for that many |
//! | `GET /sandbox/http-calls[?at_least=N]` | every call of `/http/…`; waits for that many |
//! | `GET /sandbox/counters` | how much of what |
//! | `GET`, `PUT /sandbox/accounts/{phone_number_id}` | the numbers it plays, and where their webhooks go |
//! | `/` | a page to write as a customer |

mod behaviour;
mod config;
mod control;
mod customer;
mod deliver;
mod echo;
mod graph;
mod reply;
mod send_check;
mod server;
mod state;
#[cfg(test)]
mod tests;

pub use behaviour::{Behaviour, DropAt, Statuses, Target};
pub use config::{Account, Config};
pub use server::{Sandbox, SandboxHandle, StartError};
pub use state::{AcceptedSend, Counters, HttpCall};
