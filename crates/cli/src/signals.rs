//! Ctrl-C and SIGTERM. The first asks a verb to end cleanly, the second ends the program on the spot.

use std::io;
use tokio::sync::watch;

/// What asked us to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Tells everyone who waits about the first signal.
#[derive(Debug, Clone)]
pub(crate) struct Signals(watch::Receiver<Option<Signal>>);

impl Signals {
    /// Starts to listen; from here on a signal no longer ends the program by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, receiver) = watch::channel(None);
        let mut source = source::Source::new()?;
        tokio::spawn(async move {
            let first = source.next().await;
            sender.send_replace(Some(first));
            let second = source.next().await;
            std::process::exit(match second {
                Signal::Interrupt => 130,
                Signal::Terminate => 143,
            });
        });
        Ok(Self(receiver))
    }

    /// Waits for the first signal; returns at once if it has come.
    pub(crate) async fn wait(&self) -> Signal {
        let mut receiver = self.0.clone();
        let signal = match receiver.wait_for(Option::is_some).await {
            Ok(signal) => *signal,
            // The listening task never ends before the program.
            Err(_) => None,
        };
        match signal {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
mod source {
    use super::Signal;
    use std::io;
    use tokio::signal::unix::{self, SignalKind};

    pub(super) struct Source {
        interrupt: unix::Signal,
        terminate: unix::Signal,
    }

    impl Source {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                interrupt: unix::signal(SignalKind::interrupt())?,
                terminate: unix::signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Terminate,
            }
        }
    }
}

#[cfg(windows)]
mod source {
    use super::Signal;
    use std::io;
    use tokio::signal::windows::{self, CtrlBreak, CtrlC};

    pub(super) struct Source {
        interrupt: CtrlC,
        terminate: CtrlBreak,
    }

    impl Source {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self { interrupt: windows::ctrl_c()?, terminate: windows::ctrl_break()? })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Terminate,
            }
        }
    }
}
