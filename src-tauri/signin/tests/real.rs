//! The demo's identity provider, which is `oidc-provider` itself, with a browser that fills in its forms.

use super::*;
use crate::signin::provider::{Provider, ProviderError};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, process::Stdio, sync::Mutex};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// `oidc-provider` in a process of its own, with what it tells.
struct Real {
    issuer: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Real {
    async fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/idp/server.mjs");
        let mut node = Command::new("node");
        node.arg(script).args(["0", "--tell-tokens"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = node.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first =
            lines.next_line().await.unwrap().expect("the provider says where it is; `npm ci` in demo/idp");
        let first: Value = serde_json::from_str(&first).unwrap();
        Self { issuer: first["issuer"].as_str().unwrap().to_owned(), lines, _child: child }
    }

    fn config(&self) -> ProviderConfig {
        let scopes = ["openid", "profile", "offline_access"].map(str::to_owned).to_vec();
        ProviderConfig {
            issuer: self.issuer.clone(),
            client_id: "muster-launcher".into(),
            scopes,
            proxy: engine::proxy::Proxy::None,
        }
    }

    /// The refresh token that it gives out next.
    async fn refresh_token(&mut self) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap().unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            if let Some(token) = said["issued"]["refresh_token"].as_str() {
                return token.to_owned();
            }
        }
    }

    fn sign_in(&self, dir: &tempfile::TempDir) -> SignIn {
        SignIn::start(Some(SignInConfig {
            provider: self.config(),
            brand: "Game".into(),
            record: dir.path().join("account.json"),
            secrets: Secrets::none(),
            open: |_| Ok(()),
            patience: PATIENCE,
            pause: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
        }))
        .unwrap()
    }
}

/// A browser that keeps cookies and follows redirects.
struct Visitor {
    web: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
    page: String,
    address: Url,
}

impl Visitor {
    async fn open(address: &str) -> Self {
        let web = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let address = Url::parse(address).unwrap();
        let mut visitor =
            Self { web, cookies: Mutex::default(), page: String::new(), address: address.clone() };
        visitor.go(address, None).await;
        visitor
    }

    async fn go(&mut self, address: Url, mut form: Option<Vec<(String, String)>>) {
        let mut next = address;
        loop {
            let mut request = match form.take() {
                Some(form) => self.web.post(next.clone()).form(&form),
                None => self.web.get(next.clone()),
            };
            let jar: Vec<String> =
                self.cookies.lock().unwrap().iter().map(|(k, v)| format!("{k}={v}")).collect();
            request = request.header(COOKIE, jar.join("; "));
            let answer = request.send().await.unwrap();
            for cookie in answer.headers().get_all(SET_COOKIE) {
                let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
            }
            match answer.headers().get(LOCATION).map(|to| next.join(to.to_str().unwrap()).unwrap()) {
                Some(to) => next = to,
                None => {
                    self.page = answer.text().await.unwrap();
                    self.address = next;
                    return;
                }
            }
        }
    }

    /// Sends the form whose address ends so, with what it hides and with these fields.
    async fn send(&mut self, action: &str, fields: &[(&str, &str)]) {
        let forms =
            self.page.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap_or_default());
        let value = |text: &str, name: &str| {
            text.split(&format!("{name}=\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned)
        };
        let (to, hidden) = forms
            .filter_map(|form| Some((value(form, "action")?, form)))
            .find(|(to, _)| to.ends_with(action))
            .map(|(to, form)| {
                let inputs = form.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
                let hidden = inputs.filter_map(|input| Some((value(input, "name")?, value(input, "value")?)));
                (to, hidden.collect::<Vec<_>>())
            })
            .unwrap_or_else(|| panic!("no form {action} in {}", self.page));
        let typed = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let form: Vec<_> = hidden.into_iter().chain(typed).collect();
        let to = self.address.join(&to).unwrap();
        self.go(to, Some(form)).await;
    }

    async fn agree(&mut self) {
        self.send("/login", &[("login", "Ada"), ("password", "any")]).await;
        self.send("/consent", &[]).await;
    }
}

async fn is_over(real: &Real, token: &str) -> bool {
    let renewed = Provider::new(real.config()).unwrap().renew(token, "Ada").await;
    matches!(renewed, Err(ProviderError::SessionOver))
}

fn is_ada(account: &Account) -> bool {
    matches!(account, Account::SignedIn { name, kept: Kept::Memory, trouble: None, .. } if name == "Ada")
}

#[tokio::test]
async fn in_the_browser_and_signing_out_ends_the_session_there() {
    let (mut real, dir) = (Real::start().await, tempfile::tempdir().unwrap());
    let sign_in = real.sign_in(&dir);
    sign_in.sign_in().await.unwrap();
    let account =
        until(&sign_in, |account| matches!(account, Account::Waiting { url, .. } if !url.is_empty())).await;
    let Account::Waiting { url, elsewhere: true } = account else { panic!("{account:?}") };
    Visitor::open(&url).await.agree().await;
    let account = until(&sign_in, ended).await;
    assert!(is_ada(&account), "{account:?}");
    let token = real.refresh_token().await;
    sign_in.sign_out().await.unwrap();
    let mut waits = 0;
    while !is_over(&real, &token).await {
        waits += 1;
        assert!(waits < 100, "the session lives on at the provider");
    }
}

#[tokio::test]
async fn on_another_device() {
    let (mut real, dir) = (Real::start().await, tempfile::tempdir().unwrap());
    let sign_in = real.sign_in(&dir);
    sign_in.sign_in_elsewhere().await.unwrap();
    let shown =
        until(&sign_in, |account| matches!(account, Account::Elsewhere { code, .. } if !code.is_empty()));
    let Account::Elsewhere { code, url, .. } = shown.await else { panic!("a code") };
    let mut visitor = Visitor::open(&url).await;
    visitor.send("/device", &[("user_code", &code)]).await;
    visitor.send("/device", &[]).await;
    visitor.agree().await;
    let account = until(&sign_in, ended).await;
    assert!(is_ada(&account), "{account:?}");
    assert!(!real.refresh_token().await.is_empty(), "the session can be renewed");
}

#[tokio::test]
async fn a_refusal_on_the_other_device() {
    let (real, dir) = (Real::start().await, tempfile::tempdir().unwrap());
    let sign_in = real.sign_in(&dir);
    sign_in.sign_in_elsewhere().await.unwrap();
    let shown =
        until(&sign_in, |account| matches!(account, Account::Elsewhere { code, .. } if !code.is_empty()));
    let Account::Elsewhere { code, url, .. } = shown.await else { panic!("a code") };
    let mut visitor = Visitor::open(&url).await;
    visitor.send("/device", &[("user_code", &code)]).await;
    visitor.send("/device", &[("abort", "yes")]).await;
    let account = until(&sign_in, ended).await;
    assert!(
        matches!(&account, Account::Failed { failure } if failure.code == "SIGN_IN_DENIED"),
        "{account:?}"
    );
}

#[tokio::test]
async fn a_spent_refresh_token_ends_the_session_which_is_why_two_renewals_are_one() {
    let (mut real, dir) = (Real::start().await, tempfile::tempdir().unwrap());
    let sign_in = real.sign_in(&dir);
    sign_in.sign_in().await.unwrap();
    let waiting = |account: &Account| matches!(account, Account::Waiting { url, .. } if !url.is_empty());
    let Account::Waiting { url, .. } = until(&sign_in, waiting).await else { panic!("waiting") };
    Visitor::open(&url).await.agree().await;
    until(&sign_in, ended).await;
    let first = real.refresh_token().await;
    sign_in.sign_in().await.unwrap();
    sign_in.sign_in().await.unwrap();
    let second = real.refresh_token().await;
    assert_ne!(first, second, "each renewal brings another token");
    assert!(is_ada(&sign_in.account()), "still signed in");
    assert!(is_over(&real, &first).await, "the one before is spent");
    assert!(is_over(&real, &second).await, "and using it again ended the session");
}
