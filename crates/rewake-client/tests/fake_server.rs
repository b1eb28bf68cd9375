//! The client against servers that behave, and against those that do not.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rewake_client::{Client, ClientError, Home};
use rewake_wire::{
    Call, ClientFrame, Decoder, ErrorCode, ErrorReply, Event, Hello, PROTOCOL, ProcessEvent, ProcessEventKind, Reply,
    Request, ServerFrame, Subscribe, Welcome, encode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// Longer than anything here takes, shorter than anybody's patience.
const BOUND: Duration = Duration::from_secs(60);

struct Fake {
    _folder: tempfile::TempDir,
    home: Home,
    listener: UnixListener,
}

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let listener = UnixListener::bind(home.socket()).unwrap();
        Self { _folder: folder, home, listener }
    }

    /// A connected client, and the server's end after the handshake.
    async fn connected(&self) -> (Client, Peer) {
        let (client, peer) = tokio::join!(Client::connect(&self.home), self.accept());
        (client.unwrap(), peer)
    }

    async fn accept(&self) -> Peer {
        let mut peer = self.accept_silent().await;
        let hello: Hello = peer.read().await.unwrap();
        assert_eq!(hello, Hello::ours());
        peer.send(&welcome(PROTOCOL)).await;
        peer
    }

    async fn accept_silent(&self) -> Peer {
        Peer { stream: self.listener.accept().await.unwrap().0, decoder: Decoder::default() }
    }
}

struct Peer {
    stream: UnixStream,
    decoder: Decoder,
}

impl Peer {
    /// The next frame; `None` at the end of the connection.
    async fn read<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await.unwrap() {
                0 => return None,
                count => self.decoder.push(&buffer[..count]),
            }
        }
    }

    async fn call(&mut self) -> (u64, Call) {
        let frame: ClientFrame = self.read().await.unwrap();
        (frame.id, frame.call)
    }

    async fn send<T: serde::Serialize>(&mut self, frame: &T) {
        self.stream.write_all(&encode(frame).unwrap()).await.unwrap();
    }

    async fn reply(&mut self, id: u64, reply: Reply) {
        self.send(&ServerFrame::Reply { id, reply: Box::new(reply) }).await;
    }
}

fn welcome(protocol: u32) -> Welcome {
    Welcome { protocol, version: "0.1.0".into(), pid: 1, keeper_pid: 2, home: "/h".into() }
}

fn event(id: u32) -> Event {
    Event::Process(ProcessEvent {
        event: ProcessEventKind::Start,
        manually: true,
        at_ms: 0,
        id,
        name: "web".into(),
        namespace: "default".into(),
        run: None,
        pid: None,
        exit: None,
    })
}

async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, work).await.expect("not done within the bound")
}

fn code(result: Result<Reply, ClientError>) -> ErrorCode {
    result.expect_err("an answer where an error was due").to_reply().code
}

#[tokio::test]
async fn no_socket_and_a_stale_socket_mean_that_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    assert!(Client::connect(&home).await.unwrap_err().is_nobody_listening());
    drop(UnixListener::bind(home.socket()).unwrap());
    assert!(home.socket().exists());
    let error = Client::connect(&home).await.unwrap_err();
    assert!(error.is_nobody_listening());
    assert_eq!(error.to_reply().code, ErrorCode::Unreachable);
}

#[tokio::test]
async fn a_home_that_is_a_file_is_told_when_a_daemon_is_to_start_there() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("file");
    std::fs::write(&path, "").unwrap();
    let home = Home::at(&path).unwrap();
    assert!(Client::connect(&home).await.unwrap_err().is_nobody_listening());
    let reply = Client::connect_or_start(&home, &folder.path().join("rewake")).await.unwrap_err().to_reply();
    assert!(reply.message.contains("not a folder") && reply.hint.is_some(), "{reply:?}");
}

#[tokio::test]
async fn another_protocol_is_refused_whatever_else_its_greeting_holds() {
    for (protocol, older) in [(PROTOCOL - 1, "daemon is older"), (PROTOCOL + 1, "program is older")] {
        let fake = Fake::new();
        let serve = async {
            let mut peer = fake.accept_silent().await;
            let _: Option<Hello> = peer.read().await;
            peer.send(&serde_json::json!({"protocol": protocol, "version": "7.7.7", "new": [1]})).await;
            peer
        };
        let (client, _peer) = bounded(async { tokio::join!(Client::connect(&fake.home), serve) }).await;
        let reply = client.unwrap_err().to_reply();
        assert_eq!(reply.code, ErrorCode::VersionMismatch);
        assert!(reply.message.contains("7.7.7") && reply.hint.as_deref().unwrap().contains(older), "{reply:?}");
    }
}

#[tokio::test]
async fn a_daemon_of_another_protocol_can_be_asked_to_give_way() {
    let fake = Fake::new();
    let serve = async {
        let mut peer = fake.accept_silent().await;
        let _: Option<Hello> = peer.read().await;
        peer.send(&serde_json::json!({"protocol": PROTOCOL + 1, "version": "7.7.7"})).await;
        let ClientFrame { id, call } = peer.read().await.unwrap();
        assert!(matches!(call, Call::Request(Request::Updated { token: 5 })), "{call:?}");
        peer.send(&ServerFrame::Reply { id, reply: Box::new(Reply::HandingOver) }).await;
        peer
    };
    let ask = async {
        let client = Client::connect_for_update(&fake.home).await.unwrap();
        (client.welcome().version.clone(), client.request(Request::Updated { token: 5 }).await.unwrap())
    };
    let (told, _peer) = bounded(async { tokio::join!(ask, serve) }).await;
    assert_eq!(told, ("7.7.7".to_owned(), Reply::HandingOver));
}

#[tokio::test]
async fn a_refusal_in_place_of_a_greeting_is_told_as_it_is() {
    let fake = Fake::new();
    let serve = async {
        let mut peer = fake.accept_silent().await;
        let _: Option<Hello> = peer.read().await;
        peer.send(&ServerFrame::Error {
            id: 0,
            error: ErrorReply::new(ErrorCode::ShuttingDown, "the supervisor ends"),
        })
        .await;
    };
    let (client, ()) = bounded(async { tokio::join!(Client::connect(&fake.home), serve) }).await;
    assert_eq!(client.unwrap_err().to_reply().code, ErrorCode::ShuttingDown);
}

#[tokio::test]
async fn a_daemon_that_never_accepts_is_told_with_its_log_in_time() {
    let fake = Fake::new();
    hangs(Client::connect(&fake.home)).await;
}

#[tokio::test]
async fn a_daemon_that_accepts_and_is_silent_is_told_with_its_log_in_time() {
    let fake = Fake::new();
    let connect = async {
        let (client, _peer) = tokio::join!(Client::connect(&fake.home), fake.accept_silent());
        client
    };
    hangs(connect).await;
}

#[tokio::test]
async fn a_daemon_whose_queue_is_full_is_told_with_its_log_in_time() {
    let fake = Fake::new();
    // Linux lets as many wait as `listen` said (tokio says 1024) and one more.
    let mut waiting = Vec::new();
    while let Ok(stream) = rewake_unix::socket::connect_now(&fake.home.socket()) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the queue has no end");
    }
    hangs(Client::connect(&fake.home)).await;
}

async fn hangs(connect: impl Future<Output = Result<Client, ClientError>>) {
    let began = Instant::now();
    let error = bounded(connect).await.unwrap_err().to_reply();
    assert_eq!(error.code, ErrorCode::Unreachable);
    assert!(error.message.contains("does not answer"), "{error:?}");
    assert!(error.hint.unwrap().contains("rewake.log"));
    let took = began.elapsed();
    // How much longer is the machine's affair: one that is busy tells late that the time is over.
    assert!(took >= Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn garbage_in_the_handshake_or_later_is_an_error_and_not_a_hang() {
    let garbage: [&[u8]; 3] = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\xff\xff\xff", b"\0\0\0\x03abc"];
    for bytes in garbage {
        let fake = Fake::new();
        let serve = async {
            let mut peer = fake.accept_silent().await;
            peer.stream.write_all(bytes).await.unwrap();
            peer
        };
        let (client, _peer) = bounded(async { tokio::join!(Client::connect(&fake.home), serve) }).await;
        assert!(matches!(client, Err(ClientError::Garbage { .. })), "{client:?}");

        let fake = Fake::new();
        let (client, mut peer) = fake.connected().await;
        let serve = async {
            let _ = peer.call().await;
            peer.stream.write_all(bytes).await.unwrap();
        };
        let (result, ()) = bounded(async { tokio::join!(client.request(Request::Ping), serve) }).await;
        assert_eq!(code(result), ErrorCode::Unreachable);
    }
}

#[tokio::test]
async fn a_question_goes_along_with_the_hello_and_others_follow() {
    let fake = Fake::new();
    let serve = async {
        let mut peer = fake.accept_silent().await;
        let _: Hello = peer.read().await.unwrap();
        // Here before the daemon has said a word.
        let (id, call) = peer.call().await;
        assert!(matches!(call, Call::Request(Request::Ping)), "{call:?}");
        peer.send(&welcome(PROTOCOL)).await;
        peer.reply(id, Reply::Pong).await;
        let (next, _) = peer.call().await;
        assert_ne!(next, id);
        peer.reply(next, Reply::Pong).await;
    };
    let ask = async {
        let (client, answer) = Client::connect_asking(&fake.home, Request::Ping).await.unwrap();
        assert!(matches!(answer, Ok(Reply::Pong)), "{answer:?}");
        client.request(Request::Ping).await.unwrap();
    };
    bounded(async { tokio::join!(ask, serve) }).await;

    let refuses = async {
        let mut peer = fake.accept_silent().await;
        let _: Hello = peer.read().await.unwrap();
        peer.send(&welcome(PROTOCOL + 1)).await;
    };
    let (error, ()) = bounded(async { tokio::join!(Client::connect_asking(&fake.home, Request::Ping), refuses) }).await;
    assert!(matches!(error, Err(ClientError::Version { .. })), "{error:?}");
}

#[tokio::test]
async fn half_a_frame_and_then_the_end_is_a_lost_connection() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let serve = async {
        let (id, _) = peer.call().await;
        let frame = encode(&ServerFrame::Reply { id, reply: Box::new(Reply::Pong) }).unwrap();
        peer.stream.write_all(&frame[..frame.len() - 2]).await.unwrap();
        drop(peer);
    };
    let (result, ()) = bounded(async { tokio::join!(client.request(Request::Ping), serve) }).await;
    assert!(matches!(result, Err(ClientError::Lost { .. })), "{result:?}");
    // And so for whoever asks afterwards.
    assert_eq!(code(bounded(client.request(Request::Ping)).await), ErrorCode::Unreachable);
}

#[tokio::test]
async fn an_answer_before_the_end_still_arrives() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let serve = async {
        let (id, _) = peer.call().await;
        peer.reply(id, Reply::Killed).await;
        drop(peer);
    };
    let (result, ()) = bounded(async { tokio::join!(client.request(Request::Kill), serve) }).await;
    assert_eq!(result.unwrap(), Reply::Killed);
}

#[tokio::test]
async fn many_requests_at_once_each_get_their_own_answer() {
    const CALLS: u32 = 500;
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let serve = async {
        // Answered in the opposite order, as far as they come at once.
        let mut calls = Vec::new();
        let mut answered = 0;
        while answered < CALLS {
            calls.push(peer.call().await);
            if calls.len() == 50 {
                answered += 50;
                for (id, call) in calls.drain(..).rev() {
                    let Call::Request(Request::Stop { target }) = call else { panic!("{call:?}") };
                    peer.reply(id, Reply::Saved { path: target, slots: 0 }).await;
                }
            }
        }
    };
    let mut tasks = Vec::new();
    for number in 0..CALLS {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let target = number.to_string();
            let reply = client.request(Request::Stop { target: target.clone() }).await.unwrap();
            assert_eq!(reply, Reply::Saved { path: target, slots: 0 });
        }));
    }
    bounded(serve).await;
    for task in tasks {
        bounded(task).await.unwrap();
    }
}

#[tokio::test]
async fn megabytes_go_both_ways_while_neither_side_waits_to_be_read() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let big = "x".repeat(3 << 20);
    let serve = async {
        // The answer to the first is written before the second question is read: only a client that reads while it writes gets on.
        let (first, _) = peer.call().await;
        peer.reply(first, Reply::Saved { path: "y".repeat(3 << 20), slots: 1 }).await;
        let (second, call) = peer.call().await;
        let Call::Request(Request::Stop { target }) = call else { panic!("{call:?}") };
        assert_eq!(target.len(), 3 << 20);
        peer.reply(second, Reply::Pong).await;
    };
    let ask = |target: String| client.request(Request::Stop { target });
    let (one, two, ()) = bounded(async { tokio::join!(ask("a".into()), ask(big), serve) }).await;
    assert!(matches!(one.unwrap(), Reply::Saved { path, .. } if path.len() == 3 << 20));
    assert_eq!(two.unwrap(), Reply::Pong);
}

#[tokio::test]
async fn a_refused_request_keeps_its_code_and_hint_and_the_connection_goes_on() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let refusal = ErrorReply::new(ErrorCode::NotFound, "no app `x`").with_hint("see `rewake list`");
    let serve = async {
        let (id, _) = peer.call().await;
        peer.send(&ServerFrame::Error { id, error: refusal.clone() }).await;
        let (id, _) = peer.call().await;
        peer.reply(id, Reply::Pong).await;
    };
    let ask = async {
        let refused = client.request(Request::Stop { target: "x".into() }).await;
        (refused, client.request(Request::Ping).await)
    };
    let ((refused, ping), ()) = bounded(async { tokio::join!(ask, serve) }).await;
    assert_eq!(refused.unwrap_err().to_reply(), refusal);
    assert_eq!(ping.unwrap(), Reply::Pong);
}

#[tokio::test]
async fn a_subscription_gives_its_events_in_order_beside_requests_and_ends_with_its_drop() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let serve = async {
        let (subscription, call) = peer.call().await;
        assert!(matches!(call, Call::Subscribe(Subscribe { events: true, .. })), "{call:?}");
        // An event may come before the answer.
        peer.send(&ServerFrame::Items { id: subscription, items: vec![event(0)] }).await;
        peer.reply(subscription, Reply::Subscribed).await;
        let (ping, _) = peer.call().await;
        peer.send(&ServerFrame::Items { id: subscription, items: vec![event(1), event(2)] }).await;
        peer.reply(ping, Reply::Pong).await;
        let (id, call) = peer.call().await;
        assert!(matches!(call, Call::Unsubscribe { subscription: ended } if ended == subscription), "{call:?}");
        assert_ne!(id, subscription);
        peer.reply(id, Reply::Unsubscribed).await;
        // A late item of the ended subscription harms nobody.
        peer.send(&ServerFrame::Items { id: subscription, items: vec![event(3)] }).await;
        let (ping, _) = peer.call().await;
        peer.reply(ping, Reply::Pong).await;
    };
    let use_it = async {
        let mut events = client.subscribe(Subscribe { events: true, ..Subscribe::default() }).await.unwrap();
        assert_eq!(client.request(Request::Ping).await.unwrap(), Reply::Pong);
        for expected in 0..3 {
            let Event::Process(event) = events.next().await.unwrap() else { panic!("another kind of event") };
            assert_eq!(event.id, expected);
        }
        drop(events);
        assert_eq!(client.request(Request::Ping).await.unwrap(), Reply::Pong);
    };
    bounded(async { tokio::join!(serve, use_it) }).await;
}

#[tokio::test]
async fn a_lost_connection_ends_a_subscription_after_what_came_before() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let serve = async {
        let (id, _) = peer.call().await;
        peer.reply(id, Reply::Subscribed).await;
        peer.send(&ServerFrame::Items { id, items: vec![event(7)] }).await;
        drop(peer);
    };
    let (events, ()) = bounded(async { tokio::join!(client.subscribe(Subscribe::default()), serve) }).await;
    let mut events = events.unwrap();
    assert!(matches!(bounded(events.next()).await, Ok(Event::Process(event)) if event.id == 7));
    assert!(matches!(bounded(events.next()).await, Err(ClientError::Lost { .. })));
}

#[tokio::test]
async fn the_connection_closes_with_its_last_user() {
    let fake = Fake::new();
    let (client, mut peer) = fake.connected().await;
    let second = client.clone();
    drop(client);
    let serve = async {
        let (id, _) = peer.call().await;
        peer.reply(id, Reply::Pong).await;
        peer.read::<ClientFrame>().await
    };
    let use_it = async {
        assert_eq!(second.request(Request::Ping).await.unwrap(), Reply::Pong);
        drop(second);
    };
    let (end, ()) = bounded(async { tokio::join!(serve, use_it) }).await;
    assert!(end.is_none());
}

#[test]
fn futures_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let home = Home::at(std::path::Path::new("/nowhere")).unwrap();
    let exe = PathBuf::from("/nowhere/rewake");
    is_send(&Client::connect(&home));
    is_send(&Client::connect_or_start(&home, &exe));
}
