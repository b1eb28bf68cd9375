//! Everything that a worker can listen on: ports, port 0, several, Unix sockets, UDP, busy addresses.

use std::fs;

use rust_tests::home::{Home, nodes, until};
use rust_tests::ports::free_port;

use super::http::get;

/// Starts a script in cluster mode and waits until each worker has logged a line of JSON.
fn told(home: &Home, node: &str, script: &str, instances: u32, port: u16) -> Vec<serde_json::Value> {
    home.write("app.js", script);
    let count = instances.to_string();
    let args = ["start", "app.js", "--name", "web", "-i", &count, "--interpreter", node];
    let output = home.command(args).env("PORT", port.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = |id: u32| home.path().join(format!("logs/web-out-{id}.log"));
    let line = |id: u32| fs::read_to_string(log(id)).ok().filter(|text| text.ends_with('\n'));
    until("each worker has spoken", || (0..instances).all(|id| line(id).is_some()));
    (0..instances).map(|id| serde_json::from_str(line(id).unwrap().lines().next().unwrap()).unwrap()).collect()
}

#[test]
fn port_zero_is_one_port_for_all_workers_and_for_each_server_another() {
    let script = "
        const net = require('net');
        const listen = () => new Promise((done) => { const s = net.createServer((c) => c.end('x')).listen(0, () => done(s.address().port)); });
        (async () => console.log(JSON.stringify([await listen(), await listen()])))();
    ";
    for node in nodes() {
        let home = Home::new();
        let ports = told(&home, &node, script, 2, 0);
        assert_eq!(ports[0], ports[1], "{node}: both workers have the same two ports");
        assert_ne!(ports[0][0], ports[0][1], "{node}: two servers have two ports");
    }
}

#[test]
fn a_busy_port_is_eaddrinuse_as_node_reports_it() {
    let script = "
        require('http').createServer().on('error', (e) => console.log(JSON.stringify({ code: e.code, syscall: e.syscall, message: e.message })))
          .listen(+process.env.PORT, '127.0.0.1');
        setInterval(() => {}, 1e6);
    ";
    for node in nodes() {
        let home = Home::new();
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = stranger.local_addr().unwrap().port();
        let error = told(&home, &node, script, 1, port).remove(0);
        assert_eq!(error["code"], "EADDRINUSE", "{node}: {error}");
        assert_eq!(error["message"], format!("bind EADDRINUSE 127.0.0.1:{port}"), "{node}");
    }
}

#[test]
fn a_unix_socket_is_served_and_gone_after_stop() {
    let script = "
        const path = require('path').join(__dirname, 'app.sock');
        require('net').createServer((c) => c.end('hello')).listen({ path, readableAll: true, writableAll: true }, function () {
          console.log(JSON.stringify({ address: this.address(), path, mode: require('fs').statSync(path).mode & 0o777 }));
        });
    ";
    for node in nodes() {
        let home = Home::new();
        let seen = told(&home, &node, script, 2, 0).remove(0);
        assert_eq!(seen["address"], seen["path"], "{node}");
        assert_eq!(seen["mode"], 0o777, "{node}");
        let path = home.folder().join("app.sock");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::os::unix::net::UnixStream::connect(&path).unwrap(), &mut text).unwrap();
        assert_eq!(text, "hello");
        home.rewake(["stop", "web"]).ok();
        until("the socket file is gone", || !path.exists());
    }
}

#[test]
fn udp_is_shared_between_workers() {
    let script = "
        const socket = require('dgram').createSocket('udp4');
        socket.on('message', (text, from) => socket.send(text, from.port, from.address));
        socket.bind(+process.env.PORT, '127.0.0.1', () => console.log(JSON.stringify(socket.address().port)));
    ";
    for node in nodes() {
        let (home, port) = (Home::new(), free_port());
        told(&home, &node, script, 2, port);
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(rust_tests::home::PATIENCE)).unwrap();
        for _ in 0..20 {
            client.send_to(b"ping", ("127.0.0.1", port)).unwrap();
            let mut buffer = [0; 16];
            let (length, _) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"ping", "{node}");
        }
    }
}

#[test]
fn a_closed_server_can_listen_again_and_a_port_nobody_holds_is_given_up() {
    let script = "
        const http = require('http');
        const serve = () => new Promise((done) => { const s = http.createServer((q, r) => r.end('x')).listen(+process.env.PORT, () => done(s)); });
        (async () => {
          const first = await serve();
          await new Promise((done) => first.close(done));
          await serve();
          console.log(JSON.stringify('again'));
        })();
    ";
    for node in nodes() {
        let (home, port) = (Home::new(), free_port());
        told(&home, &node, script, 1, port);
        assert!(get(port).is_ok(), "{node}");
    }
}

#[test]
fn a_cluster_that_is_started_anew_in_fork_mode_leaves_no_socket_behind() {
    let home = Home::new();
    let (port, other) = (free_port(), free_port());
    home.write("app.js", "require('http').createServer((q, s) => s.end('ok')).listen(+process.env.PORT);");
    let app = |mode: &str, port: u16| {
        let app = serde_json::json!({ "name": "web", "script": "app.js", "exec_mode": mode, "env": { "PORT": port.to_string() } });
        home.write("apps.json", &serde_json::json!({ "apps": [app] }).to_string());
    };
    app("cluster", port);
    home.rewake(["start", "apps.json"]).ok();
    until("it answers", || get(port).is_ok());
    app("fork", other);
    home.rewake(["restart", "apps.json"]).ok();
    until("it answers on the other port", || get(other).is_ok());
    until("nobody has the first port", || std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
}
