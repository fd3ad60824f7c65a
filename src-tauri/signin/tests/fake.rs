//! A provider just large enough to be signed in at, and to be wrong in one chosen way.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use chrono::{Duration, Utc};
use openidconnect::{
    AccessToken, AdditionalClaims, Audience, EndUserName, IdToken, IdTokenClaims, IssuerUrl, JsonWebKeyId,
    LocalizedClaim, Nonce, PkceCodeChallenge, PkceCodeVerifier, PrivateSigningKey, StandardClaims,
    SubjectIdentifier,
    core::{
        CoreEdDsaPrivateSigningKey, CoreGenderClaim, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::{Semaphore, watch};

pub(super) const CLIENT: &str = "launcher";

/// How the provider misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trick {
    None,
    Denies,
    WrongNonce,
    WrongAudience,
    WrongIssuer,
    WrongKey,
    NoIdToken,
    Expired,
    Future,
    NotYetValid,
    /// Codes for other devices are given, and used after a while.
    Codes,
    /// Codes are given; whoever has one says no.
    CodesDenied,
    /// Codes are given; nobody uses one while it is good.
    CodesExpire,
    /// Its code is no text.
    CodesUnreadable,
    HtmlDiscovery,
    HugeDiscovery,
    OtherIssuerInDiscovery,
    PageElsewhere,
    NameInToken,
    NoName,
}

pub(super) struct Fake {
    pub(super) issuer: String,
    revoked: watch::Receiver<Option<String>>,
    server: Arc<Server>,
}

struct Server {
    issuer: String,
    trick: Trick,
    /// Nonce and challenge of the page that was opened last.
    opened: Mutex<Option<(String, String)>>,
    revoked: watch::Sender<Option<String>>,
    /// Whether it answers that it is out of order.
    ailing: AtomicBool,
    /// Requests for tokens, refused ones too.
    asked: AtomicUsize,
    /// The refresh token that is good now; the number grows with each renewal.
    generation: AtomicUsize,
    /// A renewal waits for leave to be answered.
    gate: Semaphore,
}

type Fields = BTreeMap<String, String>;

impl Fake {
    pub(super) async fn start(trick: Trick) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (publish, revoked) = watch::channel(None);
        let server = Arc::new(Server {
            issuer: issuer.clone(),
            trick,
            opened: Mutex::default(),
            revoked: publish,
            ailing: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            generation: AtomicUsize::new(1),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/revoke", post(revoke))
            .route("/device", post(device))
            .with_state(Arc::clone(&server));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, revoked, server }
    }

    /// Makes it ail, or well again.
    pub(super) fn set_ailing(&self, ailing: bool) {
        self.server.ailing.store(ailing, SeqCst);
    }

    /// How often it was asked for tokens.
    pub(super) fn asked(&self) -> usize {
        self.server.asked.load(SeqCst)
    }

    /// Ends every session there.
    pub(super) fn end_sessions(&self) {
        self.server.generation.fetch_add(100, SeqCst);
    }

    /// Requests for tokens are answered no more, until leave is given.
    pub(super) fn hold_answers(&self) {
        self.server.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Answers them.
    pub(super) fn release_answers(&self) {
        self.server.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    /// The token that was revoked, once one was.
    pub(super) async fn revoked(&self) -> String {
        self.revoked.clone().wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }
}

async fn discovery(State(server): State<Arc<Server>>) -> Response {
    let issuer = &server.issuer;
    let page = if server.trick == Trick::PageElsewhere { "http://page.example" } else { issuer };
    let named = if server.trick == Trick::OtherIssuerInDiscovery { "https://other.example" } else { issuer };
    if server.ailing.load(SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut document = json!({
        "issuer": named,
        "authorization_endpoint": format!("{page}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "authorization_response_iss_parameter_supported": true,
    });
    let codes = [Trick::Codes, Trick::CodesDenied, Trick::CodesExpire, Trick::CodesUnreadable];
    if codes.contains(&server.trick) {
        document["device_authorization_endpoint"] = format!("{issuer}/device").into();
    }
    match server.trick {
        Trick::HtmlDiscovery => {
            ([(header::CONTENT_TYPE, "text/html")], "<html>Log in to the hotel").into_response()
        }
        Trick::HugeDiscovery => vec![b' '; 1024 * 1024].into_response(),
        _ => Json(document).into_response(),
    }
}

async fn keys() -> Json<CoreJsonWebKeySet> {
    Json(CoreJsonWebKeySet::new(vec![key(7).as_verification_key()]))
}

async fn authorize(State(server): State<Arc<Server>>, Query(query): Query<Fields>) -> Redirect {
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], CLIENT);
    assert_eq!(query["scope"], "openid profile offline_access");
    *server.opened.lock().unwrap() = Some((query["nonce"].clone(), query["code_challenge"].clone()));
    let answer = if server.trick == Trick::Denies { "error=access_denied" } else { "code=code-1" };
    let (back, state, issuer) = (&query["redirect_uri"], &query["state"], &server.issuer);
    Redirect::to(&format!("{back}?{answer}&state={state}&iss={issuer}"))
}

async fn token(State(server): State<Arc<Server>>, body: String) -> Response {
    let form = fields(&body);
    assert_eq!(form["client_id"], CLIENT);
    let asked = server.asked.fetch_add(1, SeqCst) + 1;
    let _leave = server.gate.acquire().await.unwrap();
    let say = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let refuse = || say("invalid_grant");
    let nonce = match form["grant_type"].as_str() {
        "authorization_code" => {
            let Some((nonce, challenge)) = server.opened.lock().unwrap().take() else { return refuse() };
            let verifier = PkceCodeVerifier::new(form["code_verifier"].clone());
            let fits = PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str() == challenge;
            if form["code"] != "code-1" || !fits {
                return refuse();
            }
            Some(nonce)
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            assert_eq!(form["device_code"], "device-1");
            match (asked, server.trick) {
                (1, _) => return say("authorization_pending"),
                (2, _) => return say("slow_down"),
                (3, _) => return StatusCode::BAD_GATEWAY.into_response(),
                (4, _) => return say("authorization_pending"),
                (_, Trick::CodesDenied) => return say("access_denied"),
                (_, Trick::CodesExpire) => return say("expired_token"),
                _ => None,
            }
        }
        _ => {
            let good = server.generation.load(SeqCst);
            if form["refresh_token"] != format!("refresh-{good}") {
                return refuse();
            }
            server.generation.store(good + 1, SeqCst);
            None
        }
    };
    let refresh = format!("refresh-{}", server.generation.load(SeqCst));
    let mut answer = json!({
        "access_token": "access-1", "token_type": "Bearer", "expires_in": 60, "refresh_token": refresh,
    });
    if server.trick != Trick::NoIdToken {
        answer["id_token"] = Value::String(id_token(&server, nonce));
    }
    Json(answer).into_response()
}

fn id_token(server: &Server, nonce: Option<String>) -> String {
    let trick = server.trick;
    let age = match trick {
        Trick::Expired => Duration::hours(-2),
        Trick::Future => Duration::hours(2),
        _ => Duration::zero(),
    };
    let not_before = Utc::now() + Duration::hours(2);
    let not_before = (trick == Trick::NotYetValid).then(|| not_before.timestamp());
    let audience = if trick == Trick::WrongAudience { "another" } else { CLIENT };
    let issuer = if trick == Trick::WrongIssuer { "https://other.example" } else { &server.issuer };
    let nonce = if trick == Trick::WrongNonce { Some("another".into()) } else { nonce };
    let mut person = StandardClaims::<CoreGenderClaim>::new(SubjectIdentifier::new("subject-1".into()));
    if trick == Trick::NameInToken {
        let mut name = LocalizedClaim::new();
        name.insert(None, EndUserName::new(" Bob\u{7} ".into()));
        person = person.set_name(Some(name));
    }
    let claims = IdTokenClaims::new(
        IssuerUrl::new(issuer.to_owned()).unwrap(),
        vec![Audience::new(audience.into())],
        Utc::now() + age + Duration::minutes(5),
        Utc::now() + age,
        person,
        MaybeNotBefore { nbf: not_before },
    )
    .set_nonce(nonce.map(Nonce::new));
    let key = key(if trick == Trick::WrongKey { 8 } else { 7 });
    let access = AccessToken::new("access-1".into());
    IdToken::<_, _, CoreJweContentEncryptionAlgorithm, _>::new(
        claims,
        &key,
        CoreJwsSigningAlgorithm::EdDsa,
        Some(&access),
        None,
    )
    .unwrap()
    .to_string()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct MaybeNotBefore {
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

impl AdditionalClaims for MaybeNotBefore {}

async fn device(State(server): State<Arc<Server>>, body: String) -> Json<Value> {
    let form = fields(&body);
    assert_eq!(form["client_id"], CLIENT);
    assert_eq!(
        form["scope"].split(' ').collect::<BTreeSet<_>>(),
        ["openid", "profile", "offline_access"].into()
    );
    let code = if server.trick == Trick::CodesUnreadable { "\u{1b}[2J" } else { "WDJB-MJHT" };
    let issuer = &server.issuer;
    // No interval: five seconds, says RFC 8628.
    Json(json!({
        "device_code": "device-1", "user_code": code, "expires_in": 600,
        "verification_uri": format!("{issuer}/activate"),
        "verification_uri_complete": format!("{issuer}/activate?user_code={code}"),
    }))
}

fn fields(body: &str) -> Fields {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

async fn userinfo(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(match server.trick {
        Trick::NoName => json!({ "sub": "subject-1" }),
        _ => json!({ "sub": "subject-1", "name": "Ann" }),
    })
}

async fn revoke(State(server): State<Arc<Server>>, body: String) {
    let form = fields(&body);
    server.revoked.send_replace(Some(form["token"].clone()));
}

/// An Ed25519 key grown from one byte: a test needs no secret.
fn key(seed: u8) -> CoreEdDsaPrivateSigningKey {
    const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der: Vec<u8> = PKCS8_HEAD.into_iter().chain([seed; 32]).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("key-1".into()))).unwrap()
}

/// RFC 4648, for the 48 bytes of a key: no padding comes up.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|three| {
            let number = three.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[number >> shift & 63]))
        })
        .collect()
}
