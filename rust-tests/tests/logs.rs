//! Output of apps, against the real daemon: every byte once and in order, whatever dies, fills up or is taken away meanwhile.

mod logs {
    mod capture;
    mod disk;
    mod exits;
    mod faults;
    mod formats;
    mod rotation;
    mod system;
}
