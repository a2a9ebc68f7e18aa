//! The control socket: `<state.path>/control.sock`, mode 0600, for root and the daemon's own user.
//!
//! Assumption: the caller holds the state folder, so that a socket that lies there is nobody's any more.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use axum::Router;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tracing::error;
use tracing::warn;

use super::caller::Peer;
use super::server;
use super::server::Incoming;
use super::server::Listener;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;

/// The longest path of a socket, in bytes: the system's limit with its end sign.
const LONGEST_PATH: usize = 107;

/// The socket of a held state folder. What an earlier daemon left there is replaced.
pub(super) fn bind(path: &Path) -> Result<UnixListener, AppError> {
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(AppError::usage(
            format!(
                "the path of the control socket, {}, is longer than the {LONGEST_PATH} bytes that a system takes",
                path.display()
            ),
            "name a shorter `path` under [state]; a relative one counts with the folder of `--config`, as that is written",
        ));
    }
    opened(path).map_err(|cause| {
        let shown = ErrorText {
            what: format!("cannot open the control socket {}", path.display()),
            causes: vec![cause.to_string()],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Failed,
            shown.advise("take away what stands at this path, or check the permissions of the state folder, and that its file system has sockets"),
        )
    })
}

fn opened(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        // Anything else is not ours to remove: binding says what is in the way.
        Ok(there) if there.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // The process's mask keeps it private from the first moment on; its mode says so too.
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the socket until `stop`, then those who came in.
pub(super) async fn serve(listener: UnixListener, router: Router, stop: CancellationToken) {
    let own = rustix::process::geteuid().as_raw();
    match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => server::serve(Socket { listener, own }, router, stop).await,
        Err(error) => error!("The control socket is not served: {error}"),
    }
}

struct Socket {
    listener: tokio::net::UnixListener,
    own: u32,
}

impl Listener for Socket {
    type Stream = UnixStream;
    const NAME: &'static str = "the control socket";

    async fn next(&mut self) -> io::Result<Option<Incoming<UnixStream>>> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        if !may_enter(uid, self.own) {
            warn!(
                uid,
                "A connection of user {uid} to the control socket was refused"
            );
            return Ok(None);
        }
        Ok(Some(Incoming {
            peer: Peer::Socket { uid },
            stream: Box::pin(std::future::ready(Ok(stream))),
        }))
    }
}

/// Root, and whoever the daemon runs as.
const fn may_enter(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_daemons_own_user_may_enter() {
        for (uid, own, expected) in [
            (0, 991, true),
            (991, 991, true),
            (1000, 991, false),
            (1000, 0, false),
        ] {
            assert_eq!(may_enter(uid, own), expected, "{uid} at {own}'s");
        }
    }

    #[test]
    fn what_an_earlier_daemon_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists(), "a socket outlives its process");
        let held = bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(held);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file of somebody's").unwrap();
        assert_eq!(bind(&path).unwrap_err().kind, ErrorKind::Failed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody's");
    }

    #[test]
    fn a_path_that_is_too_long_names_the_setting() {
        let error = bind(Path::new(&"x".repeat(LONGEST_PATH + 1))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.errors[0].advice.as_ref().unwrap().contains("[state]"));
    }
}
