//! The end asked for from outside: a log-out, a shutdown, Ctrl-C. The launcher then ends as if its window had been closed.

/// Waits until somebody asks. Where the system cannot be listened to, that is never.
#[cfg(unix)]
pub(crate) async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let listened =
        signal(SignalKind::terminate()).and_then(|end| Ok((end, signal(SignalKind::interrupt())?)));
    match listened {
        Ok((mut terminate, mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "signals are not heard");
            std::future::pending().await
        }
    }
}

/// Windows tells windows to close by itself; only Ctrl-C of a console is left.
#[cfg(not(unix))]
pub(crate) async fn asked_to_end() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "Ctrl-C is not heard");
        std::future::pending().await
    }
}
