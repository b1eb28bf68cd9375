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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn specs(value: Value) -> Vec<SocketSpec> {
        serde_json::from_value(value).unwrap()
    }

    fn tcp(port: u16) -> Value {
        json!({ "name": "web", "address": { "tcp": { "host": "127.0.0.1", "port": port } } })
    }

    fn unix(path: &str, mode: u32) -> Value {
        json!({ "name": "web", "address": { "unix": { "path": path, "mode": mode } } })
    }

    #[test]
    fn only_sockets_of_one_address_are_counted() {
        let specs = specs(json!([tcp(0), tcp(1), tcp(0), unix("/a", 0), tcp(0)]));
        let keys: Vec<String> = with_keys(&specs).map(|(key, _)| key).collect();
        assert_eq!(keys, ["127.0.0.1:0", "127.0.0.1:1", "127.0.0.1:0#2", "unix:/a", "127.0.0.1:0#3"]);
    }

    #[test]
    fn what_no_configuration_makes_is_refused() {
        let app = |name: &str, mode: &str, sockets: Value| -> AppSpec {
            let launch = json!({
                "script": "/a.js", "interpreter": "node", "cwd": "/", "exec_mode": mode, "ipc": true, "instance_var": "N",
                "sockets": sockets,
            });
            let policy = serde_json::to_value(rewake_wire::PolicySpec::default()).unwrap();
            let logs = json!({ "out": "null", "error": "null", "merge": true });
            let spec = json!({
                "name": name, "namespace": "default", "instances": 1, "launch": launch, "policy": policy, "logs": logs,
            });
            serde_json::from_value(spec).unwrap()
        };
        let good = json!([tcp(0), tcp(0), tcp(10), tcp(1), unix("/a:0", 0o777), unix("/a:1", 0)]);
        assert_eq!(check(&app("web", "fork", good.clone())), Ok(()));
        assert_eq!(check(&app("web", "cluster", json!([]))), Ok(()));
        let named = |name: &str| json!([{ "name": name, "address": { "udp": { "host": null, "port": 1 } } }]);
        let many: Vec<Value> = (0..65).map(tcp).collect();
        for (name, mode, sockets, expected) in [
            ("web", "cluster", good, "fork mode"),
            ("web", "fork", json!(many), "65 sockets"),
            ("a\0b", "fork", json!([tcp(1)]), "shorter name"),
            (&"x".repeat(1025), "fork", json!([tcp(1)]), "shorter name"),
            ("web", "fork", named(""), "LISTEN_FDNAMES"),
            ("web", "fork", named("a:b"), "LISTEN_FDNAMES"),
            ("web", "fork", named("a\nb"), "LISTEN_FDNAMES"),
            ("web", "fork", json!([unix("a", 0)]), "absolute path"),
            ("web", "fork", json!([unix("/a\0", 0)]), "absolute path"),
            ("web", "fork", json!([unix(&format!("/{}", "a".repeat(107)), 0)]), "absolute path"),
            ("web", "fork", json!([unix("/a", 0o1000)]), "absolute path"),
            ("web", "fork", json!([tcp(1), tcp(2), tcp(1)]), "same address"),
            ("web", "fork", json!([unix("/a:0", 0), unix("/a:0", 0)]), "same address"),
        ] {
            let refused = check(&app(name, mode, sockets)).unwrap_err();
            assert!(refused.message.contains(expected), "{expected}: {}", refused.message);
        }
    }
}
