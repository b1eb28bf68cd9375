//! Cluster mode with unmodified Node scripts, against the real daemon. For the `node` of the PATH and for every one in
//! `REWAKE_TEST_NODES` (colon separated).

mod cluster {
    mod balance;
    mod http;
    mod listening;
    mod reload;
    mod workers;
}
