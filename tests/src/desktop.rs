//! A desktop for one test: a display, a session bus, an unlocked secret store, a home; all its own.

use crate::{
    child::{Running, eventually},
    muster::Person,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const START_LIMIT: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub struct Desktop {
    display: String,
    bus: String,
    home: PathBuf,
    person: Person,
    // Dropped, and so ended, in this order.
    keyring: Option<Running>,
    _bus: Running,
    _server: Running,
}

impl Desktop {
    /// With the home `home`.
    #[must_use]
    pub fn start(home: &Path) -> Self {
        let mut desktop = Self::without_keys(home);
        desktop.unlock_keys();
        desktop
    }

    /// With nobody who keeps secrets.
    #[must_use]
    pub fn without_keys(home: &Path) -> Self {
        let person = Person::at(home);
        private(&home.join("run"));
        let mut server = Command::new("Xvfb");
        // Without -noreset a window that opens just when the last client leaves finds no display.
        server.args(["-displayfd", "1", "-screen", "0", "1120x680x24", "-nolisten", "tcp", "-noreset"]);
        let mut server = Running::start("Xvfb", &mut server);
        let number = server.wait_for(START_LIMIT, "display", |line| line.trim().parse::<u32>().ok());
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let mut bus = Running::start("dbus-daemon", &mut bus);
        let address = bus
            .wait_for(START_LIMIT, "bus address", |line| line.contains('=').then(|| line.trim().to_owned()));
        Self {
            display: format!(":{number}"),
            bus: address,
            home: home.to_path_buf(),
            person,
            keyring: None,
            _bus: bus,
            _server: server,
        }
    }

    /// The secret store is opened by its owner.
    pub fn unlock_again(&mut self) {
        self.keyring = None;
        self.unlock_keys();
    }

    /// A secret store comes, and is open.
    fn unlock_keys(&mut self) {
        let mut keyring = Command::new("gnome-keyring-daemon");
        keyring.args(["--foreground", "--unlock", "--components=secrets"]);
        self.lend(&mut keyring);
        let mut keyring = Running::start("gnome-keyring-daemon", &mut keyring);
        keyring.tell("a password of this test");
        keyring.close_stdin();
        self.keyring = Some(keyring);
        self.wait_for_owner("org.freedesktop.secrets");
    }

    /// A secret store is there, with the keys of a session before, and nobody has opened it.
    pub fn lock_keys(&mut self) {
        self.keyring = None;
        let mut keyring = Command::new("gnome-keyring-daemon");
        keyring.args(["--foreground", "--components=secrets"]);
        self.lend(&mut keyring);
        self.keyring = Some(Running::start("gnome-keyring-daemon", &mut keyring));
        self.wait_for_owner("org.freedesktop.secrets");
    }

    fn wait_for_owner(&self, name: &str) {
        eventually(START_LIMIT, &format!("{name} on the bus"), || has_owner(&self.bus, name));
    }

    /// The home of whoever sits at it.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Lets a program run on this desktop.
    pub fn lend(&self, command: &mut Command) {
        lend(command, &self.display, &self.bus, &self.home, &self.person);
    }

    /// A window manager, without which no window can be minimised; it ends when what is returned is dropped.
    #[must_use]
    pub fn window_manager(&self) -> Running {
        let mut manager = Command::new("openbox");
        manager.arg("--sm-disable");
        self.lend(&mut manager);
        let manager = Running::start("openbox", &mut manager);
        eventually(START_LIMIT, "a window manager", || {
            let mut ask = Command::new("xprop");
            ask.args(["-root", "_NET_SUPPORTING_WM_CHECK"]).env("DISPLAY", &self.display);
            let answer = ask.output().unwrap_or_else(|error| panic!("xprop (x11-utils): {error}"));
            String::from_utf8_lossy(&answer.stdout).contains("window id")
        });
        manager
    }

    /// A picture of the whole display.
    pub fn picture(&self, path: &Path) {
        let mut import = Command::new("import");
        import.args(["-window", "root"]).arg(path).env("DISPLAY", &self.display);
        let status = import.status().unwrap_or_else(|error| panic!("import (imagemagick): {error}"));
        assert!(status.success(), "import: {status}");
    }

    /// How many windows with a name that contains `name` are visible.
    #[must_use]
    pub fn windows(&self, name: &str) -> usize {
        let mut search = Command::new("xdotool");
        search.args(["search", "--onlyvisible", "--name", name]).env("DISPLAY", &self.display);
        let found = search.output().unwrap_or_else(|error| panic!("xdotool: {error}"));
        String::from_utf8_lossy(&found.stdout).lines().count()
    }
}

fn lend(command: &mut Command, display: &str, bus: &str, home: &Path, person: &Person) {
    person.at_home(command);
    command.env("DISPLAY", display).env("DBUS_SESSION_BUS_ADDRESS", bus);
    command.env("XDG_RUNTIME_DIR", home.join("run")).env_remove("WAYLAND_DISPLAY");
}

/// Whether somebody on the bus answers to `name`.
fn has_owner(bus: &str, name: &str) -> bool {
    let mut ask = Command::new("dbus-send");
    ask.args([
        &format!("--bus={bus}"),
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
    ]);
    ask.args(["org.freedesktop.DBus.NameHasOwner", &format!("string:{name}")]);
    let answer = ask.output().unwrap_or_else(|error| panic!("dbus-send: {error}"));
    String::from_utf8_lossy(&answer.stdout).contains("boolean true")
}

/// A folder that only its owner enters, as a run-time folder must be.
fn private(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
}
