//! The identity provider: OpenID Connect discovery, authorization code with PKCE, codes for other devices, renewal and revocation.
//!
//! Invariant: what comes back as a [`Grant`] rests on an ID token whose signature, issuer, audience, times, nonce and (where given)
//! access-token hash were checked. Every address the provider names is under the same rule as all others: https, or the loopback.

mod claims;
mod device;
mod types;
mod web;

pub(crate) use device::DeviceAttempt;

use crate::{http::HttpError, links};
use chrono::Utc;
use engine::proxy::Proxy;
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, CsrfToken, DiscoveryError, EndpointState, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, SubjectIdentifier,
    core::{CoreAuthPrompt, CoreErrorResponseType, CoreResponseType, CoreUserInfoClaims},
};
use types::{Claims, Metadata, OpenIdClient, Tokens};
use url::Url;
use web::{Web, unreachable};

/// The scope that asks for a refresh token.
const OFFLINE_ACCESS: &str = "offline_access";

/// The provider as the brand names it.
#[derive(Clone, Debug)]
pub(crate) struct ProviderConfig {
    /// The issuer, exactly as it names itself.
    pub(crate) issuer: String,
    /// Our client id there; a native client has no secret.
    pub(crate) client_id: String,
    /// Scopes besides `openid`.
    pub(crate) scopes: Vec<String>,
    /// Through what it is asked, as it was when the launcher started.
    pub(crate) proxy: Proxy,
}

/// Why the provider did not give a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// No usable answer: no network, an error page, something that is no provider.
    #[error("the identity provider does not answer: {0}")]
    Unreachable(String),
    /// Its answer cannot be believed.
    #[error("the identity provider's answer is refused: {0}")]
    Refused(String),
    /// The token is out of date the moment it is made: this clock or theirs is wrong.
    #[error("the clock of this machine seems wrong: {0}")]
    ClockWrong(String),
    /// The session has ended there.
    #[error("the session is over; sign in again")]
    SessionOver,
    /// The person said no, on the other device.
    #[error("the sign-in was refused on the other device")]
    Denied,
    /// Nobody typed the code in while it was good.
    #[error("the code was not used in time")]
    CodeExpired,
    /// It gives no codes for other devices.
    #[error("the identity provider signs people in by browser only")]
    NoDeviceCodes,
}

/// A sign-in that waits for the browser.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The provider's page.
    pub(crate) page: Url,
    /// The value the redirect must carry.
    pub(crate) state: String,
    /// Whether the redirect must name the issuer (RFC 9207).
    pub(crate) issuer_required: bool,
    /// Whether the provider also signs people in on another device.
    pub(crate) elsewhere: bool,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    client: OpenIdClient,
}

/// What a believed answer gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The provider's own name for the person; `None` where a renewal did not repeat it.
    pub(crate) subject: Option<String>,
    /// The name for people, as far as the provider gives one.
    pub(crate) name: Option<String>,
    /// What renews the session.
    pub(crate) refresh_token: Option<String>,
    /// What is wrong between the clocks, where a session was renewed all the same.
    pub(crate) clock_fault: Option<String>,
}

/// The provider, with the connection to it.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    config: ProviderConfig,
    web: Web,
}

impl Provider {
    /// A provider that is not asked anything yet.
    pub(crate) fn new(config: ProviderConfig) -> Result<Self, HttpError> {
        let web = Web::new(&config.proxy)?;
        Ok(Self { config, web })
    }

    /// The issuer's name.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Finds the provider and makes the page to open, with fresh state, nonce and PKCE challenge.
    pub(crate) async fn begin(&self, redirect: String) -> Result<Attempt, ProviderError> {
        let metadata = self.discover().await?;
        let extra = metadata.additional_metadata();
        let issuer_required = extra.authorization_response_iss_parameter_supported;
        let elsewhere = extra.device_authorization_endpoint.is_some();
        let redirect =
            RedirectUrl::new(redirect).map_err(|error| ProviderError::Refused(error.to_string()))?;
        let client = self.client(metadata).set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in self.scopes() {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        if self.asks_for_consent() {
            request = request.add_prompt(CoreAuthPrompt::Consent);
        }
        let (page, state, nonce) = request.url();
        if !links::allowed(&page) {
            return Err(ProviderError::Refused("its sign-in page is no https address".to_owned()));
        }
        Ok(Attempt {
            page,
            state: state.secret().clone(),
            issuer_required,
            elsewhere,
            nonce,
            verifier,
            client,
        })
    }

    /// Exchanges the code of the redirect for a session.
    pub(crate) async fn finish(&self, attempt: Attempt, code: String) -> Result<Grant, ProviderError> {
        let Attempt { nonce, verifier, client, .. } = attempt;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Refused(error.to_string()))?
            .set_pkce_verifier(verifier)
            .request_async(&self.web)
            .await
            .map_err(token_error)?;
        let claims = claims::verified(&client, &tokens, &nonce)?;
        self.first_grant(&client, &tokens, claims).await
    }

    /// Renews the session of `subject`.
    pub(crate) async fn renew(&self, refresh_token: &str, subject: &str) -> Result<Grant, ProviderError> {
        let client = self.client(self.discover().await?);
        let tokens = client
            .exchange_refresh_token(&RefreshToken::new(refresh_token.to_owned()))
            .map_err(|error| ProviderError::Refused(error.to_string()))?
            .request_async(&self.web)
            .await
            .map_err(renewal_error)?;
        // OpenID Connect Core §12.2: a renewed ID token need not carry the nonce, but must be about the same person.
        let claims = claims::verified(&client, &tokens, |_: Option<&Nonce>| Ok(()))?;
        if claims.as_ref().is_some_and(|claims| claims.subject().as_str() != subject) {
            return Err(ProviderError::Refused("it renewed somebody else's session".to_owned()));
        }
        let grant = self.grant(&client, &tokens, claims.as_ref()).await;
        let refresh_token = grant.refresh_token.or_else(|| Some(refresh_token.to_owned()));
        Ok(Grant { refresh_token, ..grant })
    }

    /// Ends the session at the provider, where it offers that (RFC 7009).
    pub(crate) async fn revoke(&self, refresh_token: &str) -> Result<(), ProviderError> {
        let metadata = self.discover().await?;
        let Some(endpoint) = metadata.additional_metadata().revocation_endpoint.clone() else {
            return Ok(());
        };
        let form = [
            ("token", refresh_token),
            ("token_type_hint", "refresh_token"),
            ("client_id", &self.config.client_id),
        ];
        let status = self.web.post(endpoint, &form).await.map_err(unreachable)?;
        if status >= 400 {
            return Err(ProviderError::Refused(format!("it answered {status} to the end of the session")));
        }
        Ok(())
    }

    async fn discover(&self) -> Result<Metadata, ProviderError> {
        let issuer = IssuerUrl::new(self.config.issuer.clone())
            .map_err(|error| ProviderError::Refused(format!("the issuer's address: {error}")))?;
        Metadata::discover_async(issuer, &self.web).await.map_err(|error| match error {
            DiscoveryError::Request(error) => unreachable(error),
            DiscoveryError::Validation(text) => ProviderError::Refused(text),
            other => ProviderError::Unreachable(other.to_string()),
        })
    }

    fn client(&self, metadata: Metadata) -> OpenIdClient {
        OpenIdClient::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), None)
    }

    /// Scopes besides `openid`, which the protocol's client adds.
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.config.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid")
    }

    /// OpenID Connect Core §11: a refresh token is given only where consent was asked for.
    fn asks_for_consent(&self) -> bool {
        self.scopes().any(|scope| scope == OFFLINE_ACCESS)
    }

    /// A session that begins: it needs an ID token, and clocks that agree about it.
    async fn first_grant<Device: EndpointState>(
        &self,
        client: &OpenIdClient<Device>,
        tokens: &Tokens,
        claims: Option<Claims>,
    ) -> Result<Grant, ProviderError> {
        let claims = claims.ok_or_else(|| ProviderError::Refused("it sent no ID token".to_owned()))?;
        let grant = self.grant(client, tokens, Some(&claims)).await;
        match grant.clock_fault {
            Some(fault) => Err(ProviderError::ClockWrong(fault)),
            None => Ok(grant),
        }
    }

    async fn grant<Device: EndpointState>(
        &self,
        client: &OpenIdClient<Device>,
        tokens: &Tokens,
        claims: Option<&Claims>,
    ) -> Grant {
        let mut name = claims.and_then(claims::name);
        if name.is_none() {
            name = self.name_in_user_info(client, tokens, claims).await;
        }
        Grant {
            subject: claims.map(|claims| claims.subject().as_str().to_owned()),
            name,
            refresh_token: tokens.refresh_token().map(|token| token.secret().clone()),
            clock_fault: claims
                .map(claims::Times::of)
                .and_then(|times| claims::clock_fault(Utc::now(), times)),
        }
    }

    /// Most providers keep the name out of the ID token and answer it apart. A person without a name is still signed in.
    async fn name_in_user_info<Device: EndpointState>(
        &self,
        client: &OpenIdClient<Device>,
        tokens: &Tokens,
        claims: Option<&Claims>,
    ) -> Option<String> {
        let subject: Option<SubjectIdentifier> = claims.map(|claims| claims.subject().clone());
        let request = client.user_info(tokens.access_token().clone(), subject).ok()?;
        let info: Result<CoreUserInfoClaims, _> = request.request_async(&self.web).await;
        let info = info.inspect_err(|error| tracing::warn!(%error, "the provider gives no name")).ok()?;
        let full = info.name().and_then(|name| name.get(None)).map(|name| name.as_str());
        let short = info.preferred_username().map(|name| name.as_str());
        claims::readable(full.or(short)?)
    }
}

type TokenError = RequestTokenError<HttpError, openidconnect::StandardErrorResponse<CoreErrorResponseType>>;

fn token_error(error: TokenError) -> ProviderError {
    match error {
        RequestTokenError::Request(error) => unreachable(error),
        other => ProviderError::Refused(other.to_string()),
    }
}

/// `invalid_grant` on a renewal means that the session was ended elsewhere or is too old; no other answer does.
fn renewal_error(error: TokenError) -> ProviderError {
    match &error {
        RequestTokenError::ServerResponse(answer)
            if *answer.error() == CoreErrorResponseType::InvalidGrant =>
        {
            ProviderError::SessionOver
        }
        _ => token_error(error),
    }
}
