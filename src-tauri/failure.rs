//! What the window is told when something did not work.
//!
//! Invariant: the codes are a closed list, the window keys its prose on them and never parses a message. A message is a plain
//! sentence for logs and for a language that has no prose for a code yet.

pub(crate) use engine::snapshot::Failure;

/// Every failure that starts in the launcher itself (the engine has its own list).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The identity provider does not answer, or not as one.
    SignInUnreachable,
    /// The person, or the provider, said no.
    SignInDenied,
    /// Nobody came back from the browser in time.
    SignInTimeout,
    /// The provider's answer cannot be believed: signature, issuer, audience, nonce.
    SignInRefused,
    /// The answer is believed but out of date: this machine's clock is wrong.
    SignInClock,
    /// The session is over; the person must sign in again.
    SignInExpired,
    /// No port on the loopback could be opened.
    SignInPort,
    /// The provider gives no codes for another device.
    SignInNoCodes,
    /// The secret store is locked or missing, so the session cannot be renewed.
    SignInLocked,
    /// This brand has no sign-in.
    SignInUnavailable,
    /// The news server does not answer.
    FeedUnreachable,
    /// A web page stood where the feed was expected: most often a network that wants a log-in first.
    FeedHtml,
    /// The feed is over its size limit.
    FeedTooBig,
    /// The feed is none of JSON Feed, RSS and Atom.
    FeedUnreadable,
    /// The settings hold a value that is not allowed.
    SettingsInvalid,
    /// The game's arguments are no line of words.
    SettingsArguments,
    /// The proxy's address is none.
    SettingsProxy,
    /// The game folder was not picked in the folder dialog.
    SettingsFolder,
    /// The settings file cannot be written.
    SettingsWrite,
    /// There is no such link, or it is not a web address.
    LinkRefused,
    /// Folder and channel cannot change now.
    SettingsBusy,
    /// No browser could be started.
    LinkFailed,
    /// The game folder is not there to be shown; the engine says it in the same words.
    FolderMissing,
    /// No file manager could be opened.
    FolderOpenFailed,
    /// The action is unknown or makes no sense now.
    ActionRefused,
    /// No repository is built in and none is given.
    NoRepository,
    /// The support report cannot be made or saved.
    ReportFailed,
}

impl Code {
    /// The code as the window sees it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SignInUnreachable => "SIGN_IN_UNREACHABLE",
            Self::SignInDenied => "SIGN_IN_DENIED",
            Self::SignInTimeout => "SIGN_IN_TIMEOUT",
            Self::SignInRefused => "SIGN_IN_REFUSED",
            Self::SignInClock => "SIGN_IN_CLOCK",
            Self::SignInExpired => "SIGN_IN_EXPIRED",
            Self::SignInPort => "SIGN_IN_PORT",
            Self::SignInNoCodes => "SIGN_IN_NO_CODES",
            Self::SignInLocked => "SIGN_IN_LOCKED",
            Self::SignInUnavailable => "SIGN_IN_UNAVAILABLE",
            Self::FeedUnreachable => "FEED_UNREACHABLE",
            Self::FeedHtml => "FEED_HTML",
            Self::FeedTooBig => "FEED_TOO_BIG",
            Self::FeedUnreadable => "FEED_UNREADABLE",
            Self::SettingsInvalid => "SETTINGS_INVALID",
            Self::SettingsArguments => "SETTINGS_ARGUMENTS",
            Self::SettingsProxy => "SETTINGS_PROXY",
            Self::SettingsFolder => "SETTINGS_FOLDER",
            Self::SettingsWrite => "SETTINGS_WRITE",
            Self::SettingsBusy => "SETTINGS_BUSY",
            Self::LinkRefused => "LINK_REFUSED",
            Self::LinkFailed => "LINK_FAILED",
            Self::FolderMissing => "FOLDER_MISSING",
            Self::FolderOpenFailed => "FOLDER_OPEN_FAILED",
            Self::ActionRefused => "ACTION_REFUSED",
            Self::NoRepository => "NO_REPOSITORY",
            Self::ReportFailed => "REPORT_FAILED",
        }
    }

    /// Whether trying the same again can help.
    fn can_retry(self) -> bool {
        !matches!(
            self,
            Self::SettingsInvalid
                | Self::SettingsArguments
                | Self::SettingsProxy
                | Self::SettingsFolder
                | Self::LinkRefused
                | Self::ActionRefused
                | Self::SignInUnavailable
                | Self::SignInNoCodes
                | Self::NoRepository
        )
    }

    /// The failure as it crosses to the window.
    pub(crate) fn failure(self, message: impl Into<String>) -> Failure {
        Failure { code: self.as_str().to_owned(), message: message.into(), can_retry: self.can_retry() }
    }
}
