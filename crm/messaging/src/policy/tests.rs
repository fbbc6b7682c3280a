//! The policy's table.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const DAY: i64 = 24 * 60 * 60 * 1000;

fn wrote_ago(ms: i64) -> AccountFacts {
    AccountFacts { last_inbound_at: Some(NOW.plus_millis(-ms)) }
}

fn free() -> MessageFacts {
    MessageFacts { form: MessageForm::FreeForm, category: None }
}

fn template(category: Option<Category>) -> MessageFacts {
    MessageFacts { form: MessageForm::Template, category }
}

#[test]
fn the_window_closes_at_the_very_millisecond() {
    let never = AccountFacts::default();
    for (channel, account, message, expected) in [
        ("whatsapp", wrote_ago(0), free(), "allow"),
        ("whatsapp", wrote_ago(DAY - 1), free(), "allow"),
        ("whatsapp", wrote_ago(DAY), free(), "need_template"),
        ("whatsapp", wrote_ago(DAY + 1), free(), "need_template"),
        ("whatsapp", never, free(), "need_template"),
        ("whatsapp", never, template(None), "allow"),
        ("whatsapp", wrote_ago(DAY), template(Some(Category::Marketing)), "allow"),
        ("webchat", never, free(), "allow"),
        ("email", never, free(), "allow"),
    ] {
        for author in [AuthorKind::User, AuthorKind::Automation, AuthorKind::Ai] {
            let verdict = decide(channel, account, ContactFacts::default(), message, author, NOW);
            assert_eq!(verdict.word(), expected, "{channel} {account:?} {message:?} {author:?}");
        }
    }
}

#[test]
fn a_refusal_is_honoured_by_channel_category_and_author() {
    let open = wrote_ago(1000);
    let closed = wrote_ago(2 * DAY);
    for (opt_out, account, message, author, expected) in [
        ("whatsapp:all", open, free(), AuthorKind::Automation, "deny"),
        ("whatsapp:all", open, free(), AuthorKind::Ai, "deny"),
        ("whatsapp:all", open, free(), AuthorKind::User, "allow"),
        ("whatsapp:all", open, MessageFacts { category: Some(Category::Marketing), ..free() }, AuthorKind::User, "deny"),
        ("whatsapp:all", closed, free(), AuthorKind::User, "deny"),
        ("whatsapp:all", closed, template(Some(Category::Utility)), AuthorKind::User, "deny"),
        ("whatsapp:marketing", open, free(), AuthorKind::Automation, "allow"),
        ("whatsapp:marketing", open, template(Some(Category::Marketing)), AuthorKind::User, "deny"),
        ("whatsapp:marketing", open, template(None), AuthorKind::Automation, "deny"),
        ("whatsapp:marketing", open, template(Some(Category::Utility)), AuthorKind::Automation, "allow"),
        ("whatsapp:utility", open, template(Some(Category::Utility)), AuthorKind::Automation, "deny"),
        ("email:all", open, free(), AuthorKind::Automation, "allow"),
        ("*:all", open, free(), AuthorKind::Automation, "deny"),
        ("whatsapp:marketing", closed, free(), AuthorKind::Automation, "need_template"),
    ] {
        let opt_outs = [opt_out.to_owned()];
        let verdict = decide("whatsapp", account, ContactFacts { opt_outs: &opt_outs }, message, author, NOW);
        assert_eq!(verdict.word(), expected, "{opt_out} {account:?} {message:?} {author:?}");
    }
}

#[test]
fn every_rule_names_its_source_and_day() {
    for rule in WINDOWS.iter().map(|window| &window.rule).chain([&OPT_OUT]) {
        assert!(!rule.source.is_empty() && rule.text.len() > 20, "{}", rule.id);
        assert!(rule.date.parse::<jiff::civil::Date>().is_ok(), "{}", rule.date);
    }
    let denied = Verdict::Deny { code: "opted_out", rule: &OPT_OUT }.to_value();
    assert_eq!((denied["verdict"].as_str(), denied["code"].as_str(), denied["rule"].as_str()), (Some("deny"), Some("opted_out"), Some("R5")));
    assert!(denied["source_date"].is_string());
}
