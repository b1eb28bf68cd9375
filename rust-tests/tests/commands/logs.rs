//! `rewake logs`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use crate::home::{BOUND, Home, SLEEPER, finish, wait};

/// A script that says what it reads from a file as soon as it is there, so that tests decide when it speaks.
const SPEAKER: &str = r"
const fs = require('fs');
console.log('up');
setInterval(() => {
  for (const kind of ['log', 'error']) {
    const file = `${process.env.name}.${kind}`;
    if (fs.existsSync(file)) { const text = fs.readFileSync(file, 'utf8'); fs.unlinkSync(file); console[kind](text); }
  }
}, 5);
";

struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn new(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { child, lines }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.lines.recv_timeout(BOUND).expect("a line comes within the bound")
    }

    #[track_caller]
    fn interrupt(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut code = None;
        wait("logs ends after Ctrl-C", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(code.unwrap().code(), Some(0));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // Gone already is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn say(home: &Home, name: &str, kind: &str, text: &str) {
    // Written aside and moved: the speaker never sees half of it.
    home.file("draft", text);
    std::fs::rename(home.folder().join("draft"), home.folder().join(format!("{name}.{kind}"))).unwrap();
}

#[test]
fn the_last_lines_are_labelled_raw_or_json() {
    let home = Home::new();
    home.file(
        "app.js",
        &format!(
            "for (let i = 0; i < 30; i++) console.log('line', i, 'x'.repeat(1000)); console.error('oops'); {SLEEPER}"
        ),
    );
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let errors = home.path().join("logs/web-error.log");
    wait("the error is in its log, too", || std::fs::read_to_string(&errors).is_ok_and(|text| text == "oops\n"));
    let long = "x".repeat(1000);
    let lines = format!("0|web | line 28 {long}\n0|web | line 29 {long}\n0|web | up\n");
    // Lines that tell no time: the log that was written last comes at the end.
    let written = |file: &str, ago| {
        let file = File::options().append(true).open(home.path().join("logs").join(file)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(ago)).unwrap();
    };
    written("web-out.log", 10);
    written("web-error.log", 20);
    assert_eq!(home.run("logs web --nostream --lines 3").good().out, format!("0|web | oops\n{lines}"));
    written("web-out.log", 30);
    assert_eq!(home.run("logs web --nostream --lines 3").good().out, format!("{lines}0|web | oops\n"));
    let said = home.run("log web --nostream --lines 1 --raw --out").good();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("up\n", ""));
    assert_eq!(home.run("logs --nostream --raw --err").good().out, "oops\n");
    let said = home.run("logs --nostream --lines 1 --json --out").good();
    assert_eq!((&said.json()["message"], &said.json()["type"]), (&"up".into(), &"out".into()));
    assert_eq!(home.run("logs --nostream --lines 0 --raw").good().out, "");
}

#[test]
fn what_is_written_is_followed_through_flush_and_rotation() {
    let home = Home::new();
    home.file("app.js", SPEAKER);
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let following = Following::new(home.command(&["logs", "web"]));
    assert_eq!(following.next(), "0|web | up");
    say(&home, "web", "log", "one");
    assert_eq!(following.next(), "0|web | one");
    say(&home, "web", "error", "bad");
    assert_eq!(following.next(), "0|web | bad");
    home.run("flush web").good();
    say(&home, "web", "log", "after the flush");
    assert_eq!(following.next(), "0|web | after the flush");
    for time in ["first", "second"] {
        home.run("rotate web").good();
        say(&home, "web", "log", &format!("after the {time} rotation"));
        assert_eq!(following.next(), format!("0|web | after the {time} rotation"));
    }
    following.interrupt();
}

#[test]
fn apps_that_are_started_later_are_followed_too() {
    let home = Home::new();
    home.file("app.js", SPEAKER);
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let following = Following::new(home.command(&["logs", "--raw"]));
    assert_eq!(following.next(), "up");
    home.run("start app.js -n later").good();
    assert_eq!(following.next(), "up");
    say(&home, "later", "log", "from the later one");
    assert_eq!(following.next(), "from the later one");
    following.interrupt();
}

#[test]
fn restarts_scaling_deletion_and_a_new_beginning_are_followed() {
    let home = Home::new();
    home.file("app.js", SPEAKER);
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let following = Following::new(home.command(&["logs", "web"]));
    assert_eq!(following.next(), "0|web | up");
    home.run("restart web").good();
    assert_eq!(following.next(), "0|web | up");
    home.run("delete web").good();
    home.run("start app.js -n web").good();
    assert_eq!(following.next(), "0|web | up");
    let come_up = |count| {
        for _ in 0..count {
            let line = following.next();
            assert!(line.ends_with("web | up"), "{line}");
        }
    };
    home.run("scale web 2").good();
    // One that is replaced before it could speak says nothing.
    come_up(1);
    home.run("reload web").good();
    come_up(2);
    following.interrupt();
}

#[test]
fn ctrl_c_is_heard_when_nobody_reads() {
    let home = Home::new();
    home.file("app.js", "process.stdout.write('x'.repeat(99).concat('\\n').repeat(20000)); console.log('up'); setInterval(() => {}, 1000);");
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let words = ["logs", "web", "--raw", "--lines", "20001"];
    let mut child = home.command(&words).spawn().unwrap();
    // It writes: its pipe is full, or about to be.
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut code = None;
    wait("logs ends after Ctrl-C", || {
        code = child.try_wait().unwrap();
        code.is_some()
    });
    assert_eq!(code.unwrap().code(), Some(0));
}

#[test]
fn following_ends_with_the_daemon() {
    let home = Home::new();
    home.file("app.js", SPEAKER);
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let mut following = Following::new(home.command(&["logs"]));
    assert_eq!(following.next(), "0|web | up");
    home.run("kill").good();
    wait("logs has ended", || following.child.try_wait().unwrap().is_some());
    assert_eq!(following.child.try_wait().unwrap().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let home = Home::new();
    home.file("app.js", SPEAKER);
    home.run("start app.js -n web").good();
    home.wait_for_output("web", "up");
    let words = ["logs", "web", "--lines", "0"];
    let mut child = home.command(&words).spawn().unwrap();
    drop(child.stdout.take());
    let mut code = None;
    wait("logs ends when nobody reads", || {
        say(&home, "web", "log", "anybody?");
        code = child.try_wait().unwrap();
        code.is_some()
    });
    assert_eq!(code.unwrap().code(), Some(0));
}

#[test]
fn an_unknown_target_fails() {
    let home = Home::new();
    let words = ["logs", "nosuch"];
    let said = finish(home.command(&words).spawn().unwrap(), &words).bad();
    assert!(said.err.contains("`nosuch`"), "{said:?}");
}
