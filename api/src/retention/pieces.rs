//! Pieces: as much as the low lane takes in a few milliseconds, measured and not guessed.

use super::RoundError;
use crate::App;
use onward_core::{
    OrganisationId,
    ports::{self, BoxFuture, Lane},
};
use onward_database::{DatabaseError, Tx};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Milliseconds that a piece may take; from then on the next one is half as large.
const LONGEST_MS: i64 = 3;
/// Rows of the first piece, the smallest and the largest.
const FIRST: usize = 100;
const LEAST: usize = 4;
const MOST: usize = 500;

/// Writes in pieces, for one organisation.
pub(super) struct Pieces<'a> {
    pub(super) app: &'a App,
    pub(super) organisation: OrganisationId,
    stop: &'a (dyn Fn() -> bool + Sync),
    rows: usize,
    /// Pieces that wrote something.
    pub(super) written: u64,
    /// Rows of the largest of them.
    pub(super) largest: u64,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(app: &'a App, organisation: OrganisationId, stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { app, organisation, stop, rows: FIRST, written: 0, largest: 0 }
    }

    /// Nothing more is to be begun.
    pub(super) fn stopped(&self) -> bool {
        (self.stop)()
    }

    /// Repeats a write with as many rows as fit, until it finds none; how many rows it wrote.
    pub(super) async fn repeat(
        &mut self,
        piece: impl for<'t> Fn(&'t mut Tx, OrganisationId, usize) -> BoxFuture<'t, Result<u64, DatabaseError>> + Clone + Send + Sync + 'static,
    ) -> Result<u64, RoundError> {
        let mut gone = 0;
        while !self.stopped() {
            let (piece, organisation, rows) = (piece.clone(), self.organisation, self.rows);
            let went = self.write(move |tx| piece(tx, organisation, rows)).await?;
            gone += went;
            if went == 0 {
                break;
            }
        }
        Ok(gone)
    }

    /// Writes something for all of these, as many at a time as fit; how many rows it wrote.
    pub(super) async fn each<T: Send + Sync + 'static>(
        &mut self,
        all: Vec<T>,
        piece: impl for<'t> Fn(&'t mut Tx, OrganisationId, Arc<Vec<T>>) -> BoxFuture<'t, Result<u64, DatabaseError>> + Clone + Send + Sync + 'static,
    ) -> Result<u64, RoundError> {
        let (mut all, mut gone) = (all.into_iter(), 0);
        while !self.stopped() {
            let some: Arc<Vec<T>> = Arc::new(all.by_ref().take(self.rows).collect());
            if some.is_empty() {
                break;
            }
            let (piece, organisation) = (piece.clone(), self.organisation);
            gone += self.write(move |tx| piece(tx, organisation, Arc::clone(&some))).await?;
        }
        Ok(gone)
    }

    async fn write(
        &mut self,
        piece: impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<u64, DatabaseError>> + Send + Sync + 'static,
    ) -> Result<u64, RoundError> {
        let (took, clock) = (Arc::new(AtomicI64::new(0)), Arc::clone(&self.app.parts.clock));
        let (piece, measured) = (Arc::new(piece), Arc::clone(&took));
        let went = ports::write(self.app.engine(), Lane::Low, move |tx: &mut Tx| {
            let (piece, measured, clock) = (Arc::clone(&piece), Arc::clone(&measured), Arc::clone(&clock));
            Box::pin(async move {
                let began = clock.now();
                let went = piece(tx).await;
                measured.store(clock.now().millis_since(began), Ordering::Relaxed);
                went
            })
        })
        .await??;
        self.written += u64::from(went > 0);
        self.largest = self.largest.max(went);
        self.rows = match took.load(Ordering::Relaxed) {
            LONGEST_MS.. => (self.rows / 2).max(LEAST),
            ..=1 => (self.rows + self.rows / 4).min(MOST),
            _ => self.rows,
        };
        Ok(went)
    }
}
