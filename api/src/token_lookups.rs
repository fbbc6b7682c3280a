//! API tokens are looked up together: whoever asks while a lookup is under way shares the next one with all others who do.
//!
//! Every request of a program brings its token, and a statement for each of them was a fifth of PostgreSQL's work under load. Nothing is
//! remembered between lookups, so that a revoked token ends at once: a lookup answers only those who asked before it began. Two may be
//! under way, and more once these take long: one whose connection was cut, which takes a while to be noticed, holds nobody up who comes
//! after it.

use futures_util::FutureExt as _;
use onward_accounts::tokens::{self, ApiToken, TokenHash};
use onward_database::{DatabaseError, Query};
use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
};
use tokio::sync::{Semaphore, oneshot};

type Found = Result<Option<ApiToken>, DatabaseError>;

/// Lookups at once.
const TURNS: usize = 2;
/// Milliseconds after which a lookup counts no more as one of these.
pub(crate) const PATIENCE_MS: i64 = 1_000;

/// Those who wait for a lookup.
#[derive(Debug)]
pub(crate) struct TokenLookups {
    asked: Mutex<Vec<(TokenHash, oneshot::Sender<Found>)>>,
    /// One for each who looks.
    turns: Semaphore,
}

impl Default for TokenLookups {
    fn default() -> Self {
        Self { asked: Mutex::default(), turns: Semaphore::new(TURNS) }
    }
}

impl TokenLookups {
    /// The live token of a text that someone sent. `patience` ends when a lookup takes long.
    pub(crate) async fn find(&self, db: &mut impl Query, text: &str, patience: impl Future<Output = ()>) -> Found {
        let Some(hash) = tokens::hash_of(text) else { return Ok(None) };
        let mut patience = pin!(patience.fuse());
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting(|asked| asked.push((hash, answer)));
            let mut turn = Some(tokio::select! {
                biased;
                told = &mut answered => match told {
                    Ok(found) => return found,
                    // Whoever looked went away before it knew.
                    Err(_) => continue,
                },
                turn = self.turns.acquire() => turn,
            });
            // What follows is dropped before `turn` is, should this request be given up: those who asked then know it first.
            let asked = self.waiting(std::mem::take);
            if !asked.is_empty() {
                let hashes: Vec<TokenHash> = asked.iter().map(|(hash, _)| *hash).collect();
                let mut looking = pin!(tokens::find(db, &hashes));
                let found = tokio::select! {
                    biased;
                    found = &mut looking => found,
                    () = &mut patience => {
                        turn = None;
                        looking.await
                    }
                };
                for (hash, answer) in asked {
                    let own = found.as_ref().map(|found| found.get(&hash).cloned()).map_err(Clone::clone);
                    // An error: it asks no more.
                    drop(answer.send(own));
                }
            }
            drop(turn);
            // Our own question was among them, or with whoever looked at the same time.
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
    use std::{future::pending, sync::Arc};
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
            tokio::spawn(async move { lookups.find(&mut held, &text, pending()).await })
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
    async fn who_asks_while_all_turns_are_taken_shares_the_next_lookup() {
        let world = World::new().await;
        let admin = world.server.admin.clone();
        let mut firsts = Vec::new();
        for _ in 0..TURNS {
            firsts.push(world.ask(&admin));
            world.begun().await;
        }
        let others: Vec<_> = [admin.as_str(), "onw_unknown", &admin].into_iter().map(|text| world.ask(text)).collect();
        world.asked(3).await;
        assert_eq!(world.ask("no token").await.unwrap(), Ok(None));
        world.let_go.add_permits(TURNS);
        for first in firsts {
            assert!(first.await.unwrap().unwrap().is_some());
        }
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
        let mut firsts = Vec::new();
        for _ in 0..TURNS {
            firsts.push(world.ask(&admin));
            world.begun().await;
        }
        let token = tokens::list(&mut world.server.app.reader(), world.server.organisation).await.unwrap().remove(0);
        let (organisation, id) = (token.organisation, token.id);
        let revoked =
            write(world.server.app.engine(), Lane::Normal, move |tx| Box::pin(async move { tokens::revoke(tx, organisation, &Actor::System, id).await }));
        revoked.await.unwrap().unwrap();
        let after = world.ask(&admin);
        world.asked(1).await;
        world.let_go.add_permits(TURNS + 1);
        for first in firsts {
            first.await.unwrap().unwrap();
        }
        assert_eq!(after.await.unwrap(), Ok(None));
    }

    #[tokio::test]
    async fn lookups_that_take_long_hold_nobody_up_who_comes_later() {
        let world = World::new().await;
        let admin = world.server.admin.clone();
        let impatience = Arc::new(Semaphore::new(0));
        let mut stalled = Vec::new();
        for _ in 0..TURNS {
            let (lookups, text, impatient) = (Arc::clone(&world.lookups), admin.clone(), Arc::clone(&impatience));
            let mut held = Held { reader: world.server.app.reader(), began: Arc::clone(&world.began), let_go: Arc::clone(&world.let_go) };
            let patience = async move { impatient.acquire().await.unwrap().forget() };
            stalled.push(tokio::spawn(async move { lookups.find(&mut held, &text, patience).await }));
            world.begun().await;
        }
        let (lookups, mut reader, text) = (Arc::clone(&world.lookups), world.server.app.reader(), admin.clone());
        let later = tokio::spawn(async move { lookups.find(&mut reader, &text, pending()).await });
        world.asked(1).await;
        impatience.add_permits(1);
        assert!(later.await.unwrap().unwrap().is_some());
        assert!(stalled.iter().all(|stalled| !stalled.is_finished()));
        world.let_go.add_permits(TURNS);
        for one in stalled {
            assert!(one.await.unwrap().unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn who_gives_up_while_looking_leaves_nobody_without_an_answer() {
        let world = World::new().await;
        let admin = world.server.admin.clone();
        // All turns but one are taken for good.
        let mut stalled = Vec::new();
        for _ in 1..TURNS {
            stalled.push(world.ask(&admin));
            world.begun().await;
        }
        let first = world.ask(&admin);
        world.begun().await;
        let second = world.ask(&admin);
        world.asked(1).await;
        let third = world.ask(&admin);
        world.asked(2).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        // The second looks now, for itself and for the third.
        world.begun().await;
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        world.begun().await;
        world.let_go.add_permits(TURNS);
        assert!(third.await.unwrap().unwrap().is_some());
        for other in stalled {
            assert!(other.await.unwrap().unwrap().is_some());
        }
    }
}
