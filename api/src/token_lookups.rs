//! API tokens are looked up together: whoever asks while a lookup is under way shares the next one with all others who do.
//!
//! Every request of a program brings its token, and a statement for each of them was a fifth of PostgreSQL's work under load. Nothing is
//! remembered between lookups, so that a revoked token ends at once: a lookup answers only those who asked before it began.

use onward_accounts::tokens::{self, ApiToken, TokenHash};
use onward_database::{DatabaseError, Query};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

type Found = Result<Option<ApiToken>, DatabaseError>;

/// Those who wait for a lookup.
#[derive(Debug, Default)]
pub(crate) struct TokenLookups {
    asked: Mutex<Vec<(TokenHash, oneshot::Sender<Found>)>>,
    /// Held by whoever looks.
    turn: tokio::sync::Mutex<()>,
}

impl TokenLookups {
    /// The live token of a text that someone sent.
    pub(crate) async fn find(&self, db: &mut impl Query, text: &str) -> Found {
        let Some(hash) = tokens::hash_of(text) else { return Ok(None) };
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting(|asked| asked.push((hash, answer)));
            let turn = tokio::select! {
                biased;
                told = &mut answered => match told {
                    Ok(found) => return found,
                    // Whoever looked went away before it knew.
                    Err(_) => continue,
                },
                turn = self.turn.lock() => turn,
            };
            // What follows is dropped before `turn` is, should this request be given up: those who asked then know it first.
            let asked = self.waiting(std::mem::take);
            let hashes: Vec<TokenHash> = asked.iter().map(|(hash, _)| *hash).collect();
            let found = tokens::find(db, &hashes).await;
            for (hash, answer) in asked {
                let own = found.as_ref().map(|found| found.get(&hash).cloned()).map_err(Clone::clone);
                // An error: it asks no more.
                drop(answer.send(own));
            }
            drop(turn);
            // Our own question was among them.
            if let Ok(found) = answered.await {
                return found;
            }
        }
    }

    fn waiting<R>(&self, change: impl FnOnce(&mut Vec<(TokenHash, oneshot::Sender<Found>)>) -> R) -> R {
        // Whole questions only are put in and taken out: a poisoned lock still holds a list of those.
        change(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Server;
    use onward_accounts::Actor;
    use onward_core::{
        async_trait,
        ports::{Lane, write},
    };
    use onward_database::{Args, Reader, Row};
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    /// A reader that counts what it is asked, and looks when it is let.
    struct Held {
        reader: Reader,
        began: Arc<Semaphore>,
        let_go: Arc<Semaphore>,
    }

    #[async_trait]
    impl Query for Held {
        async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
            self.began.add_permits(1);
            self.let_go.acquire().await.unwrap().forget();
            self.reader.fetch_all(sql, args).await
        }
    }

    struct World {
        server: Server,
        lookups: Arc<TokenLookups>,
        began: Arc<Semaphore>,
        let_go: Arc<Semaphore>,
    }

    impl World {
        async fn new() -> Self {
            let (began, let_go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
            Self { server: Server::start().await, lookups: Arc::default(), began, let_go }
        }

        fn ask(&self, text: &str) -> tokio::task::JoinHandle<Found> {
            let (lookups, text) = (Arc::clone(&self.lookups), text.to_owned());
            let mut held = Held { reader: self.server.app.reader(), began: Arc::clone(&self.began), let_go: Arc::clone(&self.let_go) };
            tokio::spawn(async move { lookups.find(&mut held, &text).await })
        }

        async fn begun(&self) {
            self.began.acquire().await.unwrap().forget();
        }

        async fn asked(&self, count: usize) {
            while self.lookups.waiting(|asked| asked.len()) < count {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn who_asks_while_one_looks_shares_the_next_lookup() {
        let world = World::new().await;
        let admin = world.server.admin.clone();
        let first = world.ask(&admin);
        world.begun().await;
        let others: Vec<_> = [admin.as_str(), "onw_unknown", &admin].into_iter().map(|text| world.ask(text)).collect();
        world.asked(3).await;
        let nothing = world.ask("no token").await.unwrap();
        assert_eq!(nothing, Ok(None));
        world.let_go.add_permits(1);
        assert!(first.await.unwrap().unwrap().is_some());
        world.begun().await;
        world.let_go.add_permits(1);
        let mut found = Vec::new();
        for other in others {
            found.push(other.await.unwrap().unwrap().is_some());
        }
        assert_eq!((found, world.began.available_permits()), (vec![true, false, true], 0), "three were answered by one statement");
    }

    #[tokio::test]
    async fn a_lookup_that_began_before_does_not_answer() {
        let world = World::new().await;
        let admin = world.server.admin.clone();
        let first = world.ask(&admin);
        world.begun().await;
        let token = tokens::list(&mut world.server.app.reader(), world.server.organisation).await.unwrap().remove(0);
        let (organisation, id) = (token.organisation, token.id);
        let revoked =
            write(world.server.app.engine(), Lane::Normal, move |tx| Box::pin(async move { tokens::revoke(tx, organisation, &Actor::System, id).await }));
        revoked.await.unwrap().unwrap();
        let after = world.ask(&admin);
        world.asked(1).await;
        world.let_go.add_permits(2);
        first.await.unwrap().unwrap();
        assert_eq!(after.await.unwrap(), Ok(None));
    }

    #[tokio::test]
    async fn who_gives_up_while_looking_leaves_nobody_without_an_answer() {
        let world = World::new().await;
        let admin = world.server.admin.clone();
        let first = world.ask(&admin);
        world.begun().await;
        let second = world.ask(&admin);
        world.asked(1).await;
        let third = world.ask(&admin);
        world.asked(2).await;
        world.let_go.add_permits(1);
        assert!(first.await.unwrap().unwrap().is_some());
        // The second looks now, for itself and for the third.
        world.begun().await;
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        world.let_go.add_permits(1);
        assert!(third.await.unwrap().unwrap().is_some());
    }
}
