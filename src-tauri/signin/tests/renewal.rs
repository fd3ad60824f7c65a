//! A session after its first hour: renewed, not renewed, and ended elsewhere.

use super::*;
use crate::signin::{
    provider::{Grant, Provider, ProviderError},
    record::Record,
};

#[tokio::test]
async fn whoever_was_signed_in_stays_so_by_name_without_network_or_store() {
    let case = Case::new(Trick::None).await;
    let record =
        |issuer: &str| Record { issuer: issuer.into(), subject: "subject-1".into(), name: "Ann".into() };
    record(&case.fake.issuer).save(&case.record()).unwrap();
    let sign_in = case.start(browser);
    // There is no store: the name stands, and it is said that the session could not be renewed.
    let account = until(&sign_in, |account| trouble(account) == Some("SIGN_IN_LOCKED")).await;
    assert!(matches!(account, Account::SignedIn { name, kept: Kept::SecretStore, .. } if name == "Ann"));
    sign_in.sign_out().await.unwrap();
    until(&sign_in, |account| *account == Account::SignedOut).await;
    assert!(!case.record().exists());

    record("https://another.example").save(&case.record()).unwrap();
    let sign_in = case.start(browser);
    sign_in.cancel().await.unwrap();
    assert_eq!(sign_in.account(), Account::SignedOut, "another provider's record is not ours");
}

#[tokio::test]
async fn renewal_rotates_the_token_and_knows_when_the_session_is_over() {
    let case = Case::new(Trick::None).await;
    let provider = Provider::new(case.provider()).unwrap();
    let renewed = provider.renew("refresh-1", "subject-1").await.unwrap();
    let expected = Grant {
        subject: Some("subject-1".into()),
        name: Some("Ann".into()),
        refresh_token: Some("refresh-2".into()),
        clock_fault: None,
    };
    assert_eq!(renewed, expected);
    let over = provider.renew("refresh-0", "subject-1").await;
    assert!(matches!(over, Err(ProviderError::SessionOver)));
    let other = provider.renew("refresh-2", "subject-2").await;
    assert!(matches!(other, Err(ProviderError::Refused(_))));
}

/// Signed in with the token in memory, and time under our hand.
async fn signed_in(case: &Case) -> (SignIn, Time) {
    let mut time = Time::stopped();
    let sign_in = case.start_with(browser, Secrets::none(), &time);
    sign_in.sign_in().await.unwrap();
    until(&sign_in, |account| matches!(account, Account::SignedIn { .. })).await;
    // How long the browser may take, which it did not, and when the session is renewed.
    assert_eq!(time.asked().await, PATIENCE);
    assert_eq!(time.asked().await, Duration::from_secs(3600));
    (sign_in, time)
}

#[tokio::test]
async fn a_provider_that_is_down_costs_nobody_the_session_and_is_asked_ever_more_seldom() {
    let case = Case::new(Trick::None).await;
    let (sign_in, mut time) = signed_in(&case).await;
    case.fake.set_ailing(true);
    for seconds in [30, 60, 120, 240, 480, 900, 900] {
        time.pass();
        assert_eq!(time.asked().await, Duration::from_secs(seconds));
        let account = sign_in.account();
        assert_eq!(trouble(&account), Some("SIGN_IN_UNREACHABLE"), "{account:?}");
        assert!(matches!(account, Account::SignedIn { name, kept: Kept::Memory, .. } if name == "Ann"));
    }
    case.fake.set_ailing(false);
    time.pass();
    assert_eq!(time.asked().await, Duration::from_secs(3600));
    assert_eq!(trouble(&sign_in.account()), None, "all is well again");
}

#[tokio::test]
async fn a_session_ended_at_the_provider_signs_out_with_words() {
    let case = Case::new(Trick::None).await;
    let (sign_in, time) = signed_in(&case).await;
    case.fake.end_sessions();
    time.pass();
    let account = until(&sign_in, |account| matches!(account, Account::Failed { .. })).await;
    assert!(
        matches!(account, Account::Failed { failure } if failure.code == "SIGN_IN_EXPIRED" && failure.can_retry)
    );
    assert!(!case.record().exists());
}

#[tokio::test]
async fn two_renewals_at_once_are_one() {
    let case = Case::new(Trick::None).await;
    let (sign_in, mut time) = signed_in(&case).await;
    let before = case.fake.asked();
    case.fake.hold_answers();
    time.pass();
    // The hour is over, and a player presses the button twice.
    sign_in.sign_in().await.unwrap();
    sign_in.sign_in().await.unwrap();
    while case.fake.asked() == before {
        tokio::task::yield_now().await;
    }
    sign_in.sign_in().await.unwrap();
    case.fake.release_answers();
    assert_eq!(time.asked().await, Duration::from_secs(3600), "renewed");
    assert_eq!(case.fake.asked(), before + 1, "the refresh token was used once");
    assert_eq!(trouble(&sign_in.account()), None);
    sign_in.sign_out().await.unwrap();
    assert_eq!(case.fake.revoked().await, "refresh-2", "the newest token is the one that is ended");
}

#[tokio::test]
async fn a_clock_that_went_wrong_is_said_and_the_session_renewed_all_the_same() {
    let case = Case::new(Trick::Expired).await;
    let provider = Provider::new(case.provider()).unwrap();
    let grant = provider.renew("refresh-1", "subject-1").await.unwrap();
    assert!(grant.clock_fault.is_some());
    assert_eq!(grant.refresh_token.as_deref(), Some("refresh-2"), "it would be lost for good");
}
