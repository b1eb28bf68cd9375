//! `rewake send-signal`.

use crate::home::Home;

#[test]
fn a_signal_arrives_by_any_of_its_names() {
    let home = Home::new();
    home.file("app.js", "let n = 0; process.on('SIGUSR2', () => console.log('signal', ++n)); console.log('up'); setInterval(() => {}, 1000);");
    home.run("start app.js").good();
    home.wait_for_output("app", "up");
    for (n, name) in ["SIGUSR2", "USR2", "12"].iter().enumerate() {
        let verb = if n == 1 { "sendSignal" } else { "send-signal" };
        home.run(&format!("{verb} {name} app")).good();
        home.wait_for_output("app", &format!("signal {}", n + 1));
    }
    assert!(home.run("send-signal NOPE app").bad().err.contains("NOPE"));
    home.run("send-signal USR2 nosuch").bad();
    home.run("stop app").good();
    home.run("send-signal USR2 app").bad();
}
