//! Sign-in against a small provider that can be told to misbehave, with a browser that only follows redirects.

mod device;
mod fake;
mod real;
mod renewal;
mod time;

use super::*;
use fake::{Fake, Trick};
use time::Time;

struct Case {
    dir: tempfile::TempDir,
    fake: Fake,
}

impl Case {
    async fn new(trick: Trick) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), fake: Fake::start(trick).await }
    }

    fn provider(&self) -> ProviderConfig {
        ProviderConfig {
            issuer: self.fake.issuer.clone(),
            client_id: fake::CLIENT.into(),
            scopes: vec!["profile".into(), "offline_access".into()],
            proxy: engine::proxy::Proxy::None,
        }
    }

    fn start(&self, open: fn(&Url) -> Result<(), LinkError>) -> SignIn {
        self.start_with(open, Secrets::none(), &Time::stopped())
    }

    fn start_with(&self, open: fn(&Url) -> Result<(), LinkError>, secrets: Secrets, time: &Time) -> SignIn {
        SignIn::start(Some(SignInConfig {
            provider: self.provider(),
            brand: "Game".into(),
            record: self.record(),
            secrets,
            open,
            patience: PATIENCE,
            pause: time.pause(),
        }))
        .unwrap()
    }

    fn record(&self) -> PathBuf {
        self.dir.path().join("account.json")
    }
}

/// Follows the provider's page to where it leads.
fn browser(page: &Url) -> Result<(), LinkError> {
    tokio::spawn(reqwest::get(page.clone()));
    Ok(())
}

fn no_browser(_page: &Url) -> Result<(), LinkError> {
    Err(LinkError::Browser(io::ErrorKind::NotFound.into()))
}

async fn until(sign_in: &SignIn, done: impl Fn(&Account) -> bool) -> Account {
    sign_in.watch().wait_for(|account| done(account)).await.unwrap().clone()
}

fn trouble(account: &Account) -> Option<&str> {
    match account {
        Account::SignedIn { trouble, .. } => trouble.as_ref().map(|failure| failure.code.as_str()),
        _ => None,
    }
}

fn ended(account: &Account) -> bool {
    matches!(account, Account::SignedIn { .. } | Account::Failed { .. })
}

#[tokio::test]
async fn signed_in_kept_in_memory_and_signed_out_again() {
    let case = Case::new(Trick::None).await;
    let sign_in = case.start(browser);
    assert_eq!(sign_in.account(), Account::SignedOut);
    sign_in.sign_in().await.unwrap();
    let account = until(&sign_in, ended).await;
    assert_eq!(
        account,
        Account::SignedIn { name: "Ann".into(), picture: None, kept: Kept::Memory, trouble: None }
    );
    assert!(!case.record().exists(), "a session in memory is not promised for the next start");
    sign_in.sign_out().await.unwrap();
    until(&sign_in, |account| *account == Account::SignedOut).await;
    assert_eq!(case.fake.revoked().await, "refresh-1");
}

#[tokio::test]
async fn answers_that_are_not_believed() {
    let cases = [
        (Trick::Denies, "SIGN_IN_DENIED"),
        (Trick::WrongNonce, "SIGN_IN_REFUSED"),
        (Trick::WrongAudience, "SIGN_IN_REFUSED"),
        (Trick::WrongIssuer, "SIGN_IN_REFUSED"),
        (Trick::WrongKey, "SIGN_IN_REFUSED"),
        (Trick::NoIdToken, "SIGN_IN_REFUSED"),
        (Trick::Expired, "SIGN_IN_CLOCK"),
        (Trick::Future, "SIGN_IN_CLOCK"),
        (Trick::NotYetValid, "SIGN_IN_CLOCK"),
        (Trick::HtmlDiscovery, "SIGN_IN_UNREACHABLE"),
        (Trick::HugeDiscovery, "SIGN_IN_UNREACHABLE"),
        (Trick::OtherIssuerInDiscovery, "SIGN_IN_REFUSED"),
        (Trick::PageElsewhere, "SIGN_IN_REFUSED"),
    ];
    for (trick, code) in cases {
        let case = Case::new(trick).await;
        let sign_in = case.start(browser);
        sign_in.sign_in().await.unwrap();
        match until(&sign_in, ended).await {
            Account::Failed { failure } => assert_eq!(failure.code, code, "{trick:?}: {}", failure.message),
            other => panic!("{trick:?}: {other:?}"),
        }
        assert!(!case.record().exists());
    }
}

#[tokio::test]
async fn a_name_in_the_token_is_enough_and_no_name_is_the_subject() {
    for (trick, name) in [(Trick::NameInToken, "Bob"), (Trick::NoName, "subject-1")] {
        let case = Case::new(trick).await;
        let sign_in = case.start(browser);
        sign_in.sign_in().await.unwrap();
        let account = until(&sign_in, ended).await;
        assert!(matches!(&account, Account::SignedIn { name: found, .. } if found == name), "{account:?}");
    }
}

#[tokio::test]
async fn without_a_browser_the_link_is_shown_and_can_be_cancelled() {
    let case = Case::new(Trick::None).await;
    let sign_in = case.start(no_browser);
    sign_in.sign_in().await.unwrap();
    let has_link = |account: &Account| matches!(account, Account::Waiting { url, .. } if !url.is_empty());
    let Account::Waiting { url, elsewhere: false } = until(&sign_in, has_link).await else {
        panic!("waiting")
    };
    let page = Url::parse(&url).unwrap();
    let value =
        |name: &str| page.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(value("prompt").as_deref(), Some("consent"));
    let redirect = Url::parse(&value("redirect_uri").unwrap()).unwrap();
    assert_eq!((redirect.host_str(), redirect.path()), (Some("127.0.0.1"), "/callback"));
    sign_in.cancel().await.unwrap();
    until(&sign_in, |account| *account == Account::SignedOut).await;
    let port = redirect.port().unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the port is closed");
    // The person may still paste the link that was copied; nothing listens, and a new try works.
    let page = reqwest::get(page).await;
    assert!(page.is_err());
}

#[tokio::test]
async fn nobody_comes_back_or_nobody_answers() {
    let case = Case::new(Trick::None).await;
    let mut time = Time::stopped();
    let sign_in = case.start_with(no_browser, Secrets::none(), &time);
    sign_in.sign_in().await.unwrap();
    assert_eq!(time.asked().await, PATIENCE, "as long as a person may take");
    time.pass();
    let account = until(&sign_in, ended).await;
    assert!(
        matches!(&account, Account::Failed { failure } if failure.code == "SIGN_IN_TIMEOUT" && failure.can_retry)
    );

    let mut case = case;
    case.fake.issuer = "http://127.0.0.1:1".into();
    let sign_in = case.start(browser);
    sign_in.sign_in().await.unwrap();
    let account = until(&sign_in, ended).await;
    assert!(matches!(&account, Account::Failed { failure } if failure.code == "SIGN_IN_UNREACHABLE"));
}

#[tokio::test]
async fn a_brand_without_a_provider_refuses() {
    let sign_in = SignIn::start(None).unwrap();
    assert_eq!(sign_in.sign_in().await.unwrap_err().code, "SIGN_IN_UNAVAILABLE");
}
