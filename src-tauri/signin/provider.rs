//! The identity provider: OpenID Connect discovery, authorization code with PKCE, renewal and revocation.
//!
//! Invariant: what comes back as a [`Grant`] rests on an ID token whose signature, issuer, audience, expiry, nonce and (where given)
//! access-token hash were checked. Every address the provider names is under the same rule as all others: https, or the loopback.

use crate::{
    http::{self, HttpError},
    links,
};
use futures_util::future::BoxFuture;
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthenticationFlow, AuthorizationCode,
    ClaimsVerificationError, ClientId, CsrfToken, DiscoveryError, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    SubjectIdentifier, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreErrorResponseType, CoreGrantType, CoreIdTokenClaims, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
    },
};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

/// One exchange with the provider, from the request to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer taken, in bytes: key sets are the longest.
const ANSWER_MAX: usize = 256 * 1024;
/// Characters of a name; a longer one would not fit beside a button.
const NAME_MAX: usize = 64;
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
}

/// What discovery adds to OpenID Connect Core.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Extra {
    /// RFC 7009.
    revocation_endpoint: Option<Url>,
    /// RFC 9207.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type OpenIdClient = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A sign-in that waits for the browser.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The provider's page.
    pub(crate) page: Url,
    /// The value the redirect must carry.
    pub(crate) state: String,
    /// Whether the redirect must name the issuer (RFC 9207).
    pub(crate) issuer_required: bool,
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
        // No redirects: an endpoint that forwards could be made to fetch from anywhere.
        Ok(Self { config, web: Web(http::client(TIMEOUT, false)?) })
    }

    /// The issuer's name.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Finds the provider and makes the page to open, with fresh state, nonce and PKCE challenge.
    pub(crate) async fn begin(&self, redirect: String) -> Result<Attempt, ProviderError> {
        let metadata = self.discover().await?;
        let issuer_required = metadata.additional_metadata().authorization_response_iss_parameter_supported;
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
        for scope in self.config.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if self.config.scopes.iter().any(|scope| scope == OFFLINE_ACCESS) {
            // OpenID Connect Core §11: a refresh token is given only where consent was asked for.
            request = request.add_prompt(CoreAuthPrompt::Consent);
        }
        let (page, state, nonce) = request.url();
        if !links::allowed(&page) {
            return Err(ProviderError::Refused("its sign-in page is no https address".to_owned()));
        }
        Ok(Attempt { page, state: state.secret().clone(), issuer_required, nonce, verifier, client })
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
        let claims = verified_claims(&client, &tokens, &nonce)?
            .ok_or_else(|| ProviderError::Refused("it sent no ID token".to_owned()))?;
        self.grant(&client, &tokens, Some(&claims)).await
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
        let claims = verified_claims(&client, &tokens, |_: Option<&Nonce>| Ok(()))?;
        if claims.as_ref().is_some_and(|claims| claims.subject().as_str() != subject) {
            return Err(ProviderError::Refused("it renewed somebody else's session".to_owned()));
        }
        let grant = self.grant(&client, &tokens, claims.as_ref()).await?;
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
        CoreClient::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), None)
    }

    async fn grant(
        &self,
        client: &OpenIdClient,
        tokens: &CoreTokenResponse,
        claims: Option<&CoreIdTokenClaims>,
    ) -> Result<Grant, ProviderError> {
        let mut name = claims.and_then(name_in_token);
        if name.is_none() {
            name = self.name_in_user_info(client, tokens, claims).await;
        }
        Ok(Grant {
            subject: claims.map(|claims| claims.subject().as_str().to_owned()),
            name,
            refresh_token: tokens.refresh_token().map(|token| token.secret().clone()),
        })
    }

    /// Most providers keep the name out of the ID token and answer it apart. A person without a name is still signed in.
    async fn name_in_user_info(
        &self,
        client: &OpenIdClient,
        tokens: &CoreTokenResponse,
        claims: Option<&CoreIdTokenClaims>,
    ) -> Option<String> {
        let subject: Option<SubjectIdentifier> = claims.map(|claims| claims.subject().clone());
        let request = client.user_info(tokens.access_token().clone(), subject).ok()?;
        let info: Result<CoreUserInfoClaims, _> = request.request_async(&self.web).await;
        let info = info.inspect_err(|error| tracing::warn!(%error, "the provider gives no name")).ok()?;
        let full = info.name().and_then(|name| name.get(None)).map(|name| name.as_str());
        let short = info.preferred_username().map(|name| name.as_str());
        readable(full.or(short)?)
    }
}

/// The claims of the ID token, all checks passed, or `None` when there is no ID token.
fn verified_claims(
    client: &OpenIdClient,
    tokens: &CoreTokenResponse,
    nonce: impl openidconnect::NonceVerifier,
) -> Result<Option<CoreIdTokenClaims>, ProviderError> {
    let Some(token) = tokens.id_token() else { return Ok(None) };
    let verifier = client.id_token_verifier();
    let claims = token.claims(&verifier, nonce).map_err(|error| match error {
        ClaimsVerificationError::Expired(text) => ProviderError::ClockWrong(text),
        other => ProviderError::Refused(other.to_string()),
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let refused = |error: &dyn std::fmt::Display| ProviderError::Refused(error.to_string());
        let algorithm = token.signing_alg().map_err(|error| refused(&error))?;
        let key = token.signing_key(&verifier).map_err(|error| refused(&error))?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|error| refused(&error))?;
        if actual != *expected {
            return Err(ProviderError::Refused("the access token was exchanged on the way".to_owned()));
        }
    }
    Ok(Some(claims.clone()))
}

fn name_in_token(claims: &CoreIdTokenClaims) -> Option<String> {
    let full = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    let short = claims.preferred_username().map(|name| name.as_str());
    readable(full.or(short)?)
}

/// A name as one short line, or `None` when nothing is left of it.
fn readable(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
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

fn unreachable(error: HttpError) -> ProviderError {
    ProviderError::Unreachable(error.to_string())
}

/// The connection to the provider, with our bounds.
#[derive(Clone, Debug)]
struct Web(Client);

impl Web {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        if !links::allowed(request.url()) {
            return Err(HttpError::Address(request.url().clone()));
        }
        let response = self.0.execute(request).await?;
        let mut builder = tauri::http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            builder = builder.header(name, value);
        }
        Ok(builder.body(http::body(response, ANSWER_MAX).await?)?)
    }

    async fn post(&self, url: Url, form: &[(&str, &str)]) -> Result<u16, HttpError> {
        if !links::allowed(&url) {
            return Err(HttpError::Address(url));
        }
        Ok(self.0.post(url).form(form).send().await?.status().as_u16())
    }
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}
