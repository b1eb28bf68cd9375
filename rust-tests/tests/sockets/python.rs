//! A Python program as its documentation shows it, where there is Python: the same promises for what is not Node.

use std::process::{Command, Stdio};

use rust_tests::home::Home;
use rust_tests::ports::free_port;

use super::http::{get, load, pid, refuses};

/// `socketserver` on the first socket; `/die` ends it. It stops accepting at SIGINT and finishes what it has.
const SERVER: &str = "
import http.server, json, os, signal, socket, threading
assert int(os.environ['LISTEN_PID']) == os.getpid() and os.environ['LISTEN_FDS'] == '1'
listener = socket.socket(fileno=3)
assert os.get_blocking(3) and os.get_inheritable(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({'pid': os.getpid()}).encode()
        self.send_response_only(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == '/die':
            self.wfile.flush()
            os._exit(1)
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
server = Server(None, Handler, bind_and_activate=False)
server.socket.close()
server.socket = listener
signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
server.server_close()
";

/// With `asyncio`, which makes the socket never wait, for all copies of it.
const ASYNC: &str = "
import asyncio, json, os, signal, socket
async def serve(reader, writer):
    line = await reader.readline()
    body = json.dumps({'pid': os.getpid()})
    writer.write(f'HTTP/1.1 200 OK\\r\\n\\r\\n{body}'.encode())
    await writer.drain()
    writer.close()
    if b'/die' in line: os._exit(1)
async def main():
    assert os.get_blocking(3)
    server = await asyncio.start_server(serve, sock=socket.socket(fileno=3))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, server.close)
    await server.wait_closed()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
asyncio.run(main())
";

fn is_there() -> bool {
    let python =
        Command::new("python3").args(["-c", "import asyncio"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    python.is_ok_and(|status| status.success())
}

fn serve(home: &Home, script: &str, port: u16) {
    home.write("app.py", script);
    let address = format!("127.0.0.1:{port}");
    home.rewake([
        "start",
        "app.py",
        "--name",
        "py",
        "--socket",
        &address,
        "--min-uptime",
        "500",
        "--kill-timeout",
        "60s",
    ])
    .ok();
}

#[test]
fn a_python_program_serves_is_succeeded_and_reloaded_without_a_lost_connection() {
    if !is_there() {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    serve(&home, SERVER, port);
    // Nobody has to wait for it to listen: the queue does.
    let first = pid(&get(port, "/die").unwrap());
    assert_ne!(pid(&get(port, "/").unwrap()), first);
    let load = load(port, 3);
    for _ in 0..2 {
        home.rewake(["reload", "py"]).ok();
    }
    let counted = load.end();
    assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
    home.rewake(["stop", "py"]).ok();
    assert!(refuses(port));
}

#[test]
fn a_program_that_makes_its_socket_never_wait_does_so_for_itself_alone() {
    if !is_there() {
        return;
    }
    let (home, port) = (Home::new(), free_port());
    serve(&home, ASYNC, port);
    // It asserts that it begins with one that waits.
    let first = pid(&get(port, "/die").unwrap());
    assert_ne!(pid(&get(port, "/").unwrap()), first);
    home.rewake(["restart", "py"]).ok();
    assert!(get(port, "/").is_ok());
}
