//! A port of the router for the peers outside: asked for, renewed, given back.
//!
//! Without it two homes behind routers never meet. One task for a session; whether there is to be a mapping may change
//! while it runs. What it comes to is told in a [`State`], and decides the port that trackers hear.

mod router;

use router::Mapping;
pub(super) use router::is_public;
use std::{num::NonZeroU16, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// How soon a router that gave nothing is asked again.
const RETRY: Duration = Duration::from_secs(15 * 60);
/// How long giving back may take at the end.
const END_MAX: Duration = Duration::from_secs(1);
/// How long somebody who wants to know waits for a router that was asked.
const SETTLE_MAX: Duration = Duration::from_secs(15);

/// Whether peers on the internet can connect to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reachability {
    /// Nothing speaks for it or against it.
    #[default]
    Unknown,
    /// Somebody did, or the router leads here.
    Reachable,
    /// Behind a router that gives no port, or behind two.
    Unreachable,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Nobody asked, or nobody answered yet.
    #[default]
    None,
    /// The router leads this port of its own here; from the internet where `public`.
    Mapped { port: u16, public: bool },
    /// It does not; with a public address of our own that may not matter.
    Refused { public: bool },
}

impl State {
    pub(super) fn reachability(self) -> Reachability {
        match self {
            Self::Mapped { public: true, .. } => Reachability::Reachable,
            Self::Mapped { public: false, .. } | Self::Refused { public: false } => Reachability::Unreachable,
            Self::None | Self::Refused { public: true } => Reachability::Unknown,
        }
    }
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Off,
    On,
    End,
}

/// The session's hold on it.
#[derive(Debug)]
pub(super) struct PortMap {
    wish: watch::Sender<Wish>,
    state: watch::Receiver<State>,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl PortMap {
    /// Begins. `port` is where we listen; `external` is told the port that peers outside reach.
    pub(super) fn start(port: NonZeroU16, on: bool, external: watch::Sender<u16>) -> Self {
        let (wish, wishes) = watch::channel(if on { Wish::On } else { Wish::Off });
        let (tell, state) = watch::channel(State::None);
        let task = Task { port, wishes, tell, external };
        let task = std::sync::Mutex::new(Some(tokio::spawn(task.run())));
        Self { wish, state, task }
    }

    pub(super) fn set(&self, on: bool) {
        self.wish.send_replace(if on { Wish::On } else { Wish::Off });
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Waits until the router that is asked has answered, for a bounded time.
    pub(super) async fn settled(&self) {
        if *self.wish.borrow() == Wish::On {
            let mut state = self.state.clone();
            let answered = state.wait_for(|state| *state != State::None);
            // Who does not answer gives no port.
            let _ = tokio::time::timeout(SETTLE_MAX, answered).await;
        }
    }

    /// Gives the port back, for a bounded time.
    pub(super) async fn end(&self) {
        self.wish.send_replace(Wish::End);
        let task = self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(END_MAX, task).await;
        }
    }
}

struct Task {
    port: NonZeroU16,
    wishes: watch::Receiver<Wish>,
    tell: watch::Sender<State>,
    external: watch::Sender<u16>,
}

impl Task {
    async fn run(mut self) {
        // An error means that the session is gone.
        while self.wishes.has_changed().is_ok() {
            let wish = *self.wishes.borrow_and_update();
            match wish {
                Wish::End => return,
                Wish::Off => {
                    self.told(State::None);
                    let _ = self.wishes.changed().await;
                }
                Wish::On => {
                    // Not cut short: a mapping that the router made and nobody knows of would stay.
                    match Mapping::open(self.port).await {
                        Ok(mapping) => self.hold(mapping).await,
                        Err(error) => {
                            tracing::info!(%error, "no port of the router");
                            self.told(State::Refused { public: has_public_address().await });
                            self.rest(RETRY).await;
                        }
                    }
                }
            }
        }
    }

    /// Keeps a mapping until it is not wanted any more or the router takes it back.
    async fn hold(&mut self, mut mapping: Mapping) {
        loop {
            let public = mapping.reaches_the_internet();
            tracing::info!(port = mapping.external_port, ip = ?mapping.external_ip, "the router leads here");
            self.told(State::Mapped { port: mapping.external_port, public });
            if !self.rest(mapping.renew_after()).await {
                if let Err(error) = mapping.close().await {
                    tracing::info!(%error, "the router keeps the port until its lease ends");
                }
                return;
            }
            if let Err(error) = mapping.renew().await {
                tracing::info!(%error, "the router does not renew");
                return;
            }
        }
    }

    /// Waits; cut short, and so not whole, when the mapping is not wanted any more.
    async fn rest(&mut self, time: Duration) -> bool {
        let wanted = tokio::time::timeout(time, self.wishes.wait_for(|wish| *wish != Wish::On));
        wanted.await.is_err()
    }

    fn told(&self, state: State) {
        self.tell.send_replace(state);
        let port = match state {
            State::Mapped { port, .. } => port,
            State::None | State::Refused { .. } => self.port.get(),
        };
        self.external.send_if_modified(|known| std::mem::replace(known, port) != port);
    }
}

/// Whether this machine has an address of the internet itself.
async fn has_public_address() -> bool {
    let listed = tokio::task::spawn_blocking(if_addrs::get_if_addrs).await;
    let Ok(Ok(interfaces)) = listed else { return false };
    interfaces.iter().any(|interface| is_public(interface.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_router_behind_another_is_no_way_in() {
        for (state, expected) in [
            (State::None, Reachability::Unknown),
            (State::Mapped { port: 1, public: true }, Reachability::Reachable),
            (State::Mapped { port: 1, public: false }, Reachability::Unreachable),
            (State::Refused { public: false }, Reachability::Unreachable),
            (State::Refused { public: true }, Reachability::Unknown),
        ] {
            assert_eq!(state.reachability(), expected, "{state:?}");
        }
        for (ip, public) in [
            ("203.0.113.7", true),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("2001:db8::1", true),
            ("fd00::1", false),
        ] {
            assert_eq!(is_public(ip.parse().expect("an address")), public, "{ip}");
        }
    }
}
