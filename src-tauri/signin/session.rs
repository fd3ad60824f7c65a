//! The one task behind the account: it takes wishes, runs one job at a time and publishes what came of it.
//!
//! Invariant: a job is dropped whole when the player cancels or signs out; its port closes with it. What it found out is applied here,
//! in one place, after it has ended.

use super::{
    Account, Kept, SignInConfig, SignInError, Wish,
    callback::{Expected, Redirect},
    loopback::Loopback,
    provider::{Attempt, Grant, Provider, ProviderError},
    record::Record,
    secrets::{Secrets, SecretsError},
};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

/// What a job found out.
enum Outcome {
    /// The page is open, or could not be; either way the player may come back by it.
    Waiting(Box<(Attempt, Loopback)>),
    /// The sign-in has ended.
    Ended(Result<Grant, SignInError>),
    /// The renewal at the start has ended.
    Renewed(Result<Grant, ProviderError>),
    /// The store holds no session although one was remembered.
    Lost,
    /// The store cannot be read now; whoever was signed in stays so by name.
    Locked(SecretsError),
}

/// The task's state.
pub(super) struct Session {
    config: SignInConfig,
    provider: Provider,
    account: watch::Sender<Account>,
    /// Whoever is signed in, with the token where it is only kept in memory.
    record: Option<Record>,
    token: Option<String>,
    job: Option<BoxFuture<'static, Outcome>>,
}

impl Session {
    pub(super) fn new(config: SignInConfig, provider: Provider, account: watch::Sender<Account>) -> Self {
        Self { config, provider, account, record: None, token: None, job: None }
    }

    /// Runs until the last handle is gone.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        self.restore();
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(Wish::SignIn) => self.sign_in(),
                    Some(Wish::Cancel) => self.cancel(),
                    Some(Wish::SignOut) => self.sign_out(),
                    None => return,
                },
                outcome = next(&mut self.job) => {
                    self.job = None;
                    self.apply(outcome).await;
                }
            }
        }
    }

    /// Whoever was signed in last is so by name; the session is renewed beside.
    fn restore(&mut self) {
        self.record = Record::load(&self.config.record, self.provider.issuer());
        let Some(record) = self.record.clone() else { return };
        self.publish_signed_in(Kept::SecretStore);
        let (provider, secrets) = (self.provider.clone(), self.config.secrets.clone());
        self.job = Some(Box::pin(async move {
            match secrets.load().await {
                Ok(Some(token)) => Outcome::Renewed(provider.renew(&token, &record.subject).await),
                Ok(None) => Outcome::Lost,
                Err(error) => Outcome::Locked(error),
            }
        }));
    }

    fn sign_in(&mut self) {
        if matches!(*self.account.borrow(), Account::Waiting { .. } | Account::SignedIn { .. }) {
            return;
        }
        self.account.send_replace(Account::Waiting { url: String::new() });
        let provider = self.provider.clone();
        self.job = Some(Box::pin(async move {
            match begin(&provider).await {
                Ok(ready) => Outcome::Waiting(Box::new(ready)),
                Err(error) => Outcome::Ended(Err(error)),
            }
        }));
    }

    fn cancel(&mut self) {
        if matches!(*self.account.borrow(), Account::Waiting { .. } | Account::Failed { .. }) {
            self.job = None;
            self.account.send_replace(Account::SignedOut);
        }
    }

    fn sign_out(&mut self) {
        self.job = None;
        let known = self.record.take().is_some();
        let token = self.token.take();
        self.account.send_replace(Account::SignedOut);
        if let Err(error) = Record::forget(&self.config.record) {
            tracing::warn!(%error, "the signed-in name cannot be forgotten");
        }
        if known {
            tokio::spawn(end_session(self.provider.clone(), self.config.secrets.clone(), token));
        }
    }

    async fn apply(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Waiting(ready) => self.wait(*ready),
            Outcome::Ended(Ok(grant)) => self.signed_in(grant).await,
            Outcome::Ended(Err(error)) => self.failed(&error),
            Outcome::Renewed(Ok(grant)) => self.renewed(grant).await,
            Outcome::Renewed(Err(ProviderError::SessionOver)) => {
                self.sign_out();
                self.failed(&ProviderError::SessionOver.into());
            }
            Outcome::Renewed(Err(error)) => {
                tracing::warn!(%error, "the session is not renewed; playing goes on")
            }
            Outcome::Lost => self.sign_out(),
            Outcome::Locked(error) => tracing::warn!(%error, "the session cannot be read; playing goes on"),
        }
    }

    /// Shows the page and waits for the browser to come back.
    fn wait(&mut self, (attempt, loopback): (Attempt, Loopback)) {
        self.account.send_replace(Account::Waiting { url: attempt.page.to_string() });
        let (provider, brand) = (self.provider.clone(), self.config.brand.clone());
        let (open, patience) = (self.config.open, self.config.patience);
        self.job = Some(Box::pin(async move {
            let page = attempt.page.clone();
            // A browser that does not open is no end: the window shows the link.
            match tokio::task::spawn_blocking(move || open(&page)).await {
                Ok(Err(error)) => tracing::warn!(%error, "the sign-in page did not open"),
                Err(error) => tracing::warn!(%error, "the sign-in page did not open"),
                Ok(Ok(())) => {}
            }
            let ended = tokio::time::timeout(patience, finish(&provider, attempt, loopback, &brand)).await;
            Outcome::Ended(ended.unwrap_or(Err(SignInError::TimedOut)))
        }));
    }

    async fn signed_in(&mut self, grant: Grant) {
        let subject = grant.subject.clone().unwrap_or_default();
        let name = grant.name.clone().unwrap_or_else(|| subject.clone());
        self.record = Some(Record { issuer: self.provider.issuer().to_owned(), subject, name });
        self.keep(grant.refresh_token).await;
    }

    async fn renewed(&mut self, grant: Grant) {
        if let (Some(record), Some(name)) = (&mut self.record, grant.name) {
            record.name = name;
        }
        self.keep(grant.refresh_token).await;
    }

    /// Puts the session where it survives a restart, or else into memory, and says which.
    async fn keep(&mut self, refresh_token: Option<String>) {
        let stored = match refresh_token.clone() {
            Some(token) => self.config.secrets.store(token).await,
            None => Err(SecretsError::None),
        };
        let kept = match (stored, &self.record) {
            (Ok(()), Some(record)) => {
                self.token = None;
                match record.save(&self.config.record) {
                    Ok(()) => Kept::SecretStore,
                    Err(error) => {
                        tracing::warn!(%error, "the signed-in name cannot be kept");
                        Kept::Memory
                    }
                }
            }
            (Ok(()), None) => Kept::Memory,
            (Err(error), _) => {
                tracing::warn!(%error, "the session is kept in memory only");
                self.token = refresh_token;
                Kept::Memory
            }
        };
        self.publish_signed_in(kept);
    }

    fn publish_signed_in(&self, kept: Kept) {
        if let Some(record) = &self.record {
            self.account.send_replace(Account::SignedIn { name: record.name.clone(), picture: None, kept });
        }
    }

    fn failed(&self, error: &SignInError) {
        tracing::warn!(%error, "sign-in");
        self.account.send_replace(Account::Failed { failure: error.failure() });
    }
}

/// Waits for the job there is, or for ever when there is none.
async fn next(job: &mut Option<BoxFuture<'static, Outcome>>) -> Outcome {
    match job {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}

/// The port first, so that nobody can be faster than us; then the provider.
async fn begin(provider: &Provider) -> Result<(Attempt, Loopback), SignInError> {
    let loopback = Loopback::open().await.map_err(SignInError::Port)?;
    let attempt = provider.begin(loopback.redirect_address()).await?;
    Ok((attempt, loopback))
}

async fn finish(
    provider: &Provider,
    attempt: Attempt,
    loopback: Loopback,
    brand: &str,
) -> Result<Grant, SignInError> {
    let expected = Expected {
        state: attempt.state.clone(),
        issuer: provider.issuer().to_owned(),
        issuer_required: attempt.issuer_required,
        host: loopback.host(),
    };
    match loopback.wait(&expected, brand).await.map_err(SignInError::Port)? {
        Redirect::Code(code) => Ok(provider.finish(attempt, code).await?),
        Redirect::Denied(reason) => Err(SignInError::Denied(reason)),
    }
}

/// Ends a session nobody waits for: out of the store, and revoked at the provider if that can be reached.
async fn end_session(provider: Provider, secrets: Secrets, in_memory: Option<String>) {
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
