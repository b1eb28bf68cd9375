//! Apps that send sockets: each must be answered once, or the app falls silent; never twice, or it aborts.

use super::{BOTH, app::with_each};

/// Sends three handles with messages before, between and behind them.
const SENDER: &str = "
    const net = require('net'), dgram = require('dgram');
    const server = net.createServer(), udp = dgram.createSocket('udp4'), TEXT = 'x'.repeat(SIZE);
    server.listen(0, '127.0.0.1', () => udp.bind(0, '127.0.0.1', () => {
        const socket = net.connect(server.address().port, '127.0.0.1', () => {
            process.send({ n: 0 });
            process.send({ n: 1, TEXT }, socket);
            process.send({ n: 2 });
            process.send({ n: 3, TEXT }, server);
            process.send({ n: 4, TEXT }, udp);
            process.send({ n: 5 });
            process.on('message', m => { process.send(m); process.exit(7) });
        });
    }));
    process.on('warning', w => process.send(w.name));";

#[test]
fn an_app_that_sends_handles_goes_on_talking() {
    // The second size takes several reads for each handle message.
    for size in [0, 300_000] {
        let text = "x".repeat(size);
        with_each(&BOTH, &SENDER.replace("SIZE", &size.to_string()), |app| {
            for number in 0..=5 {
                match number {
                    1 | 3 | 4 => app.expect_message(&format!("{{\"n\":{number},\"TEXT\":\"{text}\"}}")),
                    _ => app.expect_message(&format!("{{\"n\":{number}}}")),
                }
            }
            assert_eq!(app.answers, 3, "{}", app.name);
            assert!(app.descriptors.is_empty(), "{}", app.name);
            app.send("\"still there\"");
            app.expect_message("\"still there\"");
            assert_eq!(app.next(), None);
            assert_eq!(app.exit().code(), Some(7), "{}", app.name);
        });
    }
}

#[test]
fn an_app_whose_descriptors_are_lost_goes_on_talking() {
    with_each(&BOTH, &SENDER.replace("SIZE", "1"), |app| {
        app.lose_descriptors = true;
        // Node sends the socket again three times, then warns; servers it does not send again. No message is lost or
        // doubled.
        let mut got: Vec<String> = (0..7).map(|_| app.message()).collect();
        got.sort();
        let mut expected = [
            "\"SentHandleNotReceivedWarning\"",
            "{\"n\":0}",
            "{\"n\":1,\"TEXT\":\"x\"}",
            "{\"n\":2}",
            "{\"n\":3,\"TEXT\":\"x\"}",
            "{\"n\":4,\"TEXT\":\"x\"}",
            "{\"n\":5}",
        ];
        expected.sort_unstable();
        assert_eq!(got, expected, "{}", app.name);
        assert_eq!(app.answers, 4 + 2, "{}", app.name);
        app.send("1");
        app.expect_message("1");
    });
}
