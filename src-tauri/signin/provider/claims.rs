//! What an ID token is believed: everything that its signature, issuer, audience, nonce and times allow.

use super::{
    ProviderError,
    types::{Claims, OpenIdClient, Tokens},
};
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{AccessTokenHash, EndpointState, NonceVerifier, OAuth2TokenResponse, TokenResponse};

/// How far this clock and the provider's may differ.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::minutes(5);
/// Characters of a name; a longer one would not fit beside a button.
const NAME_MAX: usize = 64;

/// The claims of the ID token, or `None` when there is no ID token. All is checked but the times, which [`clock_fault`] judges: a
/// session that was renewed by a wrong clock is still renewed.
pub(super) fn verified<Device: EndpointState>(
    client: &OpenIdClient<Device>,
    tokens: &Tokens,
    nonce: impl NonceVerifier,
) -> Result<Option<Claims>, ProviderError> {
    let refused = |error: &dyn std::fmt::Display| ProviderError::Refused(error.to_string());
    let Some(token) = tokens.id_token() else { return Ok(None) };
    let verifier = client.id_token_verifier().set_time_fn(|| DateTime::<Utc>::MIN_UTC);
    let claims = token.claims(&verifier, nonce).map_err(|error| refused(&error))?;
    if let Some(expected) = claims.access_token_hash() {
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

/// The times of a token that was made a moment ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    issued: DateTime<Utc>,
    not_before: Option<DateTime<Utc>>,
    expires: DateTime<Utc>,
}

impl Times {
    /// What the claims say.
    pub(super) fn of(claims: &Claims) -> Self {
        let seconds = claims.additional_claims().nbf;
        Self {
            issued: claims.issue_time(),
            // Fractions of a second and years beyond counting make no difference.
            not_before: seconds.and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0)),
            expires: claims.expiration(),
        }
    }
}

/// What is wrong between this clock and the provider's, as far as a token made just now tells.
pub(super) fn clock_fault(now: DateTime<Utc>, times: Times) -> Option<String> {
    let Times { issued, not_before, expires } = times;
    let early = [Some(issued), not_before].into_iter().flatten().find(|time| *time - now > CLOCKS_APART_MAX);
    if let Some(time) = early {
        return Some(format!("a token of {time} was made before that time, at {now}"));
    }
    let stale = now - issued > CLOCKS_APART_MAX || now - expires > CLOCKS_APART_MAX;
    stale.then(|| format!("a token made just now, at {now}, is of {issued} and ends at {expires}"))
}

/// The name for people, as far as the ID token has one.
pub(super) fn name(claims: &Claims) -> Option<String> {
    let full = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    let short = claims.preferred_username().map(|name| name.as_str());
    readable(full.or(short)?)
}

/// A name as one short line, or `None` when nothing is left of it.
pub(super) fn readable(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_a_little_apart_are_no_fault() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |minutes| now + TimeDelta::minutes(minutes);
        // Issued, not before, expires, in minutes from now; whether the clock is at fault.
        let cases = [
            (0, None, 5, false),
            (4, Some(4), 9, false),
            (-4, None, 1, false),
            (-4, None, -4, false),
            (6, None, 11, true),
            (0, Some(6), 11, true),
            (-6, None, 60, true),
            (-120, None, -115, true),
            (0, None, -6, true),
            (525_600, Some(525_600), 525_605, true),
        ];
        for (issued, not_before, expires, wrong) in cases {
            let times = Times { issued: at(issued), not_before: not_before.map(at), expires: at(expires) };
            assert_eq!(clock_fault(now, times).is_some(), wrong, "{issued} {not_before:?} {expires}");
        }
    }
}
