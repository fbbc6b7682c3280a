//! What stands between somebody and their database, and may let nothing through.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What is let through.
#[derive(Clone, Copy, Debug)]
struct Passing {
    open: bool,
    /// Connections with a smaller number are deaf for good, and are told nothing of it.
    from: u64,
}

/// A proxy before a PostgreSQL. Closed, it loses nothing and passes nothing on: neither side hears anything, as when packets get lost
/// between them. New connections are taken and hear nothing either.
#[derive(Debug)]
pub struct Partition {
    url: String,
    passing: watch::Sender<Passing>,
    accepted: Arc<AtomicU64>,
}

impl Partition {
    /// An open one before the database of this URL.
    pub async fn before(url: &str) -> Self {
        let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host in the URL").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let passing = watch::Sender::new(Passing { open: true, from: 0 });
        let accepted = Arc::new(AtomicU64::new(0));
        let this = Self { url: url.replace(&host, &address.to_string()), passing: passing.clone(), accepted: Arc::clone(&accepted) };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(pass(near, host.clone(), passing.subscribe(), number));
            }
        });
        this
    }

    /// The database's URL behind it.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Nothing passes.
    pub fn close(&self) {
        self.passing.send_modify(|passing| passing.open = false);
    }
    /// Everything passes, and what was held back goes on.
    pub fn open(&self) {
        self.passing.send_modify(|passing| passing.open = true);
    }
    /// New connections pass; those from before hear nothing any more, as when a router between has forgotten them.
    pub fn open_to_new_ones(&self) {
        let from = self.accepted.load(Ordering::SeqCst);
        self.passing.send_modify(|passing| *passing = Passing { open: true, from });
    }
    /// How many connections were made through it.
    pub fn connections(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn pass(near: TcpStream, host: String, mut passing: watch::Receiver<Passing>, number: u64) {
    if !may_pass(&mut passing, number).await {
        return deaf(near).await;
    }
    let Ok(far) = TcpStream::connect(host).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::spawn(pass_on(near_in, far_out, passing.clone(), number));
    pass_on(far_in, near_out, passing, number).await;
}

/// Waits until this connection may pass something on; `false`: never again.
async fn may_pass(passing: &mut watch::Receiver<Passing>, number: u64) -> bool {
    passing.wait_for(|passing| passing.open || passing.from > number).await.is_ok_and(|passing| passing.from <= number)
}

async fn pass_on(mut from: OwnedReadHalf, mut into: OwnedWriteHalf, mut passing: watch::Receiver<Passing>, number: u64) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await;
        if !may_pass(&mut passing, number).await {
            return deaf((from, into)).await;
        }
        match read {
            Ok(length @ 1..) if into.write_all(&buffer[..length]).await.is_ok() => {}
            _ => return,
        }
    }
}

/// Keeps a connection open on which nothing comes any more.
async fn deaf<T>(connection: T) {
    std::future::pending::<()>().await;
    drop(connection);
}
