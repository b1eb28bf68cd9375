//! Ecosystem files and flags become checked app descriptions. Never runs policy, never evaluates JSON, never prints.

mod context;
mod error;
mod load;

mod formats;
mod node;
mod report;

mod check;
mod document;
mod draft;
mod keys;
mod read;
mod rotation;
mod shell_words;
mod suggest;

mod build;
mod environment;
mod interpreter;
mod log_files;
mod node_child;
mod package_version;
mod paths;
mod program;
mod script;
mod sockets;
mod typescript;
mod user;

pub use context::{Context, Loaded, Options};
pub use error::{ConfigErrors, Problem};
pub use formats::is_ecosystem_file;
pub use load::{load_file, load_object, load_script, load_text};
