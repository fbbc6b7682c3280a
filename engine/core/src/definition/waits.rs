//! Waiting: `wait_for`, the rules of `exit_on` and goals, and `delay`.

use super::{
    Delay, Goal, Match, OpenHours, Since, Until, UntilPhrase, Verb, WaitRule, Zone,
    compiler::Compiler,
    fields,
    names::Standing,
    span,
    tree::{Node, Tree},
};
use crate::{
    Timestamp, Value,
    expression::{Template, moment},
    limits,
};
use std::sync::Arc;

/// The name of a single wait.
const SINGLE: &str = "event";
/// Days of the week as written, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Compiler<'_> {
    pub(super) fn wait_for(&mut self, tree: &Tree, number: usize) -> Option<Verb> {
        let entries = fields::map(&mut self.problems, tree, "wait_for")?;
        let since = tree.get("since").map_or(Some(Since::Preceding), |tree| self.since(tree, number));
        let Some(any) = tree.get("any") else {
            fields::refuse_unknown(&mut self.problems, entries, &["event", "match", "if", "since", "any"], "wait_for");
            let rule = self.wait_rule(tree, Standing::Step(number), Standing::Arriving(number))?;
            return Some(Verb::WaitFor { waits: vec![(SINGLE.to_owned(), rule)], single: true, since: since? });
        };
        fields::refuse_unknown(&mut self.problems, entries, &["any", "since"], "wait_for with any");
        let named = fields::map(&mut self.problems, any, "any")?;
        if named.is_empty() {
            self.problems.error(&any.place, "bad_value", "`any` names no wait".into());
        }
        let mut waits = Vec::with_capacity(named.len());
        for (key, rule) in named {
            if !super::workflow::is_name(&key.text) {
                self.problems.error(&key.place, "bad_name", format!("the wait \"{}\" must be named with letters, digits and `_`", key.text));
            }
            let Some(entries) = fields::map(&mut self.problems, rule, &key.text) else { continue };
            fields::refuse_unknown(&mut self.problems, entries, &["event", "match", "if"], "a wait");
            if let Some(rule) = self.wait_rule(rule, Standing::Step(number), Standing::Arriving(number)) {
                waits.push((key.text.clone(), rule));
            }
        }
        Some(Verb::WaitFor { waits, single: false, since: since? })
    }

    fn since(&mut self, tree: &Tree, number: usize) -> Option<Since> {
        let text = fields::text(&mut self.problems, tree, "since")?;
        if text == "run" {
            return Some(Since::Run);
        }
        self.names.note_step(text, &tree.place, Standing::Step(number));
        Some(Since::Step(Arc::from(text)))
    }

    /// `event`, `match` and `if`.
    pub(super) fn wait_rule(&mut self, tree: &Tree, standing: Standing, arriving: Standing) -> Option<WaitRule> {
        let event = self.required(tree, "event", "a wait").and_then(|tree| self.event_type(tree));
        let condition = tree.get("if").map(|tree| self.condition(tree, arriving));
        let matching = if let Some(tree) = tree.get("match") {
            self.matching(tree, standing)
        } else {
            let message = "`match` is missing: write `match: contact` (the event's contact is the run's), `match: { path.in.data: value }`, or `match: any` \
                           when really every such event counts";
            self.problems.error(&tree.place, "missing_match", message.to_owned());
            None
        };
        Some(WaitRule { event: event?, matching: matching?, condition: condition.map_or(Some(None), |condition| condition.map(Some))? })
    }

    fn matching(&mut self, tree: &Tree, standing: Standing) -> Option<Match> {
        if let Some(word) = tree.text() {
            return Some(match word {
                "contact" => Match::Contact,
                "any" => Match::Any,
                _ => {
                    let message = format!("`match` is contact, any, or a map such as {{ order_id: \"{{{{ … }}}}\" }}, not \"{word}\"");
                    self.problems.wrong_name(&tree.place, "bad_match", &message, word, ["contact", "any"]);
                    return None;
                }
            });
        }
        let entries = fields::map(&mut self.problems, tree, "match")?;
        if entries.is_empty() || entries.len() > limits::MATCH_PATHS {
            self.problems.error(&tree.place, "bad_match", format!("`match` compares one to {} paths; put more into `if`", limits::MATCH_PATHS));
            return None;
        }
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if !is_path(&key.text) {
                let message = format!("\"{}\" is no path in the event's data; write names with points, such as order.id", key.text);
                self.problems.error(&key.place, "bad_match", message);
                continue;
            }
            if let Some(rest) =
                key.text.strip_prefix("event.data.").or_else(|| key.text.strip_prefix("incoming.data.")).or_else(|| key.text.strip_prefix("data."))
            {
                let message = format!("paths of `match` begin within the event's data: write {rest} if that is meant");
                self.problems.warning(&key.place, "bad_match", message);
            }
            let never = match &value.node {
                Node::Null => true,
                Node::Text { text, .. } => text.is_empty(),
                _ => false,
            };
            if never {
                self.problems.error(&value.place, "bad_match", format!("`{}` is compared with nothing, which never matches", key.text));
                continue;
            }
            if matches!(value.node, Node::List(_) | Node::Map(_)) {
                fields::wrong_type(&mut self.problems, value, &key.text, "a text, a number, true or false, or an expression in braces");
                continue;
            }
            if let Some(template) = self.template(value, standing) {
                values.push((key.text.clone(), template));
            }
        }
        values.sort_by(|a, b| a.0.cmp(&b.0));
        Some(Match::Values(values))
    }

    pub(super) fn goal(&mut self, tree: &Tree, number: usize) -> Option<Goal> {
        let entries = fields::map(&mut self.problems, tree, "goal")?;
        fields::refuse_unknown(&mut self.problems, entries, &["event", "match", "if", "within"], "a goal");
        let within = tree.get("within").and_then(|tree| fields::span(&mut self.problems, tree, "within"));
        let rule = self.wait_rule(tree, Standing::Step(number), Standing::Arriving(number))?;
        Some(Goal { rule, within })
    }

    pub(super) fn delay(&mut self, tree: &Tree, number: usize) -> Option<Verb> {
        let mut delay = Delay { length: None, until: None, offset: None, timezone: None, within: None };
        let Some(entries) = tree.map() else {
            delay.length = Some(self.length(tree, "delay", number)?);
            return Some(Verb::Delay(delay));
        };
        fields::refuse_unknown(&mut self.problems, entries, &["for", "until", "offset", "timezone", "within", "counting"], "delay");
        match (tree.get("for"), tree.get("until")) {
            (Some(length), None) => delay.length = Some(self.counted_length(tree, length, "for", number)?),
            (None, Some(until)) => delay.until = Some(self.until(until, number)?),
            (Some(_), Some(until)) => {
                self.problems.error(&until.place, "bad_delay", "a delay has `for` or `until`, not both".into());
                return None;
            }
            (None, None) => {
                self.problems.error(&tree.place, "missing_field", "a delay needs `for` or `until`".into());
                return None;
            }
        }
        if let (Some(counting), None) = (tree.get("counting"), tree.get("for")) {
            self.problems.error(&counting.place, "bad_delay", "`counting` says what of `for` counts; with `until` say `within: business_hours`".into());
        }
        if let Some(offset) = tree.get("offset") {
            if delay.until.is_none() {
                self.problems.error(&offset.place, "bad_delay", "`offset` moves `until`; add it to `for` instead".into());
            }
            delay.offset = fields::offset(&mut self.problems, offset, "offset");
        }
        delay.timezone = tree.get("timezone").and_then(|tree| self.zone(tree));
        delay.within = tree.get("within").and_then(|tree| self.open_hours(tree));
        Some(Verb::Delay(delay))
    }

    fn until(&mut self, tree: &Tree, number: usize) -> Option<Until> {
        let text = fields::text(&mut self.problems, tree, "until")?;
        if text.contains("{{") || text.contains("{%") {
            return self.template(tree, Standing::Step(number)).map(Until::Rendered);
        }
        if text.trim().parse::<Timestamp>().is_ok() {
            return Some(Until::Rendered(Template::literal(Value::String(text.trim().to_owned()))));
        }
        match UntilPhrase::parse(text) {
            Ok(phrase) => Some(Until::Phrase(phrase)),
            Err(message) => {
                self.problems.error(&tree.place, "bad_moment", message);
                None
            }
        }
    }

    pub(super) fn zone(&mut self, tree: &Tree) -> Option<Zone> {
        let name = fields::text(&mut self.problems, tree, "timezone")?;
        if name == "contact" {
            return Some(Zone::Contact);
        }
        if moment::zone(name).is_ok() {
            return Some(Zone::Named(name.to_owned()));
        }
        let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
        let message = format!("there is no time zone \"{name}\"; write `contact` or a name such as Asia/Kolkata");
        self.problems.wrong_name(&tree.place, "bad_zone", &message, name, known.iter().map(String::as_str));
        None
    }

    fn open_hours(&mut self, tree: &Tree) -> Option<OpenHours> {
        if tree.text().is_some() {
            return fields::word(&mut self.problems, tree, "within", &["business_hours"]).map(|_| OpenHours::Organisation);
        }
        let entries = fields::map(&mut self.problems, tree, "within")?;
        fields::refuse_unknown(&mut self.problems, entries, &["days", "from", "to"], "within");
        let days = self.required(tree, "days", "within").and_then(|tree| self.days(tree));
        let from = self.required(tree, "from", "within").and_then(|tree| self.time_of_day(tree, "from"));
        let to = self.required(tree, "to", "within").and_then(|tree| self.time_of_day(tree, "to"));
        let (days, from, to) = (days?, from?, to?);
        if from >= to {
            self.problems.error(&tree.place, "bad_value", "`from` must lie before `to` on the same day".into());
            return None;
        }
        Some(OpenHours::Days { days, from, to })
    }

    fn time_of_day(&mut self, tree: &Tree, name: &str) -> Option<jiff::civil::Time> {
        let text = fields::text(&mut self.problems, tree, name)?;
        let time = span::time_of_day(text);
        if time.is_none() {
            self.problems.error(&tree.place, "bad_moment", format!("`{name}` must be a time of day such as \"09:00\""));
        }
        time
    }

    /// `mon-fri`, `sat`, or a list of these.
    fn days(&mut self, tree: &Tree) -> Option<[bool; 7]> {
        let mut days = [false; 7];
        let parts: Vec<&Tree> = tree.list().map_or_else(|| vec![tree], |items| items.iter().collect());
        for part in parts {
            let text = fields::text(&mut self.problems, part, "days")?;
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (Some(first), Some(last)) = (day(first.trim()), day(last.trim())) else {
                self.problems.error(&part.place, "bad_value", format!("\"{text}\" is no day of the week; write mon, or mon-fri, of {}", DAYS.join(", ")));
                return None;
            };
            let mut at = first;
            days[at] = true;
            while at != last {
                at = (at + 1) % 7;
                days[at] = true;
            }
        }
        if !days.contains(&true) {
            self.problems.error(&tree.place, "bad_value", "`days` names no day".into());
            return None;
        }
        Some(days)
    }
}

fn day(name: &str) -> Option<usize> {
    span::weekday(name).map(|day| usize::from(day.to_monday_zero_offset().unsigned_abs()))
}

/// Names with points between them.
fn is_path(text: &str) -> bool {
    text.len() <= 200 && text.split('.').all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte)))
}
