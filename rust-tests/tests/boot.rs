//! The beginning and the end of a supervisor: what a service manager sees, what a signal stops, what a reboot brings back.

mod boot {
    mod container;
    mod ending;
    mod folk;
    mod foreground;
    mod service;
}
