//! Signing in on another device (RFC 8628), for machines without a browser: a short code to type in there, and asking until it was.

use super::{Grant, Provider, ProviderError, claims, types::OpenIdClient, web::unreachable};
use crate::{links, signin::Pause};
use openidconnect::{
    DeviceAuthorizationUrl, DeviceCodeErrorResponseType, EndpointSet, Nonce, RequestTokenError, Scope,
    core::CoreDeviceAuthorizationResponse,
};
use std::time::Duration;
use url::Url;

/// How long a code is asked after at most, whatever the provider says; people need minutes.
const EXPIRES_MAX: Duration = Duration::from_secs(30 * 60);
/// The shortest time between two questions, for a provider that names none.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Characters of a code; a longer one is nothing to type.
const CODE_MAX: usize = 32;

/// A sign-in that waits for another device.
#[derive(Debug)]
pub(crate) struct DeviceAttempt {
    /// What is typed in there.
    pub(crate) code: String,
    /// The page to type it into.
    pub(crate) page: Url,
    /// The same page with the code in it, where the provider has one.
    pub(crate) link: Url,
    answer: CoreDeviceAuthorizationResponse,
    client: OpenIdClient<EndpointSet>,
}

impl Provider {
    /// Asks for a code, where the provider gives any.
    pub(crate) async fn begin_on_device(&self) -> Result<DeviceAttempt, ProviderError> {
        let metadata = self.discover().await?;
        let endpoint = metadata.additional_metadata().device_authorization_endpoint.clone();
        let endpoint = endpoint.ok_or(ProviderError::NoDeviceCodes)?;
        let client =
            self.client(metadata).set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint));
        let mut request = client.exchange_device_code();
        for scope in self.scopes() {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        if self.asks_for_consent() {
            request = request.add_extra_param("prompt", "consent");
        }
        let answer: CoreDeviceAuthorizationResponse =
            request.request_async(&self.web).await.map_err(super::token_error)?;
        let code = answer.user_code().secret().clone();
        if code.is_empty() || code.len() > CODE_MAX || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProviderError::Refused("its code is nothing that people could type".to_owned()));
        }
        let page = answer.verification_uri().url().clone();
        let complete = answer.verification_uri_complete().and_then(|link| Url::parse(link.secret()).ok());
        let link = complete.unwrap_or_else(|| page.clone());
        if !links::allowed(&page) || !links::allowed(&link) {
            return Err(ProviderError::Refused("its sign-in page is no https address".to_owned()));
        }
        Ok(DeviceAttempt { code, page, link, answer, client })
    }

    /// Asks until the code was typed in, refused, or is too old; no oftener than the provider allows.
    pub(crate) async fn finish_on_device(
        &self,
        attempt: DeviceAttempt,
        pause: &Pause,
    ) -> Result<Grant, ProviderError> {
        let DeviceAttempt { answer, client, .. } = attempt;
        let expires = answer.expires_in().min(EXPIRES_MAX);
        let tokens = client
            .exchange_device_access_token(&answer)
            .map_err(|error| ProviderError::Refused(error.to_string()))?
            .request_async(&self.web, |interval: Duration| pause(interval.max(INTERVAL_MIN)), Some(expires))
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(answer) => match answer.error() {
                    DeviceCodeErrorResponseType::AccessDenied => ProviderError::Denied,
                    DeviceCodeErrorResponseType::ExpiredToken => ProviderError::CodeExpired,
                    other => ProviderError::Refused(other.to_string()),
                },
                RequestTokenError::Request(error) => unreachable(error),
                other => ProviderError::Refused(other.to_string()),
            })?;
        // Whoever asked is known by the device code, which no page has seen; there is no nonce in this way.
        let claims = claims::verified(&client, &tokens, |_: Option<&Nonce>| Ok(()))?;
        self.first_grant(&client, &tokens, claims).await
    }
}
