//! The refresh token's place: the system's secret store (Secret Service, Keychain, Credential Manager), or memory when there is none.
//!
//! Invariant: a store that is locked or missing is an answer, never a loss: nothing is deleted because it could not be read. Calls are
//! served in the order they were made, so a late deletion cannot hit a newer session.

use keyring::{Entry, Error};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How long a store may take; one that asks its owner for a password is given time for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// Locked, missing, or it refused.
    #[error("the secret store cannot be used: {0}")]
    Store(#[from] Error),
    /// It did not answer.
    #[error("the secret store does not answer")]
    Silent,
    /// No system store is used at all.
    #[error("no secret store is used")]
    None,
}

/// One secret's place.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Service and user as the system's store lists them; `None` keeps nothing.
    entry: Option<(String, String)>,
    turn: Arc<Mutex<()>>,
}

impl Secrets {
    /// An entry of the system's store.
    pub(crate) fn system(service: &str, user: &str) -> Self {
        Self { entry: Some((service.to_owned(), user.to_owned())), turn: Arc::default() }
    }

    /// No store: what is to be kept stays in memory.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { entry: None, turn: Arc::default() }
    }

    /// The secret, or `None` when the store holds none.
    pub(crate) async fn load(&self) -> Result<Option<String>, SecretsError> {
        self.with(|entry| match entry.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Keeps the secret in place of an older one.
    pub(crate) async fn store(&self, secret: String) -> Result<(), SecretsError> {
        self.with(move |entry| entry.set_password(&secret)).await
    }

    /// Takes the secret out of the store, in one turn.
    pub(crate) async fn take(&self) -> Result<Option<String>, SecretsError> {
        self.with(|entry| {
            let secret = match entry.get_password() {
                Ok(secret) => Some(secret),
                Err(Error::NoEntry) => return Ok(None),
                Err(error) => return Err(error),
            };
            entry.delete_credential()?;
            Ok(secret)
        })
        .await
    }

    /// Runs one call on a thread that may block, for the store is reached over a bus.
    async fn with<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, SecretsError> {
        let (service, user) = self.entry.clone().ok_or(SecretsError::None)?;
        let _turn = self.turn.lock().await;
        let blocking = tokio::task::spawn_blocking(move || call(&Entry::new(&service, &user)?));
        match tokio::time::timeout(PATIENCE, blocking).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) | Err(_) => Err(SecretsError::Silent),
        }
    }
}
