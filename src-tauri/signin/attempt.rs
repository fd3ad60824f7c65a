//! One try to sign in, on either way, and the end of a session at the provider. Each is a future that can be dropped at any point.

use super::{
    Pause, SignInConfig, SignInError,
    callback::{Expected, Redirect},
    loopback::Loopback,
    provider::{Attempt, Grant, Provider},
    secrets::{Secrets, SecretsError},
};
use crate::links::LinkError;
use std::time::Duration;
use url::Url;

/// A page of the provider, and the port that the browser comes back to.
pub(super) struct InBrowser {
    pub(super) attempt: Attempt,
    loopback: Loopback,
}

impl InBrowser {
    /// The port first, so that nobody can be faster than us; then the provider.
    pub(super) async fn begin(provider: &Provider) -> Result<Self, SignInError> {
        let loopback = Loopback::open().await.map_err(SignInError::Port)?;
        let attempt = provider.begin(loopback.redirect_address()).await?;
        Ok(Self { attempt, loopback })
    }

    /// Waits for the browser to come back, for as long as a person may take.
    pub(super) async fn finish(self, provider: &Provider, wait: Wait) -> Result<Grant, SignInError> {
        let Wait { brand, pause, patience } = wait;
        let expected = Expected {
            state: self.attempt.state.clone(),
            issuer: provider.issuer().to_owned(),
            issuer_required: self.attempt.issuer_required,
            host: self.loopback.host(),
        };
        let redirect = tokio::select! {
            redirect = self.loopback.wait(&expected, &brand) => redirect.map_err(SignInError::Port)?,
            () = pause(patience) => return Err(SignInError::TimedOut),
        };
        match redirect {
            Redirect::Code(code) => Ok(provider.finish(self.attempt, code).await?),
            Redirect::Denied(reason) => Err(SignInError::Denied(reason)),
        }
    }
}

/// How the browser's coming back is waited for.
pub(super) struct Wait {
    brand: String,
    pause: Pause,
    patience: Duration,
}

impl Wait {
    pub(super) fn of(config: &SignInConfig) -> Self {
        Self { brand: config.brand.clone(), pause: config.pause.clone(), patience: config.patience }
    }
}

/// Whether a browser was started for the page.
pub(super) async fn opened(open: fn(&Url) -> Result<(), LinkError>, page: Url) -> bool {
    let started = tokio::task::spawn_blocking(move || open(&page)).await;
    let reason = match started {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(reason, "the sign-in page did not open");
    false
}

/// Ends a session nobody waits for: out of the store, and revoked at the provider if that can be reached.
pub(super) async fn end_session(provider: Provider, secrets: Secrets, in_memory: Option<String>) {
    let stored = match secrets.take().await {
        Ok(token) => token,
        Err(SecretsError::None) => None,
        Err(error) => {
            tracing::warn!(%error, "the session cannot be taken out of the secret store");
            None
        }
    };
    let Some(token) = in_memory.or(stored) else { return };
    if let Err(error) = provider.revoke(&token).await {
        tracing::warn!(%error, "the session could not be ended at the provider");
    }
}
