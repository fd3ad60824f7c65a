//! A check of the surroundings: what of network, servers, clock, tracker, port, local network and folder would keep a game
//! from coming.
//!
//! Invariant: it changes nothing but what every reading of the repository changes (the trust state), announces nothing to a
//! tracker, and ends: no part of it takes longer than [`CHECK_MAX`].

mod origin;
mod proxy;

use crate::{
    game::{self, GameError, GameLink, LookQuestion},
    session::{LanEcho, OriginSource, Reachability, Session},
    snapshot::{Check, Diagnosis, Failure, Finding, FindingCode, Verdict},
};
use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use std::{path::PathBuf, time::Duration};
use store::place::Places;
use tokio::{task::spawn_blocking, time::timeout};
use url::Url;

/// Longest that one part of it may take.
pub const CHECK_MAX: Duration = Duration::from_secs(25);
/// Servers and trackers that are asked at most, each kind.
const SERVERS_MAX: usize = 8;
/// A clock that is off by no more than this harms nothing: as the clock's rule of the signed documents has it.
const CLOCK_TOLERANCE_SECONDS: u64 = 10 * 60;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Question {
    /// Where the game comes from, where that is known.
    pub link: Option<GameLink>,
    /// Where it stands or is to stand, absolute, where that is to be looked at.
    pub dir: Option<PathBuf>,
    /// Its name for people.
    pub title: String,
    /// The user's state folder, where trust is remembered.
    pub state_dir: PathBuf,
    /// This user's own folders, where no game goes.
    pub places: Places,
}

/// Looks at everything at once, from where `session` stands.
pub async fn run(question: Question, session: &Session) -> Diagnosis {
    let around = join_all([
        boxed(async { vec![network().await] }),
        boxed(async {
            vec![proxy::finding(session.proxy(), question.link.as_ref().map(|link| &link.repository))]
        }),
        boxed(async { vec![port(session).await] }),
        boxed(async { vec![lan(session).await] }),
        boxed(folder(&question)),
    ]);
    let (around, servers) = join(around, servers(&question, session)).await;
    let findings = around.into_iter().flatten().chain(servers).collect();
    Diagnosis::of(Utc::now().to_rfc3339(), findings)
}

type Boxed<'a> = std::pin::Pin<Box<dyn Future<Output = Vec<Finding>> + Send + 'a>>;

fn boxed<'a>(check: impl Future<Output = Vec<Finding>> + Send + 'a) -> Boxed<'a> {
    Box::pin(check)
}

/// Any address but this machine's own name for itself.
async fn network() -> Finding {
    let listed = spawn_blocking(if_addrs::get_if_addrs).await;
    let up = matches!(listed, Ok(Ok(interfaces)) if interfaces.iter().any(|one| !one.is_loopback()));
    match up {
        true => Finding::new(Check::Network, Verdict::Good, FindingCode::NetworkUp),
        false => Finding::new(Check::Network, Verdict::Note, FindingCode::NetworkNone),
    }
}

/// The repository and all that it names.
async fn servers(question: &Question, session: &Session) -> Vec<Finding> {
    let Some(link) = &question.link else {
        return vec![
            Finding::new(Check::Repository, Verdict::Bad, FindingCode::RepositoryUnnamed),
            Finding::new(Check::Clock, Verdict::Note, FindingCode::ClockUnknown),
            Finding::new(Check::Tracker, Verdict::Note, FindingCode::TrackerNone),
        ];
    };
    let asked = origin::repository(session.http(), &link.repository);
    let read = timeout(CHECK_MAX, game::named(session.http(), link, &question.state_dir));
    let (asked, read) = join(asked, read).await;
    let mut findings = vec![asked.finding];
    findings.push(clock(asked.date.map(|date| (date, Utc::now()))));
    let late = || Failure {
        code: "NETWORK".to_owned(),
        message: "the repository was not read in time".to_owned(),
        can_retry: true,
    };
    match read.map_err(|_| late()).and_then(|read| read.map_err(|error| Failure::from(&error))) {
        Ok(sources) => {
            let good = Finding::new(Check::Repository, Verdict::Good, FindingCode::RepositoryTrusted);
            findings.push(good.about(shown(&link.repository)));
            findings.extend(named(&sources, session, &link.repository).await);
        }
        Err(failure) => {
            let bad = Finding::new(Check::Repository, Verdict::Bad, FindingCode::RepositoryRefused);
            findings.push(Finding { failure: Some(failure), ..bad.about(shown(&link.repository)) });
            findings.push(Finding::new(Check::Tracker, Verdict::Note, FindingCode::TrackerNone));
        }
    }
    findings
}

/// The mirrors and trackers that a channel names.
async fn named(sources: &game::Sources, session: &Session, repository: &Url) -> Vec<Finding> {
    let mirrors = sources.origins.iter().filter_map(|source| match source {
        OriginSource::Content(url) if !url.as_str().starts_with(repository.as_str()) => Some(url),
        _ => None,
    });
    let mirrors = mirrors.take(SERVERS_MAX).map(|mirror| origin::mirror(session.http(), mirror));
    let trackers =
        sources.trackers.iter().flatten().take(SERVERS_MAX).map(|tracker| tracker_answers(tracker, session));
    let (mut findings, trackers) = join(join_all(mirrors), join_all(trackers)).await;
    if trackers.is_empty() {
        findings.push(Finding::new(Check::Tracker, Verdict::Note, FindingCode::TrackerNone));
    }
    findings.extend(trackers);
    findings
}

async fn tracker_answers(tracker: &Url, session: &Session) -> Finding {
    let begun = tokio::time::Instant::now();
    let asked = timeout(CHECK_MAX, session.greet_tracker(tracker)).await;
    let failure = match asked {
        Ok(Ok(())) => {
            let good = Finding::new(Check::Tracker, Verdict::Good, FindingCode::TrackerAnswers);
            return Finding { milliseconds: Some(milliseconds(begun)), ..good.about(shown(tracker)) };
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    // The publisher's servers and players on the local network give without a tracker.
    let silent =
        Finding::new(Check::Tracker, Verdict::Note, FindingCode::TrackerSilent).about(shown(tracker));
    let failure = Failure { code: "NETWORK".to_owned(), message: failure, can_retry: true };
    Finding { failure: Some(failure), ..silent }
}

/// This machine's clock beside a server's.
fn clock(told: Option<(DateTime<Utc>, DateTime<Utc>)>) -> Finding {
    let Some((theirs, ours)) = told else {
        return Finding::new(Check::Clock, Verdict::Note, FindingCode::ClockUnknown);
    };
    let ahead = (ours - theirs).num_seconds();
    let code = match ahead.unsigned_abs() {
        off if off <= CLOCK_TOLERANCE_SECONDS => {
            return Finding::new(Check::Clock, Verdict::Good, FindingCode::ClockRight);
        }
        _ if ahead > 0 => FindingCode::ClockAhead,
        _ => FindingCode::ClockBehind,
    };
    Finding::new(Check::Clock, Verdict::Bad, code).figure(ahead.unsigned_abs())
}

async fn port(session: &Session) -> Finding {
    let (verdict, code) = match session.settled_reachability().await {
        Reachability::Reachable => (Verdict::Good, FindingCode::PortOpen),
        Reachability::Unknown => (Verdict::Note, FindingCode::PortUnknown),
        Reachability::Unreachable => (Verdict::Note, FindingCode::PortClosed),
    };
    Finding::new(Check::Port, verdict, code).figure(session.outside_port().into())
}

async fn lan(session: &Session) -> Finding {
    let (verdict, code, figure) = match session.lan_echo().await {
        LanEcho::Off => (Verdict::Note, FindingCode::LanOff, None),
        LanEcho::Heard { networks: 0, .. } => (Verdict::Note, FindingCode::LanNone, None),
        LanEcho::Heard { heard: 0, .. } => (Verdict::Note, FindingCode::LanSilent, None),
        LanEcho::Heard { heard, .. } => (Verdict::Good, FindingCode::LanHeard, Some(heard as u64)),
    };
    Finding { figure, ..Finding::new(Check::Lan, verdict, code) }
}

async fn folder(question: &Question) -> Vec<Finding> {
    let Some(dir) = question.dir.clone() else { return Vec::new() };
    let about = dir.display().to_string();
    let look = LookQuestion {
        dir,
        places: question.places.clone(),
        game: question.link.as_ref().map(|link| link.game.clone()),
        title: question.title.clone(),
        wanted: None,
        need_bytes: None,
    };
    let found = match timeout(CHECK_MAX, spawn_blocking(move || look.answer())).await {
        Ok(Ok(found)) => found.map_err(|error| Failure::from(&error)),
        Ok(Err(error)) => Err(Failure::from(&GameError::Internal(error.to_string()))),
        // A drive that is waking up, or one that is failing.
        Err(_) => Err(Failure {
            code: "DISK_ERROR".to_owned(),
            message: "the folder's drive did not answer in time".to_owned(),
            can_retry: true,
        }),
    };
    let finding = match found {
        Ok(look) => {
            Finding::new(Check::Folder, Verdict::Good, FindingCode::FolderFine).figure(look.free_bytes)
        }
        Err(failure) => {
            let refused = Finding::new(Check::Folder, Verdict::Bad, FindingCode::FolderRefused);
            Finding { failure: Some(failure), ..refused }
        }
    };
    vec![finding.about(about)]
}

/// A server without what is nobody's business: user, password, query.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Addresses that cannot have them have none.
    let _ = (url.set_username(""), url.set_password(None));
    url.to_string()
}

fn milliseconds(begun: tokio::time::Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_and_which_way() {
        let theirs = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        for (seconds, code, figure) in [
            (0, FindingCode::ClockRight, None),
            (599, FindingCode::ClockRight, None),
            (-600, FindingCode::ClockRight, None),
            (601, FindingCode::ClockAhead, Some(601)),
            (-86_400, FindingCode::ClockBehind, Some(86_400)),
        ] {
            let ours = theirs + chrono::TimeDelta::seconds(seconds);
            let finding = clock(Some((theirs, ours)));
            assert_eq!((finding.code, finding.figure), (code, figure), "{seconds}");
        }
        assert_eq!(clock(None).code, FindingCode::ClockUnknown);
    }

    #[test]
    fn what_is_shown_of_a_server_holds_no_secret() {
        let url = Url::parse("https://ann:hunter2@studio.example/repo/?key=s3cret#x").expect("a URL");
        assert_eq!(shown(&url), "https://studio.example/repo/");
        let udp = Url::parse("udp://t.example:6969/announce?passkey=s3cret").expect("a URL");
        assert_eq!(shown(&udp), "udp://t.example:6969/announce");
    }

    #[test]
    fn the_worst_finding_is_the_verdict_and_the_order_is_of_the_checks() {
        let bad = Finding::new(Check::Clock, Verdict::Bad, FindingCode::ClockAhead);
        let note = Finding::new(Check::Network, Verdict::Note, FindingCode::NetworkNone);
        let diagnosis = Diagnosis::of("now".to_owned(), vec![bad, note]);
        assert_eq!((diagnosis.verdict, diagnosis.findings[0].check), (Verdict::Bad, Check::Network));
    }
}
