//! Bad input and faults, against the real daemon: each gives one clear error and changes nothing else.

mod faults {
    mod clients;
    mod homes;
    mod limits;
    mod link;
    mod programs;
    mod tables;
}
