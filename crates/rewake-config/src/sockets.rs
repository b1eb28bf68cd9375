//! `sockets`: addresses to listen on, spelled as systemd spells them. Never opens one, and never looks a name up.

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use rewake_wire::{SocketAddress, SocketSpec};

use crate::node::{Entry, Node, Value};
use crate::paths;
use crate::read::Read;
use crate::report::Wrong;
use crate::suggest::nearest;

/// More than any app has; a slip of a script that makes them.
const MOST: usize = 64;
/// What the address of a Unix socket holds; programs that are given a longer path cannot connect.
const MAX_PATH_BYTES: usize = 107;
/// systemd's limit.
const MAX_NAME_BYTES: usize = 255;
/// The user alone: who else may connect is for the user to say.
const MODE: u32 = 0o600;

const WHAT: &str = "an address (like `3000`, `127.0.0.1:3000`, `[::1]:3000`, `udp:53`, `unix:/run/app.sock`), an object with `address`, or an array of these";
const KEYS: [&str; 3] = ["address", "name", "mode"];

/// One socket as it was written, its path not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Socket {
    name: Option<String>,
    address: SocketAddress,
}

/// One address or several.
pub(crate) fn read(node: &Node) -> Read<Vec<Socket>> {
    let sockets = match &node.value {
        Value::List(items) => items.iter().map(one).collect::<Read<Vec<_>>>()?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => vec![one(node)?],
    };
    if sockets.len() > MOST {
        return Err(Wrong::new(format!("has {} addresses; {MOST} are possible", sockets.len())));
    }
    Ok(sockets)
}

/// The sockets of an app with this name and folder.
pub(crate) fn resolve(sockets: &[Socket], app: &str, cwd: &Path, home: Option<&Path>) -> Read<Vec<SocketSpec>> {
    let mut resolved: Vec<SocketSpec> = Vec::with_capacity(sockets.len());
    for socket in sockets {
        let address = match &socket.address {
            SocketAddress::Unix { path, mode } => SocketAddress::Unix { path: absolute(path, cwd, home)?, mode: *mode },
            ip @ (SocketAddress::Tcp { .. } | SocketAddress::Udp { .. }) => ip.clone(),
        };
        let text = address.to_string();
        // Of port 0 there may be several: each gets a port of its own.
        if !is_any_port(&address) && resolved.iter().any(|other| other.address.to_string() == text) {
            return Err(Wrong::new(format!("has `{text}` twice")));
        }
        resolved.push(SocketSpec { name: socket.name.clone().unwrap_or_else(|| default_name(app)), address });
    }
    Ok(resolved)
}

fn is_any_port(address: &SocketAddress) -> bool {
    matches!(address, SocketAddress::Tcp { port: 0, .. } | SocketAddress::Udp { port: 0, .. })
}

fn absolute(path: &str, cwd: &Path, home: Option<&Path>) -> Read<String> {
    let absolute = paths::absolute(path, cwd, home).to_string_lossy().into_owned();
    if absolute.len() > MAX_PATH_BYTES {
        let message =
            format!("has `{absolute}`, which is longer than the {MAX_PATH_BYTES} bytes that an address holds");
        return Err(Wrong::new(message));
    }
    Ok(absolute)
}

/// systemd names a socket after its unit; ours is the app.
fn default_name(app: &str) -> String {
    app.chars().map(|c| if is_of_name(c) { c } else { '-' }).collect()
}

fn is_of_name(c: char) -> bool {
    (' '..='~').contains(&c) && c != ':'
}

fn one(node: &Node) -> Read<Socket> {
    match &node.value {
        Value::Text(text) => Ok(Socket { name: None, address: address(text)? }),
        Value::Number(number) => Ok(Socket { name: None, address: address(&number.text)? }),
        Value::Map(entries) => named(entries),
        Value::Null | Value::Bool(_) | Value::List(_) => {
            Err(Wrong::new(format!("must be {WHAT}, found {}", node.describe())))
        }
    }
}

/// `{ address, name, mode }`.
fn named(entries: &[Entry]) -> Read<Socket> {
    let (mut address_text, mut name_text, mut mode) = (None, None, None);
    for Entry { key, value, .. } in entries {
        let text = match &value.value {
            Value::Text(text) => Some(text.as_str()),
            Value::Number(number) if key == "address" => Some(number.text.as_str()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
        };
        match (key.as_str(), text) {
            ("address", Some(text)) => address_text = Some(text),
            ("name", Some(text)) => name_text = Some(name(text)?),
            ("mode", text) => mode = Some(octal(text.unwrap_or_default())?),
            ("address" | "name", None) => {
                return Err(Wrong::new(format!("must have text as `{key}`, found {}", value.describe())));
            }
            (unknown, _) => {
                let wrong = Wrong::new(format!("has the unknown key `{}`", unknown.escape_debug()));
                let meant = nearest(unknown, KEYS).map_or_else(|| KEYS.join("`, `"), str::to_owned);
                return Err(wrong.hint(format!("known are `{meant}`")));
            }
        }
    }
    let Some(text) = address_text else { return Err(Wrong::new("has an object without `address`")) };
    let mut address = address(text)?;
    match (&mut address, mode) {
        (SocketAddress::Unix { mode, .. }, Some(given)) => *mode = given,
        (SocketAddress::Tcp { .. } | SocketAddress::Udp { .. }, Some(_)) => {
            return Err(Wrong::new(format!("has a `mode` for `{text}`, which is no file")));
        }
        (_, None) => {}
    }
    Ok(Socket { name: name_text, address })
}

fn name(text: &str) -> Read<String> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.chars().all(is_of_name) {
        let wrong = Wrong::new(format!("has the name `{}`, which `LISTEN_FDNAMES` cannot hold", text.escape_debug()));
        return Err(wrong.hint(format!("a name is printable ASCII without a colon, at most {MAX_NAME_BYTES} bytes")));
    }
    Ok(text.to_owned())
}

/// Text only: as a number, `0660` is 660 in one format and 432 in another.
fn octal(text: &str) -> Read<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777 && !digits.starts_with('+'));
    mode.ok_or_else(|| Wrong::new("must have a mode of octal digits as text, like `'0660'`"))
}

/// One address. systemd's `ListenStream` where nothing says otherwise.
fn address(text: &str) -> Read<SocketAddress> {
    if text.is_empty() || text.contains(['\0', '\n']) {
        return Err(Wrong::new(format!("has `{}`, which is no address", text.escape_debug())));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let wrong = Wrong::new(format!("has `{}`, which is a URL", text.escape_debug()));
        return Err(wrong.hint(format!("write it without the scheme: `{}`", rest.trim_end_matches('/').escape_debug())));
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(text, path);
    }
    if text.starts_with('@') {
        return Err(Wrong::new(format!("has `{text}`: abstract sockets cannot be used")).hint("give it a path"));
    }
    match (text.strip_prefix("udp:"), text.strip_prefix("tcp:")) {
        (Some(datagram), _) => {
            let (host, port) = ip(text, datagram)?;
            Ok(SocketAddress::Udp { host, port })
        }
        (None, None) if text.contains('/') => unix(text, text),
        (None, stream) => {
            let (host, port) = ip(text, stream.unwrap_or(text))?;
            Ok(SocketAddress::Tcp { host, port })
        }
    }
}

fn unix(text: &str, path: &str) -> Read<SocketAddress> {
    if Path::new(path).file_name().is_none() || path.ends_with('/') {
        return Err(Wrong::new(format!("has `{}`, which is not the path of a file", text.escape_debug())));
    }
    Ok(SocketAddress::Unix { path: path.to_owned(), mode: MODE })
}

/// `port`, `ipv4:port`, `[ipv6]:port`.
fn ip(text: &str, address: &str) -> Read<(Option<String>, u16)> {
    let wrong = |what: &str| Wrong::new(format!("has `{}`, {what}", text.escape_debug()));
    let Some((host, port)) = address.rsplit_once(':') else {
        if address.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok((None, number(address).ok_or_else(|| wrong("which is no port (0 to 65535)"))?));
        }
        return Err(wrong("which is no address").hint(format!("it must be {WHAT}")));
    };
    let port = number(port).ok_or_else(|| wrong("which does not end in a port (0 to 65535)"))?;
    if let Some(bracketed) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let host = ipv6(bracketed).ok_or_else(|| wrong("which has no IPv6 address in its brackets"))?;
        return Ok((Some(host), port));
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(host)) => Ok((Some(host.to_string()), port)),
        Ok(IpAddr::V6(host)) => Err(wrong("an IPv6 address without brackets").hint(format!("write `[{host}]:{port}`"))),
        Err(_) if host.is_empty() || host == "*" => {
            Err(wrong("which is no address").hint(format!("`{port}` alone listens on every address")))
        }
        Err(_) => Err(wrong("which is no IP address: names are not looked up")
            .hint(format!("write `127.0.0.1:{port}` for this machine alone, `{port}` for every address"))),
    }
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// With its scope, if it has one.
fn ipv6(text: &str) -> Option<String> {
    let (host, scope) = text.split_once('%').map_or((text, None), |(host, scope)| (host, Some(scope)));
    let host: Ipv6Addr = host.parse().ok()?;
    match scope {
        None => Some(host.to_string()),
        Some(scope) if !scope.is_empty() => Some(format!("{host}%{scope}")),
        Some(_) => None,
    }
}
