//! What becomes of apps when daemon and keeper are replaced or die: nothing, as far as it can be had. Against real processes, under load.

#[path = "cluster/http.rs"]
#[expect(dead_code, reason = "the tests of clusters use all of it")]
mod http;

#[path = "survival/messages.rs"]
mod messages;

mod supervisor {
    mod bad;
    mod both;
    mod keeper;
    mod load;
    mod said;
    mod setup;
    mod update;
}
