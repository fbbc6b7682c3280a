//! Tells those outside what a commit came to: who asked, and who watches.
//!
//! Telling somebody wakes a thread, and each waking is a call of the kernel. The loop that would do that for each of the dozens of
//! messages of a transaction would spend a part of its time on it that shows. So it wakes one task, which tells all of them. Those who
//! watch hear of the commits in their order. A single answer the loop gives itself, which is the shorter way: it may come before what
//! others are told of an earlier commit.

use crate::{
    engine::Shared,
    message::{Answer, Item},
};
use onward_core::ports::{Change, Store, Transaction};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What follows outside from one commit.
struct News<T: Transaction> {
    changes: Vec<Change>,
    answers: Vec<(Item<T>, Answer)>,
    /// Whoever waits until everything before has been told.
    told: Option<oneshot::Sender<()>>,
}

/// The way to the task that tells.
pub(crate) struct Herald<T: Transaction> {
    news: mpsc::UnboundedSender<News<T>>,
}

impl<T: Transaction> Herald<T> {
    /// Starts the task; it ends with the loop.
    pub(crate) fn start<S: Store<Tx = T>>(shared: &Arc<Shared<S>>) -> Self {
        let (news, mut coming) = mpsc::unbounded_channel::<News<T>>();
        let telling = Arc::clone(shared);
        shared.executor.spawn(Box::pin(async move {
            while let Some(News { changes, answers, told }) = coming.recv().await {
                for change in changes {
                    telling.watchers.tell_everywhere(change);
                }
                for (item, answer) in answers {
                    item.answer(answer);
                }
                if let Some(told) = told {
                    // An error: nobody waits any more.
                    told.send(()).ok();
                }
            }
        }));
        Self { news }
    }

    /// Tells what a confirmed commit changed, and answers those who asked for it.
    pub(crate) fn tell(&self, changes: Vec<Change>, mut answers: Vec<(Item<T>, Answer)>) {
        if answers.len() == 1
            && let Some((item, answer)) = answers.pop()
        {
            item.answer(answer);
        }
        if !(changes.is_empty() && answers.is_empty()) {
            self.send(News { changes, answers, told: None });
        }
    }

    /// Waits until everything has been told.
    pub(crate) async fn finish(&self) {
        let (told, all_told) = oneshot::channel();
        self.send(News { changes: Vec::new(), answers: Vec::new(), told: Some(told) });
        // The task ends before the loop only when the process does.
        drop(all_told.await);
    }

    fn send(&self, news: News<T>) {
        // Without the task the process ends: who asked hears that nobody knows.
        drop(self.news.send(news));
    }
}
