//! Waiting for grants, with tokio's own clock.

use super::*;
use swarm::Class;
use tokio::net::{TcpListener, TcpStream};

async fn connection() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
}

async fn peer(limiter: &Arc<Limiter>, class: Class) -> Flow {
    Scope::new(limiter).peer(class, &connection().await)
}

fn up(cap: u64) -> Caps {
    Caps { up: Some(cap), ..Caps::default() }
}

#[tokio::test]
async fn a_cap_set_later_holds_for_those_who_wait() {
    let limiter = Limiter::new(up(0));
    let flow = Arc::new(peer(&limiter, Class::Internet).await);
    assert_eq!(flow.acquire(Direction::Down, 1 << 20).await, 1 << 20);
    let waiting = {
        let flow = Arc::clone(&flow);
        tokio::spawn(async move { flow.acquire(Direction::Up, 1000).await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "nothing passes a cap of zero");
    limiter.set_caps(up(1_000_000));
    assert!(waiting.await.is_ok_and(|bytes| bytes > 0));
}

#[tokio::test]
async fn the_lan_is_exempt_and_origins_have_a_cap_of_their_own() {
    let limiter = Limiter::new(Caps { origin_down: Some(0), ..up(0) });
    let lan = peer(&limiter, Class::Lan).await;
    assert_eq!(lan.acquire(Direction::Up, 1 << 20).await, 1 << 20);
    let origin = Scope::new(&limiter).origin(None, false);
    assert!(origin.is_capped(Direction::Down) && !lan.is_capped(Direction::Down));
    limiter.set_caps(Caps { lan_capped: true, ..up(0) });
    assert!(lan.is_capped(Direction::Up) && !origin.is_capped(Direction::Down));
}

#[tokio::test]
async fn one_game_can_be_stopped_alone_and_takes_its_cap_with_it() {
    let limiter = Limiter::new(Caps::default());
    let scope = Scope::new(&limiter);
    let (stopped, other) =
        (scope.peer(Class::Internet, &connection().await), peer(&limiter, Class::Internet).await);
    scope.set_caps(Some(0), None);
    assert_eq!(other.acquire(Direction::Up, 5_000).await, 5_000);
    let waits = tokio::time::timeout(Duration::from_millis(50), stopped.acquire(Direction::Up, 1)).await;
    assert!(waits.is_err(), "a cap of zero for this game");
    drop((stopped, scope));
    assert!(!other.is_capped(Direction::Up), "a game that is gone leaves no cap");
}

#[tokio::test]
async fn whoever_stops_waiting_takes_nothing() {
    let limiter = Limiter::new(up(100_000));
    let flows = [peer(&limiter, Class::Internet).await, peer(&limiter, Class::Internet).await];
    let begun = Instant::now();
    let mut moved = 0_u64;
    while begun.elapsed() < Duration::from_secs(1) {
        // The first one gives up each time, just before or just after it was served.
        let _ = tokio::time::timeout(Duration::from_millis(3), flows[0].acquire(Direction::Up, 1448)).await;
        moved += u64::from(flows[1].acquire(Direction::Up, 1448).await);
    }
    assert!(limiter.lock().waiters.is_empty());
    assert!(moved > 20_000, "{moved}");
}

#[tokio::test]
async fn flows_share_a_cap_and_keep_to_it() {
    const CAP: u64 = 400_000;
    let limiter = Limiter::new(up(CAP));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let flow = peer(&limiter, Class::Internet).await;
        tasks.push(tokio::spawn(async move {
            let mut wire = 0;
            while begun.elapsed() < Duration::from_secs(2) {
                let bytes = flow.acquire(Direction::Up, 16 * 1024).await;
                flow.settle(Direction::Up, bytes, bytes);
                wire += flow.framing().wire_bytes(bytes);
            }
            wire
        }));
    }
    let mut shares = Vec::new();
    for task in tasks {
        shares.push(task.await.unwrap());
    }
    let passed: u64 = shares.iter().sum();
    let allowed = (begun.elapsed().as_secs_f64() * CAP as f64 * 1.05) as u64 + 8 * 1_500;
    assert!(passed <= allowed, "{passed} of {allowed}");
    let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
    assert!(most * 10 <= least * 13, "{shares:?}");
}
