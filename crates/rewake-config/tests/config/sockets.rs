//! `sockets`: every spelling of an address, and what is said of a wrong one.

use serde_json::{Value, json};

use crate::bench::{Bench, refused};

/// The sockets of an app with this value, as `name address`.
fn sockets(bench: &Bench, value: Value) -> Vec<String> {
    let app = bench.app(json!({ "name": "web", "sockets": value }));
    let shown = app.launch.sockets.iter().map(|socket| format!("{} {}", socket.name, socket.address));
    shown.map(|text| text.replace(bench.context.cwd.to_str().unwrap(), "$D")).collect()
}

#[test]
fn an_address_is_spelled_as_systemd_does() {
    let bench = Bench::new();
    let rows = [
        (json!("3000"), "web 3000"),
        (json!(3000), "web 3000"),
        (json!(0), "web 0"),
        (json!("0.0.0.0:3000"), "web 0.0.0.0:3000"),
        (json!("tcp:3000"), "web 3000"),
        (json!("tcp:127.0.0.1:0"), "web 127.0.0.1:0"),
        (json!("[::]:3001"), "web [::]:3001"),
        (json!("[0:0::1]:3001"), "web [::1]:3001"),
        (json!("[fe80::1%lo]:3001"), "web [fe80::1%lo]:3001"),
        (json!("udp:53"), "web udp:53"),
        (json!("udp:0.0.0.0:53"), "web udp:0.0.0.0:53"),
        (json!("udp:[::1]:53"), "web udp:[::1]:53"),
        (json!("/run/x.sock"), "web unix:/run/x.sock"),
        (json!("unix:/run/x.sock"), "web unix:/run/x.sock"),
        (json!("unix:x.sock"), "web unix:$D/x.sock"),
        (json!("./x.sock"), "web unix:$D/x.sock"),
        (json!("~/x.sock"), "web unix:$D/home/x.sock"),
        (json!("unix:sub/../a:b.sock"), "web unix:$D/a:b.sock"),
        (json!({ "address": 3000, "name": "http" }), "http 3000"),
        (json!({ "address": "udp:53", "name": "a b" }), "a b udp:53"),
    ];
    for (value, expected) in rows {
        let found = sockets(&bench, value.clone());
        assert_eq!(found, [expected], "{value}");
        assert_eq!(sockets(&bench, json!([value])), [expected]);
    }
    let several = json!([3000, { "address": "127.0.0.1:0", "name": "a" }, "127.0.0.1:0", "udp:3000"]);
    assert_eq!(sockets(&bench, several), ["web 3000", "a 127.0.0.1:0", "web 127.0.0.1:0", "web udp:3000"]);
    assert_eq!(sockets(&bench, json!([])), Vec::<String>::new());
}

#[test]
fn a_socket_file_is_for_the_user_alone_unless_said_otherwise() {
    let bench = Bench::new();
    let mode = |value: Value| {
        let app = serde_json::to_value(bench.app(json!({ "sockets": value }))).unwrap();
        app.pointer("/launch/sockets/0/address/unix/mode").cloned().unwrap()
    };
    assert_eq!(mode(json!("/run/x.sock")), 0o600);
    for (text, expected) in [("0660", 0o660), ("666", 0o666), ("0o777", 0o777), ("0", 0)] {
        assert_eq!(mode(json!({ "address": "/run/x.sock", "mode": text })), expected);
    }
}

#[test]
fn the_name_is_the_apps_as_far_as_the_protocol_can_hold_it() {
    let bench = Bench::new();
    let app = bench.app(json!({ "name_prefix": "é", "name": "web", "sockets": 3000 }));
    assert_eq!((app.name.as_str(), app.launch.sockets[0].name.as_str()), ("é:web", "--web"));
}

#[test]
fn what_is_wrong_with_an_address_is_told() {
    let bench = Bench::new();
    let shapes = "an address (like `3000`, `127.0.0.1:3000`, `[::1]:3000`, `udp:53`, `unix:/run/app.sock`), an object with \
                  `address`, or an array of these";
    let long = format!("/{}", "x".repeat(107));
    let name = "\n  hint: a name is printable ASCII without a colon, at most 255 bytes";
    let names = "\n  hint: write `127.0.0.1:3000` for this machine alone, `3000` for every address";
    let every = "\n  hint: `3000` alone listens on every address";
    let mode = "must have a mode of octal digits as text, like `'0660'`";
    let rows = [
        (json!(true), format!("must be {shapes}, found the boolean `true`")),
        (json!([[3000]]), format!("must be {shapes}, found an array")),
        (json!([null]), format!("must be {shapes}, found null")),
        (json!(""), "has ``, which is no address".into()),
        (json!("a\0b"), "has `a\\0b`, which is no address".into()),
        (json!("http"), format!("has `http`, which is no address\n  hint: it must be {shapes}")),
        (json!(70_000), "has `70000`, which is no port (0 to 65535)".into()),
        (json!("udp:70000"), "has `udp:70000`, which is no port (0 to 65535)".into()),
        (json!(1.5), format!("has `1.5`, which is no address\n  hint: it must be {shapes}")),
        (json!(-1), format!("has `-1`, which is no address\n  hint: it must be {shapes}")),
        (json!("127.0.0.1:+80"), "has `127.0.0.1:+80`, which does not end in a port (0 to 65535)".into()),
        (json!("127.0.0.1:http"), "has `127.0.0.1:http`, which does not end in a port (0 to 65535)".into()),
        (
            json!("localhost:3000"),
            format!("has `localhost:3000`, which is no IP address: names are not looked up{names}"),
        ),
        (json!("1.2.3:3000"), format!("has `1.2.3:3000`, which is no IP address: names are not looked up{names}")),
        (json!("*:3000"), format!("has `*:3000`, which is no address{every}")),
        (json!(":3000"), format!("has `:3000`, which is no address{every}")),
        (json!("::1:3000"), "has `::1:3000`, an IPv6 address without brackets\n  hint: write `[::1]:3000`".into()),
        (json!("[::g]:3000"), "has `[::g]:3000`, which has no IPv6 address in its brackets".into()),
        (json!("[127.0.0.1]:3000"), "has `[127.0.0.1]:3000`, which has no IPv6 address in its brackets".into()),
        (json!("[fe80::1%]:3000"), "has `[fe80::1%]:3000`, which has no IPv6 address in its brackets".into()),
        (
            json!("tcp://0.0.0.0:3000/"),
            "has `tcp://0.0.0.0:3000/`, which is a URL\n  hint: write it without the scheme: `0.0.0.0:3000`".into(),
        ),
        (json!("@web"), "has `@web`: abstract sockets cannot be used\n  hint: give it a path".into()),
        (json!("unix:"), "has `unix:`, which is not the path of a file".into()),
        (json!("/run/"), "has `/run/`, which is not the path of a file".into()),
        (json!(".."), format!("has `..`, which is no address\n  hint: it must be {shapes}")),
        (json!("./.."), "has `./..`, which is not the path of a file".into()),
        (json!("udp:/run/x.sock"), format!("has `udp:/run/x.sock`, which is no address\n  hint: it must be {shapes}")),
        (json!(long), format!("has `{long}`, which is longer than the 107 bytes that an address holds")),
        (json!([3000, 3000]), "has `3000` twice".into()),
        (json!(["[::1]:1", "[0::1]:1"]), "has `[::1]:1` twice".into()),
        (json!(["/x/a", "unix:/x/../x/a"]), "has `unix:/x/a` twice".into()),
        (json!((1000..1065).collect::<Vec<_>>()), "has 65 addresses; 64 are possible".into()),
        (json!({ "name": "x" }), "has an object without `address`".into()),
        (json!({ "address": [1] }), "must have text as `address`, found an array".into()),
        (json!({ "address": 1, "name": 3 }), "must have text as `name`, found the number `3`".into()),
        (json!({ "adress": 1 }), "has the unknown key `adress`\n  hint: known are `address`".into()),
        (json!({ "port": 1 }), "has the unknown key `port`\n  hint: known are `address`, `name`, `mode`".into()),
        (json!({ "address": 1, "name": "" }), format!("has the name ``, which `LISTEN_FDNAMES` cannot hold{name}")),
        (
            json!({ "address": 1, "name": "a:b" }),
            format!("has the name `a:b`, which `LISTEN_FDNAMES` cannot hold{name}"),
        ),
        (json!({ "address": 1, "name": "é" }), format!("has the name `é`, which `LISTEN_FDNAMES` cannot hold{name}")),
        (json!({ "address": 1, "mode": "600" }), "has a `mode` for `1`, which is no file".into()),
        (json!({ "address": "/x", "mode": 660 }), mode.into()),
        (json!({ "address": "/x", "mode": "0888" }), mode.into()),
        (json!({ "address": "/x", "mode": "1777" }), mode.into()),
    ];
    for (value, expected) in rows {
        let found = refused(&bench, bench.object(json!({ "script": "app.js", "name": "app", "sockets": value })));
        assert_eq!(found, format!("options: `sockets` of app `app` {expected}"), "{value}");
    }
}

#[test]
fn a_wrong_address_is_found_in_its_file() {
    let bench = Bench::new();
    let found = refused(&bench, bench.file("e.yaml", "script: app.js\nsockets: [80, localhost:3000]\n"));
    assert!(found.starts_with("e.yaml:2:10: `sockets` of app `app` has `localhost:3000`"), "{found}");
    let found = refused(&bench, bench.file("e.toml", "script = 'app.js'\nname = 'a'\nsockets = ['x', '/x']\n"));
    assert!(found.starts_with("e.toml:3:11: "), "{found}");
}

#[test]
fn sockets_are_for_fork_mode_and_make_it_the_default() {
    let bench = Bench::new();
    use rewake_wire::ExecMode::{Cluster, Fork};
    let mode = |keys| bench.app(keys).launch.exec_mode;
    assert_eq!(mode(json!({ "instances": 2, "sockets": 3000 })), Fork);
    assert_eq!(mode(json!({ "instances": 2, "sockets": [] })), Cluster);
    let drain = |keys| bench.app(keys).launch.drain;
    assert!(!drain(json!({ "sockets": 3000 })), "nothing is loaded into it unless it asks");
    assert!(drain(json!({ "sockets": 3000, "drain": true })));
    let keys = json!({ "script": "app.js", "exec_mode": "cluster", "sockets": 3000 });
    let expected = "options: `sockets` is for fork mode: workers in cluster mode share what they listen on\n  \
                    hint: leave `sockets` out, or use `exec_mode: fork`";
    assert_eq!(refused(&bench, bench.object(keys)), expected);
}
