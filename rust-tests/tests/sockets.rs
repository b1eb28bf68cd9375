//! `sockets`: listening sockets that belong to the supervisor and outlive every process, against the real daemon. For the `node` of the
//! PATH and for every one in `REWAKE_TEST_NODES` (colon separated).

mod sockets {
    mod closing;
    mod http;
    mod keeping;
    mod passing;
    mod python;
    mod refusing;
    mod reload;
}
