//! The primary against unmodified cluster workers, with real sockets.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{fd::OwnedFd, unix::net::UnixListener},
    time::Duration,
};

use rewake_nodeipc::{
    Happening, Mode,
    cluster::{Bound, ConnectionId, GroupId, Handle, Listen, Order, Primary, Sharing, SlotId, Told, WorkerId},
};

use super::{
    BOTH,
    app::{App, nodes},
};

const WORKER: WorkerId = WorkerId(5);
const SHARINGS: [Sharing; 2] = [Sharing::Sockets, Sharing::RoundRobin];

/// A socket that the primary holds for a group.
#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
    Udp(UdpSocket),
}

/// One worker, its primary, and the sockets that the primary ordered.
struct Cluster {
    app: App,
    primary: Primary,
    sockets: HashMap<GroupId, Socket>,
    connections: HashMap<ConnectionId, TcpStream>,
    next_connection: u64,
    told: Vec<Told>,
    messages: Vec<String>,
    ended: bool,
}

fn with_each(modes: &[Mode], script: &str, test: impl Fn(&mut Cluster)) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("worker.js");
    let here = serde_json::to_string(home.path().to_str().unwrap()).unwrap();
    std::fs::write(&path, script.replace("HOME", &here)).unwrap();
    for node in nodes() {
        for &mode in modes {
            for sharing in SHARINGS {
                let mut app = App::start_worker(&node, mode, &path, WORKER.0);
                app.name = format!("{} {sharing:?}", app.name);
                let mut primary = Primary::new(sharing);
                primary.joined(WORKER, SlotId(0), 0);
                test(&mut Cluster {
                    app,
                    primary,
                    sockets: HashMap::new(),
                    connections: HashMap::new(),
                    next_connection: 0,
                    told: Vec::new(),
                    messages: Vec::new(),
                    ended: false,
                });
            }
        }
    }
}

impl Cluster {
    /// Goes on until the condition holds.
    fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            assert!(
                !self.ended,
                "{}: ended before {what}; told {:?}, said {:?}",
                self.app.name, self.told, self.messages
            );
            match self.app.next() {
                None => self.ended = true,
                Some(Happening::Internal { cmd, text }) => {
                    let mut out = Vec::new();
                    self.primary.internal(WORKER, &cmd, text.as_str(), &mut out);
                    self.carry_out(out);
                }
                Some(Happening::Message(text)) => self.messages.push(text.into_string()),
                Some(other) => panic!("{}: {other:?}", self.app.name),
            }
        }
    }

    fn carry_out(&mut self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Bind { group, listen, .. } => {
                    let result = self.bind(group, &listen);
                    let mut out = Vec::new();
                    self.primary.bound(group, result, &mut out);
                    self.carry_out(out);
                }
                Order::Send { json, handle, .. } => {
                    let handle = handle.map(|handle| self.copy(handle));
                    self.app.send_own(&json, handle);
                }
                Order::Close(connection) => drop(self.connections.remove(&connection).unwrap()),
                Order::Drop(group) => drop(self.sockets.remove(&group).unwrap()),
                Order::Tell(told) => self.told.push(told),
            }
        }
    }

    /// Binds to loopback only, whatever was asked for.
    fn bind(&mut self, group: GroupId, listen: &Listen) -> Result<Bound, i64> {
        let errno = |error: std::io::Error| -i64::from(error.raw_os_error().unwrap());
        let (socket, address) = match listen {
            Listen::Tcp { port, .. } => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).map_err(errno)?;
                listener.set_nonblocking(true).unwrap();
                let address = listener.local_addr().unwrap();
                (Socket::Tcp(listener), Some(address))
            }
            Listen::Unix { path, .. } => {
                // The one of the run before may be there still.
                let _ = std::fs::remove_file(path);
                let listener = UnixListener::bind(path).map_err(errno)?;
                listener.set_nonblocking(true).unwrap();
                (Socket::Unix(listener), None)
            }
            Listen::Udp { port, .. } => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).map_err(errno)?;
                socket.set_nonblocking(true).unwrap();
                let address = socket.local_addr().unwrap();
                (Socket::Udp(socket), Some(address))
            }
        };
        self.sockets.insert(group, socket);
        Ok(Bound { address: address.map(|address| (address.ip(), address.port())) })
    }

    fn copy(&self, handle: Handle) -> OwnedFd {
        match handle {
            Handle::Listener { group, .. } => match &self.sockets[&group] {
                Socket::Tcp(socket) => socket.try_clone().unwrap().into(),
                Socket::Unix(socket) => socket.try_clone().unwrap().into(),
                Socket::Udp(socket) => socket.try_clone().unwrap().into(),
            },
            Handle::Connection(connection) => self.connections[&connection].try_clone().unwrap().into(),
        }
    }

    /// The groups that are listened on, with their ports, in the order in which that was told.
    fn listening(&self) -> Vec<(GroupId, Option<u16>)> {
        let one = |told: &Told| match told {
            Told::Listening { group, port, .. } => Some((*group, *port)),
            Told::Online(_) | Told::Closed { .. } | Told::ExitedAfterDisconnect(_) => None,
        };
        self.told.iter().filter_map(one).collect()
    }

    /// Connects to a group's port as a client, and brings the connection to the worker where that is ours to do.
    fn connect(&mut self, sharing: Sharing, group: GroupId, port: u16) -> TcpStream {
        let client = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        if sharing == Sharing::RoundRobin {
            assert!(self.primary.has_taker(group), "{}", self.app.name);
            let Socket::Tcp(listener) = &self.sockets[&group] else { panic!("not TCP") };
            listener.set_nonblocking(false).unwrap();
            let (connection, _) = listener.accept().unwrap();
            connection.set_nonblocking(true).unwrap();
            let id = ConnectionId(self.next_connection);
            self.next_connection += 1;
            self.connections.insert(id, connection);
            let mut out = Vec::new();
            self.primary.offer(group, id, &mut out);
            self.carry_out(out);
            self.until("the connection is taken", |cluster| cluster.connections.is_empty());
        }
        client
    }

    fn disconnect(&mut self) {
        let mut out = Vec::new();
        self.primary.disconnect(WORKER, None, &mut out);
        self.carry_out(out);
    }

    fn ends_with_zero(&mut self) {
        self.until("the end", |cluster| cluster.ended);
        assert!(self.app.exit().success(), "{}", self.app.name);
    }
}

fn sharing_of(cluster: &Cluster) -> Sharing {
    if cluster.app.name.ends_with("RoundRobin") { Sharing::RoundRobin } else { Sharing::Sockets }
}

#[test]
fn an_http_server_serves_and_goes_when_told() {
    let script = "
        const cluster = require('cluster');
        const names = Object.keys(process.env).filter(n => /^NODE_(CHANNEL|UNIQUE)/.test(n));
        require('http').createServer((request, response) => {
            response.setHeader('Connection', 'close');
            response.end(JSON.stringify([cluster.isWorker, cluster.worker.id, cluster.worker.isConnected(), names]));
        }).listen(0);";
    with_each(&BOTH, script, |cluster| {
        cluster.until("listening", |cluster| !cluster.listening().is_empty());
        assert_eq!(cluster.told[0], Told::Online(WORKER), "{}", cluster.app.name);
        let (group, port) = cluster.listening()[0];
        for _ in 0..20 {
            let mut client = cluster.connect(sharing_of(cluster), group, port.unwrap());
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("[true,5,true,[]]"), "{}: {answer}", cluster.app.name);
        }
        cluster.disconnect();
        cluster.ends_with_zero();
    });
}

#[test]
fn servers_are_told_apart_and_errors_arrive_as_nodes_own() {
    let script = "
        const net = require('net'), path = require('path'), servers = [];
        const port = new Promise(done => process.once('message', done));
        const listen = (...where) => new Promise(done => {
            const server = net.createServer().on('error', e => done([e.code, e.syscall])).listen(...where, () => done(server.address()));
            servers.push(server);
        });
        const close = server => new Promise(done => server.close(done));
        (async () => {
            const first = await listen(0), second = await listen(0);
            const again = await listen(first.port);
            await close(servers[0]);
            const after = await listen(first.port);
            const file = await listen(path.join(HOME, 'a.sock'));
            const missing = await listen(path.join(HOME, 'none', 'a.sock'));
            const fd = await listen({ fd: 5 });
            const busy = await listen(await port);
            process.send({ differ: first.port !== second.port, again, same: after.port === first.port, file: path.basename(file), missing, fd, busy });
            require('cluster').worker.disconnect();
        })();
        process.send('port');";
    with_each(&BOTH, script, |cluster| {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        cluster.app.send(&taken.local_addr().unwrap().port().to_string());
        cluster.until("the report", |cluster| cluster.messages.len() == 2);
        let report: serde_json::Value = serde_json::from_str(&cluster.messages[1]).unwrap();
        let expected = serde_json::json!({
            "differ": true,
            "again": ["EADDRINUSE", "bind"],
            "same": true,
            "file": "a.sock",
            "missing": ["ENOENT", "bind"],
            "fd": ["EINVAL", "bind"],
            "busy": ["EADDRINUSE", "bind"],
        });
        let mut report = report;
        for name in ["missing", "fd"] {
            // Older ones say `listen`: only the code is ours.
            report[name][1] = "bind".into();
        }
        assert_eq!(report, expected, "{}", cluster.app.name);
        assert!(cluster.told.iter().any(|told| matches!(told, Told::Closed { .. })), "{}", cluster.app.name);
        cluster.ends_with_zero();
        assert!(cluster.told.contains(&Told::ExitedAfterDisconnect(WORKER)), "{}", cluster.app.name);
        let mut out = Vec::new();
        cluster.primary.left(WORKER, |_| true, &mut out);
        cluster.primary.drop_all(&mut out);
        cluster.carry_out(out);
        assert!(cluster.sockets.is_empty(), "{}", cluster.app.name);
    });
}

#[test]
fn udp_is_shared_in_every_mode() {
    let script = "
        const socket = require('dgram').createSocket('udp4');
        socket.on('message', (text, from) => socket.send('echo ' + text, from.port, from.address)).bind(0, '127.0.0.1');";
    with_each(&[Mode::Json], script, |cluster| {
        cluster.until("listening", |cluster| !cluster.listening().is_empty());
        let (_, port) = cluster.listening()[0];
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.send_to(b"hello", (IpAddr::from(Ipv4Addr::LOCALHOST), port.unwrap())).unwrap();
        let mut bytes = [0; 100];
        let count = client.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"echo hello", "{}", cluster.app.name);
        cluster.disconnect();
        cluster.ends_with_zero();
    });
}

#[test]
fn a_worker_that_is_full_refuses_and_the_connection_stays_ours() {
    let script = "
        const server = require('net').createServer(() => {}).listen(0);
        server.maxConnections = 1;";
    with_each(&[Mode::Json], script, |cluster| {
        if sharing_of(cluster) == Sharing::Sockets {
            return;
        }
        cluster.until("listening", |cluster| !cluster.listening().is_empty());
        let (group, port) = cluster.listening()[0];
        let first = cluster.connect(Sharing::RoundRobin, group, port.unwrap());
        let second = TcpStream::connect((Ipv4Addr::LOCALHOST, port.unwrap())).unwrap();
        let Socket::Tcp(listener) = &cluster.sockets[&group] else { panic!("not TCP") };
        let (connection, _) = listener.accept().unwrap();
        cluster.connections.insert(ConnectionId(77), connection);
        let mut out = Vec::new();
        cluster.primary.offer(group, ConnectionId(77), &mut out);
        cluster.carry_out(out);
        cluster.until("it is refused", |cluster| !cluster.primary.has_taker(group));
        second.set_nonblocking(true).unwrap();
        let error = (&second).read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{}: still open", cluster.app.name);
        drop(first);
    });
}
