//! What crosses Rewake's sockets and what it writes to disk: types, framing with a maximum, versions.
//! Never holds behaviour, and never uses the core's types: the edges translate.

pub mod app;
pub mod error;
pub mod event;
pub mod frame;
pub mod handover;
pub mod hello;
pub mod info;
pub mod keeper;
pub mod request;
pub mod snapshot;
pub mod socket;
pub mod store;

pub use app::{
    AppSpec, ClusterBalance, ExecMode, LaunchSpec, LogCapture, LogSpec, LogTarget, PolicySpec, Rotation, StopWith,
    SystemLog,
};
pub use error::{ErrorCode, ErrorReply};
pub use event::{Event, ExitInfo, ExitRecord, LogLines, Message, ProcessEvent, ProcessEventKind, Stream};
pub use frame::{Decoder, FrameError, MAX_FRAME_BYTES, encode};
pub use hello::{Hello, PROTOCOL, Welcome};
pub use info::{ClusterInfo, ListenInfo, SlotInfo, Status};
pub use request::{
    Call, ClientFrame, Done, EnvChange, LogFilter, Reply, Request, ScaleTo, ServerFrame, SlotResult, Subscribe,
    WhenKnown,
};
pub use socket::{SocketAddress, SocketInfo, SocketSpec};
