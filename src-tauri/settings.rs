//! The player's settings: one versioned JSON file, changed only by replacing it.
//!
//! Invariant: what is in memory passed [`Settings::check`]. A torn or foreign file never stops the launcher: the last good copy
//! (`.bak`) is read, then defaults. Keys a newer launcher wrote are kept through a save by this one.

mod choices;

pub(crate) use choices::{AfterStart, Language, Metered, ProxyChoice, Updates, WhilePlaying};

use crate::{
    failure::{Code, Failure},
    files,
};
use ::brand::{Defaults, Sharing};
use engine::{
    game::{self, Window},
    proxy::{Proxy, ProxyAddress, ProxyError},
    snapshot::SharingMode,
};
use release::id::ChannelName;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{
    io,
    path::{Path, PathBuf},
};
use ts_rs::TS;

/// All settings, as the window shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub(crate) struct Settings {
    /// The layout of the file.
    #[ts(type = "1")]
    pub(crate) version: u32,
    /// Upload cap in bytes per second; `null` is no cap. Default 300,000: small beside a household's uplink.
    #[ts(type = "number | null")]
    pub(crate) limit_up: Option<u64>,
    /// Download cap in bytes per second; `null`, the default, is no cap.
    #[ts(type = "number | null")]
    pub(crate) limit_down: Option<u64>,
    /// Default: while downloading.
    pub(crate) sharing: SharingMode,
    /// The channel followed; one of the brand's.
    pub(crate) channel: String,
    /// The game folder, absolute.
    pub(crate) dir: String,
    /// Default: the system's.
    pub(crate) language: Language,
    /// Default: pause.
    pub(crate) while_playing: WhilePlaying,
    /// Upload cap while nothing is downloaded, in bytes per second; `null`, the default: only the general one.
    #[ts(type = "number | null")]
    pub(crate) limit_up_idle: Option<u64>,
    /// Whether computers in the own network count against the caps. Default: they do not.
    pub(crate) limit_lan: bool,
    /// Whether the router is asked to let players connect to us. Default: it is.
    pub(crate) map_port: bool,
    /// Hours with caps of their own; the first that is open holds. Default: none.
    pub(crate) schedule: Vec<Window>,
    /// Bytes that may be passed on over the internet in a month; `null`, the default: any number.
    #[ts(type = "number | null")]
    pub(crate) month_upload: Option<u64>,
    /// Whether a copy of the game that stands in the folder is to be taken over by the first install.
    pub(crate) import: bool,
    /// Whether the first run's questions were answered, or left at their defaults.
    pub(crate) welcomed: bool,
    /// Arguments that the game gets after its manifest's own, as a line with quotation marks; no shell reads it. Default: none.
    pub(crate) launch_arguments: String,
    /// Default: keep.
    pub(crate) after_start: AfterStart,
    /// Default: ask.
    pub(crate) updates: Updates,
    /// Default: ask.
    pub(crate) metered: Metered,
    /// Default: the system's.
    pub(crate) proxy: ProxyChoice,
    /// Host and port, or a URL of scheme `http`, `https` or `socks5`; kept while it is not in use. Default: none.
    pub(crate) proxy_address: String,
}

/// The layout this launcher writes.
const VERSION: u32 = 1;
/// The upload cap of a fresh install, in bytes per second.
const LIMIT_UP_DEFAULT: u64 = 300_000;
/// The lowest cap that still lets a block pass within a few seconds, in bytes per second.
const LIMIT_MIN: u64 = 4_096;
/// The most windows of a schedule: two for each day of the week.
const WINDOWS_MAX: usize = 14;
/// The smallest budget for a month, in bytes: less would be used up by looking for players.
const MONTH_UPLOAD_MIN: u64 = 1_000_000;
/// A settings file is some hundred bytes; one over this is not ours.
const FILE_MAX: u64 = 64 * 1024;
/// The longest address of a proxy, in bytes.
const PROXY_MAX: usize = 512;
/// The longest folder path accepted, in bytes; no system takes a longer one.
const DIR_MAX: usize = 4_096;

impl Settings {
    /// What a player starts with.
    pub(crate) fn default_for(channel: &str, dir: &Path) -> Self {
        Self {
            version: VERSION,
            limit_up: Some(LIMIT_UP_DEFAULT),
            limit_down: None,
            sharing: SharingMode::WhileDownloading,
            channel: channel.to_owned(),
            dir: dir.to_string_lossy().into_owned(),
            language: Language::System,
            while_playing: WhilePlaying::Pause,
            limit_up_idle: None,
            limit_lan: false,
            map_port: true,
            schedule: Vec::new(),
            month_upload: None,
            import: false,
            welcomed: false,
            launch_arguments: String::new(),
            after_start: AfterStart::Keep,
            updates: Updates::Ask,
            metered: Metered::Ask,
            proxy: ProxyChoice::System,
            proxy_address: String::new(),
        }
    }

    /// As a studio wants them to begin.
    pub(crate) fn begun_as(mut self, wanted: &Defaults) -> Self {
        self.limit_up = wanted.limit_up.or(self.limit_up);
        self.limit_down = wanted.limit_down.or(self.limit_down);
        self.sharing = match wanted.sharing {
            Some(Sharing::WhileDownloading) => SharingMode::WhileDownloading,
            Some(Sharing::Lan) => SharingMode::Lan,
            Some(Sharing::Off) => SharingMode::Off,
            None => self.sharing,
        };
        self
    }

    /// Whether these settings can be used, given the channels the brand offers.
    pub(crate) fn check(&self, channels: &[String]) -> Result<(), Failure> {
        let invalid = |what: &str| Err(Code::SettingsInvalid.failure(what));
        if self.version != VERSION {
            return invalid("these settings are from another version of the launcher");
        }
        let scheduled = self.schedule.iter().flat_map(|window| [window.limits.up, window.limits.down]);
        let caps = [self.limit_up, self.limit_down, self.limit_up_idle].into_iter().chain(scheduled);
        if caps.flatten().any(|cap| cap < LIMIT_MIN) {
            return invalid("a cap is at least 4096 bytes per second");
        }
        if self.schedule.len() > WINDOWS_MAX || !self.schedule.iter().all(Window::is_valid) {
            return invalid("these are no hours of a week");
        }
        if self.month_upload.is_some_and(|budget| budget < MONTH_UPLOAD_MIN) {
            return invalid("a budget is at least a megabyte");
        }
        if self.channel.parse::<ChannelName>().is_err() || !channels.contains(&self.channel) {
            return invalid("there is no such channel");
        }
        if let Err(error) = game::arguments(&self.launch_arguments) {
            return Err(Code::SettingsArguments.failure(error.to_string()));
        }
        if self.proxy_address.len() > PROXY_MAX || self.proxy_in_use().is_err() {
            return Err(Code::SettingsProxy.failure("this is no address of a proxy"));
        }
        let dir = Path::new(&self.dir);
        if self.dir.len() > DIR_MAX || self.dir.contains('\0') || !dir.is_absolute() {
            return invalid("the game folder is not an absolute path");
        }
        Ok(())
    }

    /// The proxy that follows from them.
    pub(crate) fn proxy_in_use(&self) -> Result<Proxy, ProxyError> {
        Ok(match self.proxy {
            ProxyChoice::System => Proxy::System,
            ProxyChoice::None => Proxy::None,
            ProxyChoice::Address => Proxy::Address(ProxyAddress::parse(&self.proxy_address)?),
        })
    }
}

/// The file, with the last settings read from it or written to it.
#[derive(Debug)]
pub(crate) struct SettingsFile {
    path: PathBuf,
    current: Settings,
    /// The whole object as it stood in the file, for keys this version does not know.
    raw: Map<String, Value>,
}

impl SettingsFile {
    /// Reads the settings; whatever is missing or unusable becomes the default, and a log line says so.
    pub(crate) fn load(path: PathBuf, defaults: Settings, channels: &[String]) -> Self {
        let found = read_object(&path).or_else(|| read_object(&backup(&path)));
        // Whoever has settings from before there was a first run needs none.
        let defaults = Settings { welcomed: found.is_some(), ..defaults };
        let raw = found.unwrap_or_default();
        let current = merge(&raw, &defaults, channels);
        Self { path, current, raw }
    }

    /// The settings as they stand.
    pub(crate) fn current(&self) -> &Settings {
        &self.current
    }

    /// Puts checked settings in place of the old ones, on the disk first.
    pub(crate) fn save(&mut self, settings: Settings) -> io::Result<()> {
        let mut raw = self.raw.clone();
        if let Value::Object(known) = serde_json::to_value(&settings)? {
            raw.extend(known);
        }
        // Only a file that can be read back may become the backup: a torn one must not push out the good copy.
        if read_object(&self.path).is_some()
            && let Some(old) = files::read(&self.path, FILE_MAX)?
        {
            files::replace(&backup(&self.path), &old)?;
        }
        files::replace(&self.path, &serde_json::to_vec_pretty(&raw)?)?;
        self.raw = raw;
        self.current = settings;
        Ok(())
    }
}

fn backup(path: &Path) -> PathBuf {
    files::with_suffix(path, "bak")
}

/// The JSON object in the file, or `None` with a reason in the log.
fn read_object(path: &Path) -> Option<Map<String, Value>> {
    let bytes = match files::read(path, FILE_MAX) {
        Ok(bytes) => bytes?,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "settings cannot be read");
            return None;
        }
    };
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(file = %path.display(), %error, "settings are torn"))
        .ok()
}

/// Known keys from the file where each is usable by itself, defaults for the rest.
fn merge(raw: &Map<String, Value>, defaults: &Settings, channels: &[String]) -> Settings {
    let mut settings = defaults.clone();
    let usable = |candidate: &Settings| candidate.check(channels).is_ok();
    pick(raw, "limit_up", &mut settings, usable, |s, v| s.limit_up = v);
    pick(raw, "limit_down", &mut settings, usable, |s, v| s.limit_down = v);
    pick(raw, "sharing", &mut settings, usable, |s, v| s.sharing = v);
    pick(raw, "channel", &mut settings, usable, |s, v| s.channel = v);
    pick(raw, "dir", &mut settings, usable, |s, v| s.dir = v);
    pick(raw, "language", &mut settings, usable, |s, v| s.language = v);
    pick(raw, "while_playing", &mut settings, usable, |s, v| s.while_playing = v);
    pick(raw, "limit_up_idle", &mut settings, usable, |s, v| s.limit_up_idle = v);
    pick(raw, "limit_lan", &mut settings, usable, |s, v| s.limit_lan = v);
    pick(raw, "map_port", &mut settings, usable, |s, v| s.map_port = v);
    pick(raw, "schedule", &mut settings, usable, |s, v| s.schedule = v);
    pick(raw, "month_upload", &mut settings, usable, |s, v| s.month_upload = v);
    pick(raw, "import", &mut settings, usable, |s, v| s.import = v);
    pick(raw, "welcomed", &mut settings, usable, |s, v| s.welcomed = v);
    pick(raw, "launch_arguments", &mut settings, usable, |s, v| s.launch_arguments = v);
    pick(raw, "after_start", &mut settings, usable, |s, v| s.after_start = v);
    pick(raw, "updates", &mut settings, usable, |s, v| s.updates = v);
    pick(raw, "metered", &mut settings, usable, |s, v| s.metered = v);
    // The address first: without it the choice of it is of no use.
    pick(raw, "proxy_address", &mut settings, usable, |s, v| s.proxy_address = v);
    pick(raw, "proxy", &mut settings, usable, |s, v| s.proxy = v);
    settings
}

/// Takes one key from the file if it parses and the settings stay usable with it.
fn pick<T: DeserializeOwned>(
    raw: &Map<String, Value>,
    key: &str,
    settings: &mut Settings,
    usable: impl Fn(&Settings) -> bool,
    set: impl Fn(&mut Settings, T),
) {
    let Some(value) = raw.get(key) else { return };
    let mut candidate = settings.clone();
    match serde_json::from_value(value.clone()) {
        Ok(value) => set(&mut candidate, value),
        Err(error) => return tracing::warn!(key, %error, "a setting is unreadable"),
    }
    if usable(&candidate) {
        *settings = candidate;
    } else {
        tracing::warn!(key, "a setting is not usable");
    }
}

#[cfg(test)]
mod tests;
