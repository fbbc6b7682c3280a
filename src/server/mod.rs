//! `onward serve`: listens, serves until it is told to stop, and stops in order.

mod background;
pub(crate) mod control_socket;
mod metrics;
mod relay;
mod stopping;
mod watching;

use crate::{
    cli::{Failure, print_json},
    demonstration::{self, Demonstration},
    terminal, traces,
    wiring::{self, Rooms, Settings},
};
use axum::{Router, extract::connect_info::IntoMakeServiceWithConnectInfo, serve::ListenerExt as _};
use background::Background;
use control_socket::SocketPath;
use onward_core::ports::{Clock as _, NodeRole};
use onward_database::{SystemClock, without_password};
use onward_runtime::Duty;
use relay::Relay;
use serde_json::json;
use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};
use stopping::Stopping;
use tokio::net::TcpListener;

/// Milliseconds that open connections get to end when the server stops; web sockets never end by themselves.
const DRAIN_MS: i64 = 10_000;

/// How the server is started.
pub(crate) struct Options {
    /// The database's URL.
    pub(crate) database: String,
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// What this process does.
    pub(crate) role: NodeRole,
    /// With the demonstration.
    pub(crate) demo: bool,
    /// The address that others see.
    pub(crate) public_url: Option<String>,
    /// Let outgoing calls reach private addresses.
    pub(crate) allow_private_urls: bool,
    /// Say what is served as a JSON document.
    pub(crate) json: bool,
    /// Where runs are written before they are forgotten.
    pub(crate) archive_folder: Option<PathBuf>,
    /// Scheduled backups.
    pub(crate) backups: Option<Backups>,
    /// From which size of the database on somebody wants to know; 0: none.
    pub(crate) alarm_bytes: u64,
}

/// Backups that are made now and then.
pub(crate) struct Backups {
    /// Where they go.
    pub(crate) folder: PathBuf,
    /// Milliseconds between two.
    pub(crate) every_ms: i64,
    /// How many are kept.
    pub(crate) keep: usize,
}

/// Serves until a signal says stop.
pub(crate) async fn serve(options: Options) -> Result<(), Failure> {
    let stopping = Stopping::watch()?;
    let listener = listen(options.listen).await?;
    let address = listener.local_addr().map_err(|error| Failure::because("the address that is listened on cannot be read", &error))?;
    let local_url = format!("http://{}", reachable(address));
    let demonstration = if options.demo { Some(Demonstration::prepare().await?) } else { None };
    let metrics = metrics::start()?;
    let traces = traces::export()?;
    let rooms = wiring::open(&Settings {
        database: options.database.clone(),
        secret_key: wiring::secret_key(),
        allow_private: match &demonstration {
            Some(demonstration) if !options.allow_private_urls => demonstration.allow_private(),
            _ => wiring::allow_private(options.allow_private_urls),
        },
        public_url: options.public_url.clone().unwrap_or_else(|| local_url.clone()),
        clock: None,
        knows_things: true,
        duty: Duty::Server,
        role: options.role,
        about: format!("http://{}", known_as(address)),
        metrics: metrics.render(),
        sandbox: demonstration.as_ref().map(Demonstration::url),
    })
    .await?;
    metrics.watch(rooms.app().clone(), rooms.database().clone(), options.alarm_bytes);
    let relay = Relay::start(&rooms);
    let background = Background::start(&rooms, &options).await?;
    let due = tokio::spawn(watching::watch_due(rooms.app().clone()));
    let served = serve_rooms(&options, &rooms, listener, &local_url, demonstration, stopping).await;
    tracing::info!("stopping: calls in flight end first");
    due.abort();
    drop(relay);
    background.stop().await;
    rooms.close().await;
    tracing::info!("stopped");
    if let Some(traces) = traces {
        traces.end().await;
    }
    served
}

async fn serve_rooms(
    options: &Options,
    rooms: &Rooms,
    listener: TcpListener,
    local_url: &str,
    demonstration: Option<Demonstration>,
    stopping: Stopping,
) -> Result<(), Failure> {
    let public = tokio::spawn(serve_public(listener, rooms.router(), stopping.clone()));
    let socket = rooms.database().path().map(SocketPath::beside);
    let local = match &socket {
        Some(path) => {
            let listening = path.listen().map_err(|error| Failure::because(format!("the socket {} cannot be made", path.path().display()), &error))?;
            let (listener, remove) = listening.split();
            let (router, stopping) = (rooms.local_router(), stopping.clone());
            Some(tokio::spawn(async move {
                let served = axum::serve(listener, router.into_make_service()).with_graceful_shutdown(stopping.wait()).await;
                drop(remove);
                served
            }))
        }
        None => None,
    };
    let running = match demonstration {
        Some(demonstration) => Some(demonstration.begin(rooms, &options.database, local_url).await?),
        None => None,
    };
    let invitation = onward_api::invitation(rooms.app()).await.map_err(|error| Failure::because("the users cannot be read", &error))?;
    if options.json {
        print_json(&json!({
            "url": local_url, "database": without_password(&options.database), "process": std::process::id(),
            "demo": running.as_ref().map(demonstration::Running::document), "set_up_url": invitation,
        }));
    } else {
        let text = match (&running, invitation) {
            (Some(running), _) => running.text(),
            (None, Some(invitation)) => format!("\nNobody can sign in yet. Open this in a browser to make the first user:\n  {invitation}\n"),
            (None, None) => String::new(),
        };
        terminal::print(&format!("Onward serves {local_url}  (database {}, process {})\n{text}", without_password(&options.database), std::process::id()));
    }
    stopping.clone().wait().await;
    let clock = SystemClock::new();
    let ended = async {
        let public = public.await;
        if let Some(local) = local {
            let _ = local.await;
        }
        public
    };
    tokio::select! {
        ended = ended => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::because("serving failed", &error)),
            Err(error) => Err(Failure::because("serving failed", &error)),
        },
        () = clock.sleep_until(clock.now().plus_millis(DRAIN_MS)) => {
            tracing::warn!("connections that did not end in time are closed");
            Ok(())
        }
    }
}

async fn serve_public(listener: TcpListener, router: Router, stopping: Stopping) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // An answer waits for nothing; where it cannot be set, answers are only slower.
        let _ = stream.set_nodelay(true);
    });
    let service: IntoMakeServiceWithConnectInfo<Router, SocketAddr> = router.into_make_service_with_connect_info();
    axum::serve(listener, service).with_graceful_shutdown(stopping.wait()).await
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::new(format!(
            "{address} is in use by another program; choose another address with --listen, or --listen {}:0 for any free port",
            address.ip()
        )),
        _ => Failure::because(format!("cannot listen on {address}"), &error),
    })
}

/// What tells this server from others, in lists of nodes: every one in a container listens on all addresses, at the same port.
fn known_as(address: SocketAddr) -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if address.ip().is_unspecified() && !name.is_empty() { format!("{name}:{}", address.port()) } else { address.to_string() }
}

/// An address that a browser on this machine reaches: "all addresses" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_known_by_its_machine() {
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(known_as(SocketAddr::from(([10, 0, 0, 7], 8080))), "10.0.0.7:8080");
        assert_eq!(known_as(SocketAddr::from(([127, 0, 0, 1], 8080))), "127.0.0.1:8080");
        assert_eq!(known_as(SocketAddr::from(([0, 0, 0, 0], 8080))), format!("{own}:8080"));
        assert!(!own.is_empty(), "a machine has a name");
    }
}
