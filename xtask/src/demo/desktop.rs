//! A display and a session bus: the person's own, or virtual ones where there are none.

use crate::{
    failure::Failure,
    process::{Running, command, run, succeeds},
};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const START_LIMIT: Duration = Duration::from_secs(20);

/// What a window needs.
pub(crate) struct Desktop {
    display: Option<Display>,
    bus: Option<Bus>,
}

impl Desktop {
    /// Uses the display and the bus of this session; makes what is missing, and with `alone` both.
    pub(crate) fn open(alone: bool) -> Result<Self, Failure> {
        let has = |name| !alone && std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let display = if has("DISPLAY") || has("WAYLAND_DISPLAY") { None } else { Some(Display::open()?) };
        let bus = if has("DBUS_SESSION_BUS_ADDRESS") { None } else { Some(Bus::open()?) };
        Ok(Self { display, bus })
    }

    /// Whether nobody sees the display.
    pub(crate) fn is_virtual(&self) -> bool {
        self.display.is_some()
    }

    /// The virtual display. Only where [`Desktop::is_virtual`].
    pub(crate) fn display(&self) -> &Display {
        self.display.as_ref().unwrap_or_else(|| unreachable!("asked for only where it is virtual"))
    }

    /// Lets a program use both.
    pub(crate) fn lend(&self, command: &mut Command) {
        if let Some(display) = &self.display {
            command.env("DISPLAY", display.name());
        }
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
        }
    }
}

/// A virtual display of our own.
pub(crate) struct Display {
    name: String,
    _server: Running,
}

impl Display {
    /// The next free one.
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut server = command("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]);
        let mut server = Running::start("Xvfb", server.stderr(Stdio::null()))?;
        let number =
            server.wait_for_line(START_LIMIT, "a virtual display", |line| line.trim().parse::<u32>().ok())?;
        Ok(Self { name: format!(":{number}"), _server: server })
    }

    /// As `DISPLAY` wants it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits until any window is visible.
    pub(crate) fn wait_for_window(&self, limit: Duration) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        let search = ["search", "--onlyvisible", "--name", ".+"];
        while !succeeds(command("xdotool").args(search).env("DISPLAY", &self.name)) {
            if Instant::now() > until {
                return Err(Failure::Late { what: "the launcher's window".into(), seconds: limit.as_secs() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A picture of the whole display.
    pub(crate) fn picture(&self, path: &Path) -> Result<(), Failure> {
        run(command("import").args(["-window", "root"]).arg(path).env("DISPLAY", &self.name))
    }
}

/// A session bus of our own.
pub(crate) struct Bus {
    pub(crate) address: String,
    _daemon: Running,
}

impl Bus {
    /// Started for us alone.
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut daemon = command("dbus-daemon");
        daemon.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let mut daemon = Running::start("dbus-daemon", daemon.stderr(Stdio::null()))?;
        let address = daemon.wait_for_line(START_LIMIT, "a session bus", |line| {
            line.contains('=').then(|| line.trim().to_owned())
        })?;
        Ok(Self { address, _daemon: daemon })
    }
}
