//! Which repository this launcher believes, and what a build without one takes from its surroundings.
//!
//! Invariant: a studio's build carries the repository's address and root version 1 in itself (`MUSTER_BUILD_REPOSITORY` and
//! `MUSTER_BUILD_ROOT` at build time). Then nothing outside it, neither a brand nor the environment, changes them; roots move by TUF
//! rotation only. A build without them is for demos and tests: there the environment goes first, then the brand.

use crate::{brand::Brand, files, links};
use std::{borrow::Cow, ffi::OsString, io, path::PathBuf};
use url::Url;

/// What a demo or a test sets in the environment. Empty in a studio's build.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `MUSTER_REPOSITORY`: the repository's address.
    pub(crate) repository: Option<Url>,
    /// `MUSTER_ROOT`: a file with root version 1.
    pub(crate) root: Option<PathBuf>,
    /// `MUSTER_BRAND_DIR`: a brand folder.
    pub(crate) brand_dir: Option<PathBuf>,
    /// `MUSTER_FEED`: the news feed.
    pub(crate) feed: Option<Url>,
    /// `MUSTER_ISSUER`: the identity provider.
    pub(crate) issuer: Option<String>,
}

/// Where games come from, and whom to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// The address.
    pub(crate) url: Url,
    /// Root version 1.
    pub(crate) root: Vec<u8>,
}

/// Why there is no repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    /// Neither built in nor given.
    #[error(
        "this launcher has no repository: none is built in, and neither brand nor environment names one with its root"
    )]
    None,
    /// The address is not https, nor http on the loopback.
    #[error("{0} is no address for a repository")]
    Address(String),
    /// The root cannot be read.
    #[error("the root of the repository: {0}")]
    Root(#[from] io::Error),
}

/// Bytes of a root.
const ROOT_MAX: u64 = 512 * 1024;
/// The address a studio's build carries.
const BUILT_IN_URL: Option<&str> = option_env!("MUSTER_BUILD_REPOSITORY");
/// Root version 1 as the build script put it there; empty in a build without one.
static BUILT_IN_ROOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/root.json"));

impl Environment {
    /// Reads the environment through `variable`; a studio's build reads nothing.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        if BUILT_IN_URL.is_some() {
            return Self::default();
        }
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let url = |name: &str| {
            let parsed = text(name).map(|value| Url::parse(&value));
            parsed.and_then(|parsed| {
                parsed.inspect_err(|error| tracing::warn!(variable = name, %error, "no address")).ok()
            })
        };
        Self {
            repository: url("MUSTER_REPOSITORY"),
            root: variable("MUSTER_ROOT").map(PathBuf::from),
            brand_dir: variable("MUSTER_BRAND_DIR").map(PathBuf::from),
            feed: url("MUSTER_FEED"),
            issuer: text("MUSTER_ISSUER"),
        }
    }
}

impl Repository {
    /// The repository of this launcher.
    pub(crate) fn find(brand: &Brand, environment: &Environment) -> Result<Self, RepositoryError> {
        if let Some(url) = BUILT_IN_URL {
            let url = Url::parse(url).map_err(|_| RepositoryError::Address(url.to_owned()))?;
            return Self { url, root: BUILT_IN_ROOT.to_vec() }.checked();
        }
        let url = environment.repository.clone().or_else(|| brand.config.repository.clone());
        let root = match &environment.root {
            Some(path) => files::read(path, ROOT_MAX)?,
            None => brand.root.clone().map(Cow::into_owned),
        };
        match (url, root) {
            (Some(url), Some(root)) => Self { url, root }.checked(),
            _ => Err(RepositoryError::None),
        }
    }

    fn checked(self) -> Result<Self, RepositoryError> {
        if !links::allowed(&self.url) {
            return Err(RepositoryError::Address(self.url.to_string()));
        }
        if self.root.is_empty() {
            return Err(RepositoryError::None);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_environment_goes_before_the_brand_in_a_build_without_a_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("1.root.json");
        fs::write(&root, b"theirs").unwrap();
        let mut brand = crate::brand::embedded().unwrap();
        let mut environment = Environment::default();
        assert!(matches!(Repository::find(&brand, &environment), Err(RepositoryError::None)));

        brand.config.repository = Some(Url::parse("https://studio.example/repo/").unwrap());
        brand.root = Some(Cow::Borrowed(b"brand"));
        assert_eq!(Repository::find(&brand, &environment).unwrap().root, b"brand");

        environment.repository = Some(Url::parse("http://127.0.0.1:8080/").unwrap());
        environment.root = Some(root);
        let found = Repository::find(&brand, &environment).unwrap();
        assert_eq!((found.url.port(), &found.root[..]), (Some(8080), &b"theirs"[..]));

        environment.repository = Some(Url::parse("http://studio.example/").unwrap());
        assert!(matches!(Repository::find(&brand, &environment), Err(RepositoryError::Address(_))));
    }

    #[test]
    fn variables_are_read_and_nonsense_is_left_out() {
        let environment = Environment::read(|name| match name {
            "MUSTER_FEED" => Some("not an address".into()),
            "MUSTER_ISSUER" => Some("http://127.0.0.1:2".into()),
            _ => None,
        });
        assert!(environment.feed.is_none());
        assert_eq!(environment.issuer.as_deref(), Some("http://127.0.0.1:2"));
    }
}
