//! The one task behind the account: it takes wishes, runs one job at a time and publishes what came of it.
//!
//! Invariant: a job is dropped whole when the player cancels or signs out; its port closes with it. What it found out is applied here,
//! in one place, after it has ended. A session is renewed by one job at a time, so no refresh token is ever used twice.

use super::{
    Account, Kept, Pause, SignInConfig, SignInError, Wish,
    attempt::{InBrowser, Wait, end_session, opened},
    provider::{DeviceAttempt, Grant, Provider, ProviderError},
    record::Record,
    secrets::SecretsError,
};
use crate::failure::Failure;
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often a session is renewed: it must not lapse, and an end at the provider should not stay unknown for a day.
const RENEWAL_EVERY: Duration = Duration::from_secs(60 * 60);
/// How soon a renewal that found nobody is tried again; the wait doubles each time.
const RETRY_FIRST: Duration = Duration::from_secs(30);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(15 * 60);

/// What a job found out.
enum Outcome {
    /// The provider's page is known.
    Page(Box<InBrowser>),
    /// No browser shows it, but another device can.
    NoBrowser,
    /// A code for another device.
    Code(Box<DeviceAttempt>),
    /// The sign-in has ended.
    Ended(Result<Grant, SignInError>),
    /// A renewal has ended.
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
    /// Whether there is a token to renew the session with, wherever it is kept.
    renewable: bool,
    job: Option<BoxFuture<'static, Outcome>>,
    /// Until the next renewal, and how long the one after it waits if that fails.
    timer: Option<BoxFuture<'static, ()>>,
    retry: Duration,
}

impl Session {
    pub(super) fn new(config: SignInConfig, provider: Provider, account: watch::Sender<Account>) -> Self {
        Self {
            config,
            provider,
            account,
            record: None,
            token: None,
            renewable: false,
            job: None,
            timer: None,
            retry: RETRY_FIRST,
        }
    }

    /// Runs until the last handle is gone.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        self.restore();
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(Wish::SignIn) => self.sign_in(),
                    Some(Wish::Elsewhere) => self.sign_in_elsewhere(),
                    Some(Wish::Cancel) => self.cancel(),
                    Some(Wish::SignOut) => self.sign_out(),
                    None => return,
                },
                outcome = next(&mut self.job) => {
                    self.job = None;
                    self.apply(outcome).await;
                }
                () = next(&mut self.timer) => {
                    self.timer = None;
                    self.renew();
                }
            }
        }
    }

    /// Whoever was signed in last is so by name; the session is renewed beside.
    fn restore(&mut self) {
        self.record = Record::load(&self.config.record, self.provider.issuer());
        if self.record.is_some() {
            self.renewable = true;
            self.publish_signed_in(Kept::SecretStore, None);
            self.renew();
        }
    }

    /// Renews the session, unless that is being done.
    fn renew(&mut self) {
        let Some(subject) = self.record.as_ref().map(|record| record.subject.clone()) else { return };
        if self.job.is_some() || !self.renewable {
            return;
        }
        self.timer = None;
        let (provider, secrets) = (self.provider.clone(), self.config.secrets.clone());
        let in_memory = self.token.clone();
        self.job = Some(Box::pin(async move {
            let stored = match in_memory {
                Some(token) => Ok(Some(token)),
                None => secrets.load().await,
            };
            match stored {
                Ok(Some(token)) => Outcome::Renewed(provider.renew(&token, &subject).await),
                Ok(None) => Outcome::Lost,
                Err(error) => Outcome::Locked(error),
            }
        }));
    }

    /// In the browser; for somebody who is signed in it means to try the renewal again.
    fn sign_in(&mut self) {
        let now = self.account.borrow().clone();
        match now {
            Account::SignedIn { .. } => return self.renew(),
            Account::Waiting { .. } => return,
            _ => {}
        }
        self.account.send_replace(Account::Waiting { url: String::new(), elsewhere: false });
        let provider = self.provider.clone();
        self.job = Some(Box::pin(async move {
            match InBrowser::begin(&provider).await {
                Ok(page) => Outcome::Page(Box::new(page)),
                Err(error) => Outcome::Ended(Err(error)),
            }
        }));
    }

    /// On another device, in place of a browser that is waited for.
    fn sign_in_elsewhere(&mut self) {
        if matches!(*self.account.borrow(), Account::Elsewhere { .. } | Account::SignedIn { .. }) {
            return;
        }
        let empty = String::new;
        self.account.send_replace(Account::Elsewhere { code: empty(), url: empty(), link: empty() });
        let provider = self.provider.clone();
        self.job = Some(Box::pin(async move {
            match provider.begin_on_device().await {
                Ok(code) => Outcome::Code(Box::new(code)),
                Err(error) => Outcome::Ended(Err(error.into())),
            }
        }));
    }

    fn cancel(&mut self) {
        if !matches!(*self.account.borrow(), Account::SignedIn { .. } | Account::SignedOut) {
            self.job = None;
            self.account.send_replace(Account::SignedOut);
        }
    }

    fn sign_out(&mut self) {
        self.job = None;
        self.timer = None;
        let known = self.record.take().is_some();
        let token = self.token.take();
        self.account.send_replace(Account::SignedOut);
        self.forget();
        if known {
            tokio::spawn(end_session(self.provider.clone(), self.config.secrets.clone(), token));
        }
    }

    async fn apply(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Page(page) => self.wait(*page),
            Outcome::NoBrowser => self.sign_in_elsewhere(),
            Outcome::Code(code) => self.wait_elsewhere(*code),
            Outcome::Ended(Ok(grant)) => self.signed_in(grant).await,
            Outcome::Ended(Err(error)) => self.failed(&error),
            Outcome::Renewed(Ok(grant)) => self.renewed(grant).await,
            Outcome::Renewed(Err(ProviderError::SessionOver)) => {
                self.sign_out();
                self.failed(&ProviderError::SessionOver.into());
            }
            Outcome::Renewed(Err(error)) => self.not_renewed(&error.into()),
            Outcome::Lost => self.sign_out(),
            // Not tried again by itself: each try may put a question of the store's before the player.
            Outcome::Locked(error) => self.in_trouble(&SignInError::Locked(error)),
        }
    }

    /// Shows the page and waits for the browser to come back. Where none opens, another device is used if the provider can.
    fn wait(&mut self, page: InBrowser) {
        let elsewhere = page.attempt.elsewhere;
        self.account.send_replace(Account::Waiting { url: page.attempt.page.to_string(), elsewhere });
        let (provider, open, wait) = (self.provider.clone(), self.config.open, Wait::of(&self.config));
        self.job = Some(Box::pin(async move {
            if !opened(open, page.attempt.page.clone()).await && elsewhere {
                return Outcome::NoBrowser;
            }
            Outcome::Ended(page.finish(&provider, wait).await)
        }));
    }

    /// Shows the code and waits until it was used.
    fn wait_elsewhere(&mut self, attempt: DeviceAttempt) {
        self.account.send_replace(Account::Elsewhere {
            code: attempt.code.clone(),
            url: attempt.page.to_string(),
            link: attempt.link.to_string(),
        });
        let (provider, pause): (Provider, Pause) = (self.provider.clone(), self.config.pause.clone());
        self.job = Some(Box::pin(async move {
            let ended = provider.finish_on_device(attempt, &pause).await;
            Outcome::Ended(ended.map_err(SignInError::from))
        }));
    }

    async fn signed_in(&mut self, grant: Grant) {
        let subject = grant.subject.clone().unwrap_or_default();
        let name = grant.name.clone().unwrap_or_else(|| subject.clone());
        self.record = Some(Record { issuer: self.provider.issuer().to_owned(), subject, name });
        self.keep(grant.refresh_token, None).await;
        self.renew_in(RENEWAL_EVERY);
    }

    async fn renewed(&mut self, grant: Grant) {
        if let (Some(record), Some(name)) = (&mut self.record, grant.name) {
            record.name = name;
        }
        let trouble =
            grant.clock_fault.map(|fault| SignInError::from(ProviderError::ClockWrong(fault)).failure());
        self.keep(grant.refresh_token, trouble).await;
        self.retry = RETRY_FIRST;
        self.renew_in(RENEWAL_EVERY);
    }

    /// The session stands as long as the provider did not end it.
    fn not_renewed(&mut self, error: &SignInError) {
        self.in_trouble(error);
        self.renew_in(self.retry);
        self.retry = (self.retry * 2).min(RETRY_MAX);
    }

    fn renew_in(&mut self, time: Duration) {
        self.timer = self.renewable.then(|| (self.config.pause)(time));
    }

    /// Puts the session where it survives a restart, or else into memory, and says which.
    async fn keep(&mut self, refresh_token: Option<String>, trouble: Option<Failure>) {
        self.renewable = refresh_token.is_some();
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
                // The next start must not promise what an older token in the store could not keep.
                self.forget();
                Kept::Memory
            }
        };
        self.publish_signed_in(kept, trouble);
    }

    fn forget(&self) {
        if let Err(error) = Record::forget(&self.config.record) {
            tracing::warn!(%error, "the signed-in name cannot be forgotten");
        }
    }

    fn publish_signed_in(&self, kept: Kept, trouble: Option<Failure>) {
        if let Some(record) = &self.record {
            let name = record.name.clone();
            self.account.send_replace(Account::SignedIn { name, picture: None, kept, trouble });
        }
    }

    /// Somebody stays signed in although something is wrong; playing goes on.
    fn in_trouble(&self, error: &SignInError) {
        tracing::warn!(%error, "the session is not renewed; playing goes on");
        let kept = if self.token.is_some() { Kept::Memory } else { Kept::SecretStore };
        self.publish_signed_in(kept, Some(error.failure()));
    }

    fn failed(&self, error: &SignInError) {
        tracing::warn!(%error, "sign-in");
        self.account.send_replace(Account::Failed { failure: error.failure() });
    }
}

/// Waits for what there is, or for ever when there is nothing.
async fn next<T>(waited: &mut Option<BoxFuture<'static, T>>) -> T {
    match waited {
        Some(waited) => waited.await,
        None => std::future::pending().await,
    }
}
