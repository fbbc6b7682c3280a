//! Wake-ups between nodes, over the database's own channel.

use onward_core::ports::{BoxFuture, Clock as _, Notice, NoticeKind, Notices, ShardSet, StoreError};
use onward_database::{Database, Listener, SystemClock, Tx};
use std::collections::VecDeque;

/// The channel of all nodes.
const CHANNEL: &str = "onward";
/// Milliseconds until a lost database is listened to again.
const RETRY_MS: i64 = 500;
/// Every kind, with the letter that stands for it.
const KINDS: [(NoticeKind, &str); 4] = [(NoticeKind::Inbox, "i"), (NoticeKind::Leases, "l"), (NoticeKind::Definitions, "d"), (NoticeKind::Replies, "r")];

/// Sends them with the transaction's commit.
pub(crate) async fn send(tx: &mut Tx, notices: &[Notice]) -> Result<(), StoreError> {
    for notice in notices {
        tx.notify(CHANNEL, &text(notice)).await?;
    }
    Ok(())
}

fn text(notice: &Notice) -> String {
    let letter = KINDS.iter().find(|(kind, _)| *kind == notice.kind).map_or("", |(_, letter)| letter);
    format!("{letter}{}", notice.shards.to_hex())
}

/// A text that a newer version sends is nothing that this one knows.
fn parse(text: &str) -> Option<Notice> {
    let (letter, shards) = text.split_at_checked(1)?;
    let (kind, _) = KINDS.iter().find(|(_, known)| *known == letter)?;
    Some(Notice { kind: *kind, shards: ShardSet::parse_hex(shards)? })
}

/// What others send; where some may have been missed, every kind for every shard.
pub(crate) struct Listening {
    database: Database,
    listener: Option<Listener>,
    missed: VecDeque<Notice>,
}

impl Listening {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, listener: None, missed: VecDeque::new() }
    }

    fn miss(&mut self) {
        self.missed = KINDS.iter().map(|(kind, _)| Notice { kind: *kind, shards: ShardSet::ALL }).collect();
    }

    async fn hear(&mut self) -> Notice {
        loop {
            if let Some(notice) = self.missed.pop_front() {
                return notice;
            }
            let heard = match &mut self.listener {
                Some(listener) => listener.next().await,
                None => match self.database.listen(CHANNEL).await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        // What was sent before is looked for.
                        Ok(None)
                    }
                    Err(error) => Err(error),
                },
            };
            match heard {
                Ok(Some(text)) => {
                    if let Some(notice) = parse(&text) {
                        return notice;
                    }
                }
                Ok(None) => self.miss(),
                Err(error) => {
                    tracing::debug!(%error, "other nodes cannot be heard; trying again");
                    self.listener = None;
                    let clock = SystemClock::new();
                    clock.sleep_until(clock.now().plus_millis(RETRY_MS)).await;
                }
            }
        }
    }
}

impl Notices for Listening {
    fn next(&mut self) -> BoxFuture<'_, Notice> {
        Box::pin(self.hear())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::Shard;

    #[test]
    fn a_notice_survives_its_text() {
        for (kind, _) in KINDS {
            let notice = Notice { kind, shards: [Shard(3), Shard(200)].into_iter().collect() };
            assert_eq!(parse(&text(&notice)), Some(notice));
        }
        assert_eq!(parse("x00"), None);
        assert_eq!(parse(""), None);
    }
}
