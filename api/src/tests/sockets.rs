//! `/ws`.

use super::{Server, harness::PASSWORD};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, header};
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn listen(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = server.router.clone();
    tokio::spawn(async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await });
    address
}

async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request: Request<()> = format!("ws://{address}/ws").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The next message that is not a ping.
async fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => return json!({ "closed": frame.map(|frame| u16::from(frame.code)) }),
            _ => {}
        }
    }
}

async fn until(socket: &mut Socket, topic: &str) -> Value {
    loop {
        let message = next(socket).await;
        assert!(message.get("closed").is_none(), "{message}");
        if message["topic"] == topic {
            return message;
        }
    }
}

fn status(result: Result<Socket, Error>) -> u16 {
    match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn changes_of_ones_own_organisation_arrive() {
    let server = Server::start().await;
    server.publish().await;
    let (_, stranger) = server.other_organisation().await;
    let address = listen(&server).await;
    let bearer = format!("Bearer {}", server.admin);
    let mut socket = open(address, &[("authorization", &bearer)]).await.unwrap();
    let ready = next(&mut socket).await;
    assert_eq!((&ready["topic"], &ready["data"]["organisation"]), (&json!("ready"), &json!(server.organisation)));
    server.call_as(&stranger, Method::POST, "/api/v1/contacts", json!({ "name": "Theirs" })).await.expect(201);
    let ours = server.post("/api/v1/contacts", json!({ "name": "Ours" })).await.expect(201).json();
    let change = until(&mut socket, "contact").await;
    assert_eq!(change["id"], ours["id"], "the other organisation's change is not seen");
    let run = server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": "A" } })).await.expect(202).json();
    assert_eq!(until(&mut socket, "run").await["id"], run["run_id"]);
    // Only what was asked for.
    socket.send(Message::Text(json!({ "subscribe": ["contact"] }).to_string().into())).await.unwrap();
    assert_eq!(until(&mut socket, "subscribed").await["data"]["topics"], json!(["contact"]));
    server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": "B" } })).await.expect(202);
    server.post("/api/v1/contacts", json!({ "name": "Third" })).await.expect(201);
    assert_eq!(next(&mut socket).await["topic"], "contact");
    socket.send(Message::Text("nonsense".into())).await.unwrap();
    assert_eq!(next(&mut socket).await["topic"], "error");
}

#[tokio::test]
async fn the_first_message_may_say_who_it_is() {
    let server = Server::start().await;
    let address = listen(&server).await;
    let mut socket = open(address, &[]).await.unwrap();
    socket.send(Message::Text(json!({ "token": server.admin }).to_string().into())).await.unwrap();
    assert_eq!(next(&mut socket).await["topic"], "ready");
    for said in [json!({ "token": "onw_wrong" }), json!({ "subscribe": ["run"] }), json!("x")] {
        let mut socket = open(address, &[]).await.unwrap();
        socket.send(Message::Text(said.to_string().into())).await.unwrap();
        assert_eq!(next(&mut socket).await, json!({ "closed": 4401 }), "{said}");
    }
}

#[tokio::test]
async fn a_cookie_opens_a_socket_from_our_own_pages_only() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let address = listen(&server).await;
    let reply = server.call_with(&[], Method::POST, "/api/v1/auth/sign-in", json!({ "email": "meera@example.com", "password": PASSWORD })).await.expect(200);
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(status(open(address, &[("cookie", &cookie)]).await), 403);
    assert_eq!(status(open(address, &[("cookie", &cookie), ("origin", "https://evil.test")]).await), 403);
    assert_eq!(status(open(address, &[("cookie", "onward_session=wrong"), ("origin", &format!("http://{address}"))]).await), 401);
    assert_eq!(status(open(address, &[("authorization", "Bearer onw_wrong")]).await), 401);
    let mut socket = open(address, &[("cookie", &cookie), ("origin", &format!("http://{address}"))]).await.unwrap();
    // Whoever has the app open is online, until the last of their sockets is closed.
    assert_eq!(until(&mut socket, "presence").await["data"], json!({ "online": true }));
    let mut watching = open(address, &[("authorization", &format!("Bearer {}", server.admin))]).await.unwrap();
    assert_eq!(next(&mut watching).await["topic"], "ready");
    assert_eq!(server.get("/api/v1/presence").await.expect(200).items().len(), 1);
    let mut second = open(address, &[("cookie", &cookie), ("origin", &format!("http://{address}"))]).await.unwrap();
    assert_eq!(next(&mut second).await["topic"], "ready");
    second.close(None).await.unwrap();
    socket.close(None).await.unwrap();
    assert_eq!(until(&mut watching, "presence").await["data"], json!({ "online": false }));
    assert!(server.get("/api/v1/presence").await.items().is_empty());
    // Without an upgrade it is a plain problem.
    server.get("/ws").await.problem(400, "no_upgrade");
}
