//! What a person can do about a failed step, by its code.

use onward_core::ErrorCode;

/// What to do; nothing where the message itself must say it.
pub(super) fn remedy(code: &ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::Unauthorized => Some("the connection's credential is refused: `onward connection test NAME`, then replace its secrets"),
        ErrorCode::Forbidden => Some("the connection's credential lacks a permission at the provider"),
        ErrorCode::OutcomeUnknown => Some("look at the provider whether it happened; it is never repeated by itself"),
        ErrorCode::PolicyDenied => Some("the messaging policy forbids it; `if_denied: skip` lets such runs go on"),
        ErrorCode::Unavailable | ErrorCode::Timeout => Some("when the other side is well again, start the run anew; `retry` in the step makes it more patient"),
        ErrorCode::RateLimited => Some("the provider asks to slow down; `retry` in the step makes it more patient"),
        ErrorCode::Internal => Some("this is a bug of ours; please report it with `onward runs export`"),
        ErrorCode::NotFound | ErrorCode::Conflict | ErrorCode::InvalidInput | ErrorCode::Declined | ErrorCode::Cancelled | ErrorCode::Provider(_) => None,
    }
}
