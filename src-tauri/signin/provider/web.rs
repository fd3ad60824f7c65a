//! The connection to the provider, with our bounds: https or the loopback, a time-out, a longest answer.

use super::ProviderError;
use crate::{
    http::{self, HttpError},
    links,
};
use engine::proxy::Proxy;
use futures_util::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;
use rustls::CertificateError;
use std::{error::Error, io, time::Duration};
use url::Url;

/// One exchange with the provider, from the request to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer taken, in bytes: key sets are the longest.
const ANSWER_MAX: usize = 256 * 1024;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Web(Client);

impl Web {
    pub(super) fn new(proxy: &Proxy) -> Result<Self, HttpError> {
        // No redirects: an endpoint that forwards could be made to fetch from anywhere.
        Ok(Self(http::client(TIMEOUT, false, proxy)?))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        if !links::allowed(request.url()) {
            return Err(HttpError::Address(request.url().clone()));
        }
        let response = self.0.execute(request).await?;
        // An ailing server is no answer to anything: whoever asks on, as the wait for another device does, asks again later.
        if response.status().is_server_error() {
            return Err(HttpError::Status(response.status().as_u16()));
        }
        let mut builder = tauri::http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            builder = builder.header(name, value);
        }
        Ok(builder.body(http::body(response, ANSWER_MAX).await?)?)
    }

    /// Sends a form of which only the answer's status counts.
    pub(super) async fn post(&self, url: Url, form: &[(&str, &str)]) -> Result<u16, HttpError> {
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

/// No usable answer; a certificate whose time is not now is a matter of the clock.
pub(super) fn unreachable(error: HttpError) -> ProviderError {
    if is_untimely(&error) {
        return ProviderError::ClockWrong(error.to_string());
    }
    ProviderError::Unreachable(error.to_string())
}

fn is_untimely(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = error
            .downcast_ref::<rustls::Error>()
            .or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
        if let Some(rustls::Error::InvalidCertificate(fault)) = found {
            return matches!(
                fault,
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
            );
        }
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `reqwest` wraps what the connection says.
    #[derive(Debug, thiserror::Error)]
    #[error("sending the request")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn a_certificate_out_of_its_time_is_a_matter_of_the_clock() {
        let cases = [
            (CertificateError::NotValidYet, true),
            (CertificateError::Expired, true),
            (CertificateError::UnknownIssuer, false),
            (CertificateError::NotValidForName, false),
        ];
        for (fault, expected) in cases {
            let tls = rustls::Error::InvalidCertificate(fault.clone());
            let wrapped = Wrapped(io::Error::new(io::ErrorKind::InvalidData, tls));
            assert_eq!(is_untimely(&wrapped), expected, "{fault:?}");
        }
        assert!(!is_untimely(&io::Error::from(io::ErrorKind::ConnectionRefused)));
    }
}
