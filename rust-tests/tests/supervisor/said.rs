//! Messages to an app and from it, half said and half sent, while keepers die, daemons die and executables take over: what a channel
//! holds is with each new keeper, too.

use std::fs;

use rust_tests::home::{Home, executable, kill, until};

use crate::messages::{Messages, TALKER};
use crate::supervisor::setup::{keepers, new_keeper};

#[test]
fn what_is_said_is_neither_lost_nor_doubled_by_keepers_daemons_and_updates() {
    let home = Home::new();
    home.write("talker.js", TALKER);
    home.rewake(["start", "talker.js", "--name", "talker"]).ok();
    let copy = home.folder().join("rewake-new");
    fs::copy(executable(), &copy).unwrap();
    let (pid, messages) = (home.slots("talker")[0].0, Messages::begin(home.path(), home.folder()));
    let mut keeper = keepers(&home)[0];
    for round in 0..12 {
        messages.wait_for(5);
        match round % 3 {
            0 => {
                kill(keeper);
                keeper = new_keeper(&home, keeper);
            }
            1 => {
                let daemon = home.daemon();
                kill(daemon.unwrap());
                until("another daemon serves", || home.daemon() != daemon && home.rewake(["ping"]).code == 0);
            }
            _ => {
                let next = if round % 2 == 0 { executable() } else { copy.clone() };
                home.rewake(["update".as_ref(), next.as_os_str()]).ok();
            }
        }
        assert_eq!(home.slots("talker")[0].0, pid, "round {round}");
    }
    messages.end();
    assert_eq!(home.slots("talker")[0].0, pid);
}
