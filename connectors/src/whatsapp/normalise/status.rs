//! `value.statuses[]`: what became of messages that we sent.

use super::read::{list, text, time};
use crate::{
    incoming::{DeliveryError, DeliveryStatus, IncomingItem, IncomingStatus},
    whatsapp::codes,
};
use onward_core::{ErrorCode, Value};

pub(super) fn status(item: &Value) -> IncomingItem {
    let word = item["status"].as_str().unwrap_or_default();
    let raw = || IncomingItem::Raw { name: format!("status.{word}"), dedupe_id: text(&item["id"]).map(|id| format!("{id}:{word}")) };
    let Some(external_id) = text(&item["id"]) else { return raw() };
    let status = match word {
        "sent" => DeliveryStatus::Sent,
        "delivered" => DeliveryStatus::Delivered,
        "read" | "played" => DeliveryStatus::Read,
        "failed" => DeliveryStatus::Failed,
        _ => return raw(),
    };
    IncomingItem::Status(IncomingStatus {
        external_id,
        message_id: text(&item["biz_opaque_callback_data"]),
        status,
        error: list(&item["errors"]).first().map(error),
        recipient: text(&item["recipient_id"]),
        at: time(&item["timestamp"]),
    })
}

fn error(error: &Value) -> DeliveryError {
    let number = codes::code_of(error);
    let provider_code = text(&error["code"]).unwrap_or_default();
    let code = number.and_then(codes::verdict).map_or_else(|| ErrorCode::Provider(format!("{}:{provider_code}", crate::whatsapp::ID)), |verdict| verdict.code);
    let message = [&error["error_data"]["details"], &error["message"], &error["title"]].into_iter().find_map(text).unwrap_or_default();
    DeliveryError { code, provider_code, message }
}
