//! What a check of the surroundings found, as the window and `muster diagnose --json` tell it.

use super::Failure;
use serde::Serialize;
use std::fmt;
use ts_rs::TS;

/// Everything that was looked at, in the order in which one depends on the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Diagnosis {
    /// When, RFC 3339, by this machine's clock.
    pub at: String,
    /// The worst verdict among the findings.
    pub verdict: Verdict,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing; games are installed and updated all the same.
    Note,
    /// Something cannot work like this.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub code: FindingCode,
    /// Which server, address or folder; without passwords and queries.
    pub about: Option<String>,
    /// Why it was refused, where a document or a folder was.
    pub failure: Option<Failure>,
    /// How long an answer took.
    #[ts(type = "number | null")]
    pub milliseconds: Option<u64>,
    /// A figure that belongs to the code: seconds that a clock is off, networks heard, a port, a status of HTTP, bytes free.
    #[ts(type = "number | null")]
    pub figure: Option<u64>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Whether this machine is on any network.
    Network,
    /// Whether requests go through a proxy.
    Proxy,
    /// A server of the publisher.
    Origin,
    /// The signed documents there.
    Repository,
    /// This machine's clock beside the servers'.
    Clock,
    /// Who tells players of each other.
    Tracker,
    /// Whether players on the internet can connect to this machine.
    Port,
    /// Whether players on the local network can be heard.
    Lan,
    /// The game folder.
    Folder,
}

/// Everything that can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingCode {
    /// There is an address that others can be reached from.
    NetworkUp,
    /// There is none: no cable, no radio.
    NetworkNone,
    /// Requests go straight to their servers.
    ProxyNone,
    /// They go through `about`.
    ProxyUsed,
    /// It answers as it should.
    OriginAnswers,
    /// Its name is not known.
    OriginUnresolved,
    /// No connection to it.
    OriginUnreachable,
    /// No secure connection to it: certificate or protocol.
    OriginTls,
    /// No answer in time.
    OriginLate,
    /// It answers with a status that is no success: `figure`.
    OriginRefuses,
    /// A web page, or another server, answers in its place: a network that wants a sign-in first.
    OriginPortal,
    /// It, or a proxy on the way, answers a part with the whole: its files are of no use for filling gaps.
    OriginRange,
    /// Signed by whom this program believes, in time, not older than seen.
    RepositoryTrusted,
    /// Not so: `failure`.
    RepositoryRefused,
    /// Nothing says where the game comes from.
    RepositoryUnnamed,
    /// The clock agrees with the servers'.
    ClockRight,
    /// It is `figure` seconds ahead.
    ClockAhead,
    /// It is `figure` seconds behind.
    ClockBehind,
    /// No server said what time it is.
    ClockUnknown,
    /// It answers as a tracker.
    TrackerAnswers,
    /// It does not.
    TrackerSilent,
    /// The channel names none, or could not be read.
    TrackerNone,
    /// Players on the internet can connect to port `figure`.
    PortOpen,
    /// Nothing speaks for it or against it.
    PortUnknown,
    /// They cannot; everything comes over connections of our own.
    PortClosed,
    /// What is said on `figure` local networks is heard.
    LanHeard,
    /// On none of them is anything heard, not even what this program says itself: a firewall.
    LanSilent,
    /// This machine is on no local network.
    LanNone,
    /// Discovery on local networks is switched off.
    LanOff,
    /// The game can stand there; `figure` bytes are free.
    FolderFine,
    /// It cannot: `failure`.
    FolderRefused,
}

impl Diagnosis {
    /// Of these findings.
    #[must_use]
    pub fn of(at: String, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.check);
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good);
        Self { at, verdict, findings }
    }
}

impl Finding {
    /// A finding without more to say than its code.
    #[must_use]
    pub fn new(check: Check, verdict: Verdict, code: FindingCode) -> Self {
        Self { check, verdict, code, about: None, failure: None, milliseconds: None, figure: None }
    }

    /// About which server, address or folder.
    #[must_use]
    pub fn about(self, about: impl Into<String>) -> Self {
        Self { about: Some(about.into()), ..self }
    }

    /// With the figure that belongs to the code.
    #[must_use]
    pub fn figure(self, figure: u64) -> Self {
        Self { figure: Some(figure), ..self }
    }
}

/// One line in English.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = self.figure.unwrap_or_default();
        match self.code {
            FindingCode::NetworkUp => write!(f, "this machine is on a network"),
            FindingCode::NetworkNone => write!(f, "this machine is on no network"),
            FindingCode::ProxyNone => write!(f, "no proxy is used"),
            FindingCode::ProxyUsed => write!(f, "requests go through a proxy"),
            FindingCode::OriginAnswers => write!(f, "answers as it should"),
            FindingCode::OriginUnresolved => write!(f, "its name is not known"),
            FindingCode::OriginUnreachable => write!(f, "cannot be reached"),
            FindingCode::OriginTls => write!(f, "no secure connection is made"),
            FindingCode::OriginLate => write!(f, "did not answer in time"),
            FindingCode::OriginRefuses => write!(f, "answered with status {figure}"),
            FindingCode::OriginPortal => {
                write!(f, "something else answers in its place: does the network want a sign-in?")
            }
            FindingCode::OriginRange => write!(f, "whole files come where parts were asked for"),
            FindingCode::RepositoryTrusted => write!(f, "signed and in time"),
            FindingCode::RepositoryRefused => write!(f, "its documents are not accepted"),
            FindingCode::RepositoryUnnamed => write!(f, "nothing says where the game comes from"),
            FindingCode::ClockRight => write!(f, "this machine's clock is right"),
            FindingCode::ClockAhead => write!(f, "this machine's clock is {figure} s ahead"),
            FindingCode::ClockBehind => write!(f, "this machine's clock is {figure} s behind"),
            FindingCode::ClockUnknown => write!(f, "no server said what time it is"),
            FindingCode::TrackerAnswers => write!(f, "answers"),
            FindingCode::TrackerSilent => write!(f, "does not answer as a tracker"),
            FindingCode::TrackerNone => write!(f, "no tracker is known"),
            FindingCode::PortOpen => write!(f, "players on the internet can connect to port {figure}"),
            FindingCode::PortUnknown => {
                write!(f, "whether players can connect to port {figure} is not known")
            }
            FindingCode::PortClosed => {
                write!(f, "players cannot connect to port {figure}; connections of our own do")
            }
            FindingCode::LanHeard => write!(f, "players on {figure} local network(s) can be heard"),
            FindingCode::LanSilent => {
                write!(f, "nothing is heard on the local network: does a firewall keep it back?")
            }
            FindingCode::LanNone => write!(f, "this machine is on no local network"),
            FindingCode::LanOff => write!(f, "discovery on the local network is off"),
            FindingCode::FolderFine => write!(f, "the game can stand there, {figure} bytes are free"),
            FindingCode::FolderRefused => write!(f, "the game cannot stand there"),
        }?;
        match &self.failure {
            Some(failure) => write!(f, ": {} [{}]", failure.message, failure.code),
            None => Ok(()),
        }
    }
}
