//! A network manager that says what a test wants, on a system bus of the test's own.

use crate::child::Running;
use std::{process::Command, time::Duration};
use zbus::{Connection, connection, interface, object_server::InterfaceRef};

const START_LIMIT: Duration = Duration::from_secs(20);
const NAME: &str = "org.freedesktop.NetworkManager";
const PATH: &str = "/org/freedesktop/NetworkManager";

/// A bus on which a network manager may be.
#[derive(Debug)]
pub struct SystemBus {
    address: String,
    _bus: Running,
}

impl SystemBus {
    /// With nobody on it.
    #[must_use]
    pub fn start() -> Self {
        let mut bus = Command::new("dbus-daemon");
        // The rules of a session bus let anybody take any name.
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let mut bus = Running::start("dbus-daemon", &mut bus);
        let address = bus
            .wait_for(START_LIMIT, "bus address", |line| line.contains('=').then(|| line.trim().to_owned()));
        Self { address, _bus: bus }
    }

    /// Where programs find it: the value of `DBUS_SYSTEM_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// See the module.
#[derive(Debug)]
pub struct NetworkManager {
    connection: Connection,
}

struct Manager {
    metered: u32,
}

#[interface(name = "org.freedesktop.NetworkManager")]
impl Manager {
    #[zbus(property)]
    fn metered(&self) -> u32 {
        self.metered
    }
}

impl NetworkManager {
    /// Appears on the bus; `metered` is its word for the network (`NMMetered`).
    pub async fn appear(bus: &SystemBus, metered: u32) -> Self {
        let connection = connection::Builder::address(bus.address())
            .unwrap()
            .serve_at(PATH, Manager { metered })
            .unwrap()
            .name(NAME)
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { connection }
    }

    /// Another network is in use.
    pub async fn set_metered(&self, metered: u32) {
        let manager: InterfaceRef<Manager> = self.connection.object_server().interface(PATH).await.unwrap();
        manager.get_mut().await.metered = metered;
        let manager_now = manager.get().await;
        manager_now.metered_changed(manager.signal_emitter()).await.unwrap();
    }

    /// Leaves the bus.
    pub async fn leave(self) {
        self.connection.close().await.unwrap();
    }
}
