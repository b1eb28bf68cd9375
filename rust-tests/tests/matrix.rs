//! Cluster mode, item by item: what a worker may do under Node's own primary it may do under ours, on every Node of
//! `REWAKE_TEST_NODES` and in every mode of `cluster_balance`. Workers are unmodified scripts; never one that knows of Rewake.

mod matrix {
    mod support;

    mod balance;
    mod daemon;
    mod documented;
    mod errors;
    mod families;
    mod garbage;
    mod inspect;
    mod kinds;
    mod life;
    mod luck;
    mod messages;
    mod reload;
    mod scale;
    mod sight;
    mod tls;
}
