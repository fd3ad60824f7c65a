//! Who is playing: sign-in by OpenID Connect in the system's browser, and a session that outlives the launcher.
//!
//! Follows RFC 8252 (native apps: system browser, loopback redirect), RFC 7636 (PKCE, S256), RFC 8628 (codes for another device), RFC
//! 9207 (issuer in the answer) and OpenID Connect Core. Invariant: one task owns the state; the window sees [`Account`] and nothing else, no token crosses to it.
//! A network failure never signs a player out, and a locked secret store never loses a session.

mod attempt;
mod callback;
mod loopback;
mod provider;
mod record;
mod secrets;
mod session;

pub(crate) use provider::ProviderConfig;
pub(crate) use secrets::Secrets;

use crate::{
    failure::{Code, Failure},
    http::HttpError,
    links::LinkError,
};
use futures_util::future::BoxFuture;
use provider::{Provider, ProviderError};
use secrets::SecretsError;
use serde::Serialize;
use session::Session;
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use ts_rs::TS;
use url::Url;

/// Who is signed in, as the window shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Account {
    /// Nobody.
    SignedOut,
    /// The browser has the word. `url` is empty until the provider was reached, then the page for people whose browser did not open.
    Waiting {
        /// The provider's page.
        url: String,
        /// Whether it can be done on another device instead.
        elsewhere: bool,
    },
    /// Another device has the word. All is empty until the provider was reached.
    Elsewhere {
        /// What is typed in there.
        code: String,
        /// The page to type it into.
        url: String,
        /// The same page with the code in it, to be copied; where the provider has none, the page.
        link: String,
    },
    /// Somebody.
    SignedIn {
        /// The name the provider gave.
        name: String,
        /// The picture's address in the launcher's scheme; `null` as long as the launcher serves none.
        picture: Option<String>,
        /// Where the session is kept.
        kept: Kept,
        /// Why the session could not be renewed the last time, if it could not. Playing goes on.
        trouble: Option<Failure>,
    },
    /// The last try failed.
    Failed {
        /// How.
        failure: Failure,
    },
}

/// Where the session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    /// In the system's secret store: it survives a restart.
    SecretStore,
    /// In memory: no store was there, or it is locked.
    Memory,
}

/// What a sign-in needs to know and to touch.
pub(crate) struct SignInConfig {
    /// The identity provider and our name there.
    pub(crate) provider: ProviderConfig,
    /// The name on the page that the browser shows at the end.
    pub(crate) brand: String,
    /// The file that remembers who was signed in, without any secret.
    pub(crate) record: PathBuf,
    /// Where the session is kept.
    pub(crate) secrets: Secrets,
    /// How a page is opened in the browser.
    pub(crate) open: fn(&Url) -> Result<(), LinkError>,
    /// How long the browser may take.
    pub(crate) patience: Duration,
    /// How time passes.
    pub(crate) pause: Pause,
}

/// Waits for a while.
pub(crate) type Pause = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// How long a person may take in the browser.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Wishes waiting for the task; a person cannot click faster than it takes them.
const WISHES_MAX: usize = 8;

/// Why a sign-in, or the renewal of one, did not work.
#[derive(Debug, thiserror::Error)]
enum SignInError {
    #[error("no port on the loopback could be opened: {0}")]
    Port(#[source] io::Error),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("the sign-in was refused: {0}")]
    Denied(String),
    #[error("nobody came back from the browser in time")]
    TimedOut,
    #[error(transparent)]
    Locked(SecretsError),
}

impl SignInError {
    fn failure(&self) -> Failure {
        let code = match self {
            Self::Port(_) => Code::SignInPort,
            Self::Provider(ProviderError::Unreachable(_)) => Code::SignInUnreachable,
            Self::Provider(ProviderError::ClockWrong(_)) => Code::SignInClock,
            Self::Provider(ProviderError::SessionOver) => Code::SignInExpired,
            Self::Provider(ProviderError::Refused(_)) => Code::SignInRefused,
            Self::Provider(ProviderError::NoDeviceCodes) => Code::SignInNoCodes,
            Self::Denied(_) | Self::Provider(ProviderError::Denied) => Code::SignInDenied,
            Self::TimedOut | Self::Provider(ProviderError::CodeExpired) => Code::SignInTimeout,
            Self::Locked(_) => Code::SignInLocked,
        };
        code.failure(self.to_string())
    }
}

/// What the window may wish for.
#[derive(Clone, Copy, Debug)]
enum Wish {
    SignIn,
    Elsewhere,
    Cancel,
    SignOut,
}

/// The handle others hold.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    account: watch::Receiver<Account>,
    wishes: Option<mpsc::Sender<Wish>>,
}

impl SignIn {
    /// Starts on the current runtime: who was signed in last is so at once, and the session is renewed beside. Without a
    /// configuration the brand has no sign-in, and every wish is refused.
    pub(crate) fn start(config: Option<SignInConfig>) -> Result<Self, HttpError> {
        let (publish, account) = watch::channel(Account::SignedOut);
        let Some(config) = config else {
            return Ok(Self { account, wishes: None });
        };
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let provider = Provider::new(config.provider.clone())?;
        tokio::spawn(Session::new(config, provider, publish).run(wished));
        Ok(Self { account, wishes: Some(wishes) })
    }

    /// Who is signed in, and every later state.
    pub(crate) fn watch(&self) -> watch::Receiver<Account> {
        self.account.clone()
    }

    /// Who is signed in.
    pub(crate) fn account(&self) -> Account {
        self.account.borrow().clone()
    }

    /// Opens the provider's page, or renews the session of somebody signed in; the account says how it goes on.
    pub(crate) async fn sign_in(&self) -> Result<(), Failure> {
        self.wish(Wish::SignIn).await
    }

    /// Asks for a code to be typed in on another device; the account says how it goes on.
    pub(crate) async fn sign_in_elsewhere(&self) -> Result<(), Failure> {
        self.wish(Wish::Elsewhere).await
    }

    /// Gives up a sign-in that waits; otherwise nothing.
    pub(crate) async fn cancel(&self) -> Result<(), Failure> {
        self.wish(Wish::Cancel).await
    }

    /// Ends the session, here at once and at the provider as soon as it is reached.
    pub(crate) async fn sign_out(&self) -> Result<(), Failure> {
        self.wish(Wish::SignOut).await
    }

    async fn wish(&self, wish: Wish) -> Result<(), Failure> {
        let unavailable = || Code::SignInUnavailable.failure("there is no sign-in here");
        let wishes = self.wishes.as_ref().ok_or_else(unavailable)?;
        wishes.send(wish).await.map_err(|_| unavailable())
    }
}

#[cfg(test)]
mod tests;
