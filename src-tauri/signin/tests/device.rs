//! Codes for another device (RFC 8628).

use super::*;

fn shows_code(account: &Account) -> bool {
    matches!(account, Account::Elsewhere { code, .. } if !code.is_empty())
}

#[tokio::test]
async fn a_code_is_shown_and_asked_after_no_oftener_than_allowed() {
    let case = Case::new(Trick::Codes).await;
    let mut time = Time::stopped();
    let sign_in = case.start_with(browser, Secrets::none(), &time);
    sign_in.sign_in_elsewhere().await.unwrap();
    let Account::Elsewhere { code, url, link } = until(&sign_in, shows_code).await else { panic!("a code") };
    let page = format!("{}/activate", case.fake.issuer);
    assert_eq!((code.as_str(), &url, &link), ("WDJB-MJHT", &page, &format!("{page}?user_code=WDJB-MJHT")));
    // Pending, slow down, no answer, pending.
    for seconds in [5, 10, 10, 10] {
        assert_eq!(time.asked().await, Duration::from_secs(seconds));
        time.pass();
    }
    let account = until(&sign_in, ended).await;
    assert!(matches!(account, Account::SignedIn { name, trouble: None, .. } if name == "Ann"));
    sign_in.sign_out().await.unwrap();
    assert_eq!(case.fake.revoked().await, "refresh-1");
}

#[tokio::test]
async fn without_a_browser_the_code_comes_by_itself() {
    let case = Case::new(Trick::Codes).await;
    let sign_in = case.start(no_browser);
    sign_in.sign_in().await.unwrap();
    until(&sign_in, shows_code).await;
    sign_in.cancel().await.unwrap();
    until(&sign_in, |account| *account == Account::SignedOut).await;
}

#[tokio::test]
async fn from_a_browser_that_is_waited_for_one_may_change_over_and_back() {
    let case = Case::new(Trick::Codes).await;
    let sign_in = case.start(|_| Ok(()));
    sign_in.sign_in().await.unwrap();
    until(
        &sign_in,
        |account| matches!(account, Account::Waiting { url, elsewhere: true } if !url.is_empty()),
    )
    .await;
    sign_in.sign_in_elsewhere().await.unwrap();
    until(&sign_in, shows_code).await;
    sign_in.sign_in().await.unwrap();
    until(&sign_in, |account| matches!(account, Account::Waiting { .. })).await;
}

#[tokio::test]
async fn how_it_may_end() {
    let cases = [
        (Trick::CodesDenied, "SIGN_IN_DENIED"),
        (Trick::CodesExpire, "SIGN_IN_TIMEOUT"),
        (Trick::CodesUnreadable, "SIGN_IN_REFUSED"),
        (Trick::None, "SIGN_IN_NO_CODES"),
    ];
    for (trick, code) in cases {
        let case = Case::new(trick).await;
        let sign_in = case.start_with(browser, Secrets::none(), &Time::flying());
        sign_in.sign_in_elsewhere().await.unwrap();
        match until(&sign_in, ended).await {
            Account::Failed { failure } => assert_eq!(failure.code, code, "{trick:?}: {}", failure.message),
            other => panic!("{trick:?}: {other:?}"),
        }
    }
}
