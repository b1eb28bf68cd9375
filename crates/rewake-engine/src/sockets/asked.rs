//! What descriptions ask for: whether it can be done at all, and which of an app's sockets is meant. Never opens one.

use std::collections::BTreeMap;

use rewake_wire::{AppSpec, ErrorCode, ErrorReply, ExecMode, SocketAddress, SocketSpec};

/// As the configuration has it. Each takes a descriptor in the daemon and one in the keeper.
const MOST: usize = 64;
/// What the address of a Unix socket holds.
const MAX_PATH_BYTES: usize = 107;
/// For names of app and namespace together. The keeper's name of a socket holds both, and has to fit into a packet.
const MAX_APP_BYTES: usize = 1024;

/// The sockets with the key of each: its address, and its number among several of the same (of port 0).
pub(super) fn with_keys(specs: &[SocketSpec]) -> impl Iterator<Item = (String, &SocketSpec)> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    specs.iter().map(move |spec| {
        let address = spec.address.to_string();
        let number = seen.entry(address.clone()).or_default();
        *number += 1;
        (if *number == 1 { address } else { format!("{address}#{number}") }, spec)
    })
}

/// Refuses what no configuration makes: a client of the socket may send anything.
pub(crate) fn check(app: &AppSpec) -> Result<(), ErrorReply> {
    let specs = &app.launch.sockets;
    let refuse = |what: &str| Err(ErrorReply::new(ErrorCode::BadRequest, format!("`{}`: {what}", app.name)));
    if specs.is_empty() {
        return Ok(());
    }
    if app.launch.exec_mode == ExecMode::Cluster {
        return refuse("sockets are for fork mode: workers in cluster mode share what they listen on");
    }
    if specs.len() > MOST {
        return refuse(&format!("{} sockets; {MOST} are possible", specs.len()));
    }
    if app.name.len() + app.namespace.len() > MAX_APP_BYTES
        || [&app.name, &app.namespace].iter().any(|s| s.contains('\0'))
    {
        return refuse("sockets need a shorter name, without NUL characters");
    }
    if !specs.iter().all(|spec| is_name(&spec.name)) {
        return refuse("the name of a socket is not what `LISTEN_FDNAMES` can hold");
    }
    if !specs.iter().all(|spec| is_address(&spec.address)) {
        return refuse("a socket has an address that is neither of IP nor an absolute path");
    }
    let mut keys: Vec<String> = specs.iter().map(|spec| spec.address.to_string()).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1] && !is_any_port(&pair[0])) {
        return refuse("two sockets have the same address");
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b':')
}

fn is_address(address: &SocketAddress) -> bool {
    match address {
        SocketAddress::Tcp { host, .. } | SocketAddress::Udp { host, .. } => {
            host.as_ref().is_none_or(|host| host.len() <= MAX_PATH_BYTES && !host.contains('\0'))
        }
        SocketAddress::Unix { path, mode } => {
            path.starts_with('/') && path.len() <= MAX_PATH_BYTES && !path.contains('\0') && *mode <= 0o777
        }
    }
}

fn is_any_port(address: &str) -> bool {
    !address.starts_with("unix:") && (address.ends_with(":0") || address == "0")
}
