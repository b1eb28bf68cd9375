//! Link arguments that a Node addon needs. Never looks at anything but the target.

fn main() {
    napi_build::setup();
}
