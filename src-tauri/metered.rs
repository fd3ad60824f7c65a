//! Whether the network in use is paid for by the amount, as the system says: NetworkManager, over the system bus, on Linux.
//!
//! Invariant: nothing is started and nothing is changed by asking; where nobody says anything, the network counts as free. Windows
//! (the cost of the connection) and macOS (a constrained or expensive path) have a seam here and no words yet.

use tokio::sync::watch;

/// Follows it for as long as somebody listens.
pub(crate) fn follow() -> watch::Receiver<bool> {
    let (told, metered) = watch::channel(false);
    #[cfg(target_os = "linux")]
    tokio::spawn(async move {
        if let Err(error) = linux::follow(&told).await {
            tracing::info!(%error, "nobody says which networks are metered: all count as free");
        }
        told.send_replace(false);
        // A sender that stays keeps listeners waiting instead of asking again and again.
        told.closed().await;
    });
    #[cfg(not(target_os = "linux"))]
    drop(told);
    metered
}

#[cfg(target_os = "linux")]
mod linux {
    use futures_util::StreamExt;
    use tokio::sync::watch;
    use zbus::{
        Connection, Proxy,
        fdo::{DBusProxy, PropertiesProxy},
        names::BusName,
        proxy::CacheProperties,
    };

    const NAME: &str = "org.freedesktop.NetworkManager";
    const PATH: &str = "/org/freedesktop/NetworkManager";

    /// Until the bus is gone.
    pub(super) async fn follow(told: &watch::Sender<bool>) -> zbus::Result<()> {
        let bus = Connection::system().await?;
        let names = DBusProxy::new(&bus).await?;
        let manager: Proxy<'_> = zbus::proxy::Builder::new(&bus)
            .destination(NAME)?
            .path(PATH)?
            .interface(NAME)?
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let properties = PropertiesProxy::builder(&bus).destination(NAME)?.path(PATH)?.build().await?;
        let mut owners = names.receive_name_owner_changed_with_args(&[(0, NAME)]).await?;
        let mut changes = properties.receive_properties_changed().await?;
        loop {
            let metered = is_metered(&names, &manager).await;
            told.send_if_modified(|before| std::mem::replace(before, metered) != metered);
            let goes_on = tokio::select! {
                owner = owners.next() => owner.is_some(),
                change = changes.next() => change.is_some(),
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Whoever is not there is not woken by the question.
    async fn is_metered(names: &DBusProxy<'_>, manager: &Proxy<'_>) -> bool {
        let Ok(name) = BusName::try_from(NAME) else { return false };
        if !names.name_has_owner(name).await.unwrap_or(false) {
            return false;
        }
        // NMMetered: 1 is yes, 3 is "yes, as it looks".
        matches!(manager.get_property::<u32>("Metered").await, Ok(1 | 3))
    }
}
