//! The one class that JavaScript sees. Every method returns at once; answers come by mail.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, Status};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue};
use napi_derive::napi;
use tokio::sync::mpsc::UnboundedSender;

use crate::mailbox::{Mailbox, Wake};
use crate::options::Open;
use crate::thread::{self, Posted};

/// Calls JavaScript's `wake` on its own thread. Weak: that alone does not keep Node's event loop alive.
type WakeFunction = ThreadsafeFunction<(), UnknownReturnValue, (), Status, false, true>;

/// [`Wake`] for Node.
pub(crate) struct NodeWake(WakeFunction);

impl Wake for NodeWake {
    fn wake(&self) {
        // `Closing` means that the environment is being torn down: nobody is left who could read.
        self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// A supervisor, ours or the daemon's, worked on by a thread of its own that lives as long as this object or until `close`.
#[napi]
pub struct Session {
    posts: Option<UnboundedSender<Posted>>,
    mailbox: Arc<Mailbox<NodeWake>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("open", &self.posts.is_some()).finish_non_exhaustive()
    }
}

#[napi]
impl Session {
    /// Begins to open a session. The first mail, with id 0, is `opened` or `closed`. `wake` is called without arguments whenever
    /// there is mail to `take`.
    ///
    /// # Errors
    /// When the options are not understood or the thread cannot be made.
    #[napi(constructor)]
    pub fn new(options: String, wake: WakeFunction) -> napi::Result<Self> {
        let open: Open =
            serde_json::from_str(&options).map_err(|error| napi::Error::new(Status::InvalidArg, error.to_string()))?;
        let mailbox = Arc::new(Mailbox::new(NodeWake(wake)));
        let posts = thread::start(open, Arc::clone(&mailbox))
            .map_err(|error| napi::Error::new(Status::GenericFailure, format!("failed to make a thread: {error}")))?;
        Ok(Self { posts: Some(posts), mailbox })
    }

    /// Hands a call to the thread. False once the session is closed: then no answer will come.
    #[napi]
    pub fn post(&self, id: i64, post: String) -> bool {
        self.posts.as_ref().is_some_and(|posts| posts.send(Posted { id, text: post }).is_ok())
    }

    /// All mails since the last time, as the text of a JSON array of `[id, mail]`.
    #[napi]
    pub fn take(&self) -> String {
        self.mailbox.take()
    }

    /// Whether the session keeps Node's event loop alive; at first it does not.
    ///
    /// # Errors
    /// When Node refuses, which it does while it tears the environment down.
    #[napi]
    pub fn hold(&self, env: Env, held: bool) -> napi::Result<()> {
        let handle = &self.mailbox.waker().0.handle;
        handle.with_read_aborted(|aborted| {
            if aborted {
                return Ok(());
            }
            // SAFETY: the function lives, because it is not aborted and cannot become so while the lock is held, and this is the
            // thread of `env`, to which the function belongs.
            let status = unsafe {
                if held {
                    napi::sys::napi_ref_threadsafe_function(env.raw(), handle.get_raw())
                } else {
                    napi::sys::napi_unref_threadsafe_function(env.raw(), handle.get_raw())
                }
            };
            if status == napi::sys::Status::napi_ok {
                Ok(())
            } else {
                Err(napi::Error::new(status.into(), "failed to change what keeps the event loop alive"))
            }
        })
    }

    /// Ends the session. Embedded, its workers are told to stop by the keeper. The last mail is `closed`.
    #[napi]
    pub fn close(&mut self) {
        self.posts = None;
    }
}
