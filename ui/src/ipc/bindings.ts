// Written from the Rust types by `MUSTER_WRITE_BINDINGS=1 cargo test -p muster-launcher bindings`; do not edit.
// Byte counts are bytes, rates bytes per second; u64 travels as number.

/**
 * One game as it is now.
 */
export type Snapshot = { 
/**
 * [`SNAPSHOT_VERSION`].
 */
v: number, 
/**
 * Which game.
 */
game: GameInfo, 
/**
 * What is going on.
 */
phase: Phase, 
/**
 * The one big button.
 */
primary: Button, 
/**
 * The lesser choice beside it.
 */
secondary: Button | null, 
/**
 * Version that stands in the folder.
 */
installed: string | null, 
/**
 * Newer version that the channel offers.
 */
available: Available | null, 
/**
 * A release that can be had before its hour.
 */
preload: Preload | null, 
/**
 * How far the phase is.
 */
progress: Progress | null, 
/**
 * How far each set of files is, while they are put in place one after the other.
 */
sets: Sets | null, 
/**
 * Bytes of the running or last job, by where they came from; metadata counts as origin.
 */
downloaded: BySource, 
/**
 * Bytes passed on to others since the game was opened.
 */
uploaded_bytes: number, 
/**
 * Rates now.
 */
rates: Rates, 
/**
 * Caps in force.
 */
limits: Limits, 
/**
 * Whether and why bytes are passed on.
 */
sharing: Sharing, 
/**
 * The swarm in detail.
 */
transfer: Transfer, 
/**
 * Files that changed since they were checked; *Repair* is offered while there are any.
 */
repair_offered: Array<string>, 
/**
 * The repository could not be reached at the last try.
 */
offline: boolean, 
/**
 * When the repository was last read, RFC 3339.
 */
last_check: string | null, 
/**
 * How the game ended last.
 */
last_exit: LastExit | null, 
/**
 * What the last install, update or repair of this run took.
 */
summary: Summary | null, 
/**
 * Warnings that do not stop anything: stable codes such as `CLOCK_WRONG`.
 */
warnings: Array<string>, };

/**
 * Which game a snapshot is of.
 */
export type GameInfo = { 
/**
 * Its id.
 */
id: string, 
/**
 * Its name for people.
 */
title: string, 
/**
 * The channel followed.
 */
channel: string, 
/**
 * The game folder.
 */
dir: string, };

/**
 * What is going on; exactly one at a time.
 */
export type Phase = { "kind": "starting" } | { "kind": "not_installed" } | { "kind": "checking" } | { "kind": "update_available" } | { "kind": "downloading" } | { "kind": "paused", 
/**
 * Why.
 */
reason: PauseReason, 
/**
 * The minute of the day at which it goes on by itself, where a clock decides that.
 */
until: number | null, } | { "kind": "verifying" } | { "kind": "repairing" } | { "kind": "applying" } | { "kind": "ready" } | { "kind": "running", 
/**
 * Seconds since it started.
 */
since_seconds: number, 
/**
 * What of it still runs, by name and number, where that is not the program that was started, or was found running: the
 * player may know better.
 */
still: Array<string>, } | { "kind": "offline" } | { "kind": "needs_space", 
/**
 * Bytes needed.
 */
need_bytes: number, 
/**
 * Bytes free.
 */
have_bytes: number, 
/**
 * Where.
 */
dir: string, } | { "kind": "blocked", 
/**
 * What blocks.
 */
by: string, } | { "kind": "folder_missing", 
/**
 * Where it was.
 */
dir: string, } | { "kind": "failed", 
/**
 * How.
 */
failure: Failure, };

/**
 * Why a download is held.
 */
export type PauseReason = "user" | "game" | "space" | "metered" | "schedule";

/**
 * A failure as it crosses to people: the code is stable, the message a sentence.
 */
export type Failure = { 
/**
 * Stable code, such as `DISK_FULL`.
 */
code: string, 
/**
 * A sentence in English.
 */
message: string, 
/**
 * Whether trying again can help without changing anything.
 */
can_retry: boolean, };

/**
 * What the window may ask for.
 */
export type Action = "install" | "update" | "pause" | "resume" | "cancel" | "verify" | "repair" | "play" | "stop_game" | "not_running" | "retry" | "uninstall" | "preload" | "unlock" | "stop_sharing" | "start_sharing";

/**
 * A button: what it does and the key of its text.
 */
export type Button = { 
/**
 * What it asks for; `None` for one that only tells.
 */
action: Action | null, 
/**
 * Key of its text in the catalogs.
 */
label: string, 
/**
 * Whether it can be pressed.
 */
enabled: boolean, };

/**
 * Bytes by where they came from.
 */
export type BySource = { 
/**
 * The publisher's servers.
 */
origin: number, 
/**
 * Players over the internet.
 */
players: number, 
/**
 * Players on the local network.
 */
lan: number, };

/**
 * How far a phase is.
 */
export type Progress = { 
/**
 * Bytes done.
 */
done_bytes: number, 
/**
 * Bytes in all.
 */
total_bytes: number, 
/**
 * Files done.
 */
files_done: number, 
/**
 * Files in all.
 */
files_total: number, 
/**
 * Floored, 0 to 100, never falling inside a phase: 100 means done.
 */
percent: number, 
/**
 * Bytes per second.
 */
rate_bytes_per_second: number, 
/**
 * Seconds left, when that can be said.
 */
eta_seconds: number | null, };

/**
 * A release that is put in place set after set: the game can begin before the rest is there.
 */
export type Sets = { 
/**
 * The set that is being fetched; the last one when all is there.
 */
fetching: SetName, 
/**
 * The game can be started: what it needs for a good session is in place.
 */
playable: boolean, 
/**
 * Every set that has files, in the order in which they come.
 */
sets: Array<SetProgress>, };

/**
 * How far one set is.
 */
export type SetProgress = { 
/**
 * Which.
 */
set: SetName, 
/**
 * Bytes in all.
 */
total_bytes: number, 
/**
 * Bytes here and verified.
 */
done_bytes: number, 
/**
 * Every file of it is in its place.
 */
in_place: boolean, };

/**
 * When files are needed.
 */
export type SetName = "required" | "playable" | "optional";

/**
 * A release that is offered.
 */
export type Available = { 
/**
 * Its version.
 */
version: string, 
/**
 * Bytes to download, as planned from signed sizes and what lies here.
 */
download_bytes: number, 
/**
 * Bytes of them until the game can be started; `None` where it takes all of them.
 */
playable_bytes: number | null, 
/**
 * The way they come.
 */
way: Way, 
/**
 * The other ways and what they would take, cheapest first.
 */
alternatives: Array<WayCost>, 
/**
 * Bytes of disk needed while it is applied, the patch's own included.
 */
need_bytes: number, 
/**
 * Patch notes, plain text.
 */
notes: string, };

/**
 * A release that is published sealed, to be had before its hour.
 */
export type Preload = { 
/**
 * Its version.
 */
version: string, 
/**
 * When it is opened, RFC 3339.
 */
unlock: string, 
/**
 * How far it is.
 */
state: PreloadState, 
/**
 * Bytes to download beforehand.
 */
bytes: number, 
/**
 * Bytes of them that are here.
 */
have_bytes: number, 
/**
 * Bytes of disk still needed until it stands: what has not come, and what comes out of it while both lie here.
 */
need_bytes: number, };

/**
 * How far a preload is.
 */
export type PreloadState = "offered" | "preloading" | "held" | "preloaded" | "waiting" | "unlocking";

/**
 * How the bytes of a release come.
 */
export type Way = "full" | "blocks" | "patch";

/**
 * What a way takes.
 */
export type WayCost = { 
/**
 * The way.
 */
way: Way, 
/**
 * Bytes to download.
 */
bytes: number, };

/**
 * Rates now, bytes per second.
 */
export type Rates = { 
/**
 * All that comes.
 */
down: number, 
/**
 * All that goes.
 */
up: number, 
/**
 * Coming from the publisher's servers.
 */
origin: number, 
/**
 * Coming from players over the internet.
 */
players: number, 
/**
 * Coming from players on the local network.
 */
lan: number, };

/**
 * Caps, bytes per second; `None` is unlimited.
 */
export type Limits = { 
/**
 * Upload.
 */
up: number | null, 
/**
 * Download.
 */
down: number | null, };

/**
 * When bytes are passed on to others.
 */
export type SharingMode = "off" | "lan" | "while_downloading" | "while_open";

/**
 * Whether bytes are passed on now.
 */
export type Sharing = { 
/**
 * The player's choice.
 */
mode: SharingMode, 
/**
 * Whether peers are served now.
 */
active: boolean, 
/**
 * Why not, where the mode would allow it.
 */
paused_reason: SharingPause | null, 
/**
 * Bytes passed on over the internet this month, headers included.
 */
month_bytes: number, 
/**
 * How many the player allows in a month.
 */
month_budget: number | null, };

/**
 * Why sharing rests.
 */
export type SharingPause = "playing" | "user" | "held" | "budget" | "schedule" | "metered";

/**
 * The swarm in detail.
 */
export type Transfer = { 
/**
 * Pieces here.
 */
pieces_have: number, 
/**
 * Pieces in all.
 */
pieces_total: number, 
/**
 * Per bucket of neighbouring pieces, percent here; at most [`PIECE_MAP_BUCKETS`].
 */
piece_map: Array<number>, 
/**
 * Copies of the rarest piece among connected peers.
 */
rarest: number, 
/**
 * Connected peers.
 */
peers: Array<PeerRow>, 
/**
 * The publisher's servers.
 */
origins: Array<OriginRow>, 
/**
 * Address that peers can reach, as far as known.
 */
listen: string | null, 
/**
 * Whether players on the internet can connect to us.
 */
reachability: Reachability, 
/**
 * Trackers.
 */
trackers: Array<TrackerRow>, 
/**
 * Pieces that came false.
 */
bad_pieces: number, 
/**
 * Bytes that came in vain.
 */
wasted_bytes: number, };

/**
 * A connected peer.
 */
export type PeerRow = { 
/**
 * Address and port.
 */
address: string, 
/**
 * What it says it is.
 */
client: string, 
/**
 * Where it is.
 */
class: PeerClass, 
/**
 * Whether we connected to it.
 */
outgoing: boolean, 
/**
 * Bytes per second from it.
 */
down_rate: number, 
/**
 * Bytes per second to it.
 */
up_rate: number, 
/**
 * Bytes from it.
 */
downloaded_bytes: number, 
/**
 * Bytes to it.
 */
uploaded_bytes: number, 
/**
 * Percent of the release that it has, floored.
 */
percent: number, 
/**
 * It does not serve us.
 */
choked_by_peer: boolean, 
/**
 * We do not serve it.
 */
choking_peer: boolean, };

/**
 * Where a peer is.
 */
export type PeerClass = "internet" | "lan";

/**
 * Whether players on the internet can connect to us.
 */
export type Reachability = "unknown" | "reachable" | "unreachable";

/**
 * One of the publisher's servers.
 */
export type OriginRow = { 
/**
 * Its URL.
 */
url: string, 
/**
 * Whether the last request went well.
 */
ok: boolean, 
/**
 * What it said last, in words.
 */
detail: string, 
/**
 * Bytes per second from it.
 */
rate: number, };

/**
 * A tracker.
 */
export type TrackerRow = { 
/**
 * Its URL.
 */
url: string, 
/**
 * Whether the last announce went well.
 */
ok: boolean, 
/**
 * What it said last, in words.
 */
detail: string, 
/**
 * Complete peers it counts.
 */
seeders: number, 
/**
 * Incomplete peers it counts.
 */
leechers: number, };

/**
 * How the game ended.
 */
export type LastExit = { 
/**
 * Its own exit code; `None` when a signal ended it, or something ended last that we did not start.
 */
code: number | null, 
/**
 * The signal that ended it.
 */
signal: number | null, 
/**
 * Seconds it ran.
 */
seconds: number, 
/**
 * It did not end well within seconds of its start: `GAME_CRASHED`.
 */
crash: Failure | null, 
/**
 * It did not end well, and the player did not ask for it.
 */
bad: boolean, 
/**
 * The last lines that it said, where it did not end well.
 */
words: Array<string>, };

/**
 * The last job that changed the game.
 */
export type Summary = { 
/**
 * The version that stands since.
 */
version: string, 
/**
 * Bytes that came, by source; signed documents count as origin.
 */
downloaded: BySource, 
/**
 * Bytes passed on to others meanwhile.
 */
uploaded_bytes: number, 
/**
 * Seconds from its begin to its end, pauses included.
 */
seconds: number, };

/**
 * What choosing a folder would come to.
 */
export type FolderLook = { 
/**
 * Where the game would stand: the folder asked for, or one of its own inside it.
 */
dir: string, 
/**
 * What is there.
 */
holds: FolderHolds, 
/**
 * Version of the game that stands there, where one of ours does.
 */
version: string | null, 
/**
 * Bytes free on its volume.
 */
free_bytes: number, 
/**
 * Bytes that an install would need at most, where the release is known already.
 */
need_bytes: number | null, };

/**
 * What stands in a folder that was chosen.
 */
export type FolderHolds = "nothing" | "game" | "copy";

/**
 * Everything that was looked at, in the order in which one depends on the other.
 */
export type Diagnosis = { 
/**
 * When, RFC 3339, by this machine's clock.
 */
at: string, 
/**
 * The worst verdict among the findings.
 */
verdict: Verdict, 
/**
 * What was found.
 */
findings: Array<Finding>, };

/**
 * How bad a finding is.
 */
export type Verdict = "good" | "note" | "bad";

/**
 * One thing that was looked at.
 */
export type Finding = { 
/**
 * What was looked at.
 */
check: Check, 
/**
 * How bad it is.
 */
verdict: Verdict, 
/**
 * What was found.
 */
code: FindingCode, 
/**
 * Which server, address or folder; without passwords and queries.
 */
about: string | null, 
/**
 * Why it was refused, where a document or a folder was.
 */
failure: Failure | null, 
/**
 * How long an answer took.
 */
milliseconds: number | null, 
/**
 * A figure that belongs to the code: seconds that a clock is off, networks heard, a port, a status of HTTP, bytes free.
 */
figure: number | null, };

/**
 * What is looked at.
 */
export type Check = "network" | "proxy" | "origin" | "repository" | "clock" | "tracker" | "port" | "lan" | "folder";

/**
 * Everything that can be found.
 */
export type FindingCode = "NETWORK_UP" | "NETWORK_NONE" | "PROXY_NONE" | "PROXY_USED" | "ORIGIN_ANSWERS" | "ORIGIN_UNRESOLVED" | "ORIGIN_UNREACHABLE" | "ORIGIN_TLS" | "ORIGIN_LATE" | "ORIGIN_REFUSES" | "ORIGIN_PORTAL" | "ORIGIN_RANGE" | "REPOSITORY_TRUSTED" | "REPOSITORY_REFUSED" | "REPOSITORY_UNNAMED" | "CLOCK_RIGHT" | "CLOCK_AHEAD" | "CLOCK_BEHIND" | "CLOCK_UNKNOWN" | "TRACKER_ANSWERS" | "TRACKER_SILENT" | "TRACKER_NONE" | "PORT_OPEN" | "PORT_UNKNOWN" | "PORT_CLOSED" | "LAN_HEARD" | "LAN_SILENT" | "LAN_NONE" | "LAN_OFF" | "FOLDER_FINE" | "FOLDER_REFUSED";

/**
 * What a player lets into a report.
 */
export type ReportParts = { 
/**
 * The state of the game.
 */
game: boolean, 
/**
 * The settings.
 */
settings: boolean, 
/**
 * The last check of the network.
 */
network: boolean, 
/**
 * The newest lines of the log.
 */
log: boolean, };

/**
 * Who is signed in, as the window shows it.
 */
export type Account = { "state": "signed_out" } | { "state": "waiting", 
/**
 * The provider's page.
 */
url: string, 
/**
 * Whether it can be done on another device instead.
 */
elsewhere: boolean, } | { "state": "elsewhere", 
/**
 * What is typed in there.
 */
code: string, 
/**
 * The page to type it into.
 */
url: string, 
/**
 * The same page with the code in it, to be copied; where the provider has none, the page.
 */
link: string, } | { "state": "signed_in", 
/**
 * The name the provider gave.
 */
name: string, 
/**
 * The picture's address in the launcher's scheme; `null` as long as the launcher serves none.
 */
picture: string | null, 
/**
 * Where the session is kept.
 */
kept: Kept, 
/**
 * Why the session could not be renewed the last time, if it could not. Playing goes on.
 */
trouble: Failure | null, } | { "state": "failed", 
/**
 * How.
 */
failure: Failure, };

/**
 * Where the session is kept.
 */
export type Kept = "secret_store" | "memory";

/**
 * The news as the window shows them.
 */
export type News = { state: NewsState, 
/**
 * When the server last confirmed these cards; RFC 3339.
 */
fetched: string | null, cards: Array<NewsCard>, failure: Failure | null, };

/**
 * How current the cards are.
 */
export type NewsState = "loading" | "fresh" | "offline_copy" | "unavailable";

/**
 * One card, all of it plain text.
 */
export type NewsCard = { 
/**
 * Sixteen hexadecimal digits.
 */
id: string, title: string, summary: string, 
/**
 * RFC 3339.
 */
published: string | null, 
/**
 * The picture's address in the launcher's own scheme.
 */
image: string | null, 
/**
 * Whether the card can be opened in the browser.
 */
link: boolean, };

/**
 * All settings, as the window shows them.
 */
export type Settings = { 
/**
 * The layout of the file.
 */
version: 1, 
/**
 * Upload cap in bytes per second; `null` is no cap. Default 300,000: small beside a household's uplink.
 */
limit_up: number | null, 
/**
 * Download cap in bytes per second; `null`, the default, is no cap.
 */
limit_down: number | null, 
/**
 * Default: while downloading.
 */
sharing: SharingMode, 
/**
 * The channel followed; one of the brand's.
 */
channel: string, 
/**
 * The game folder, absolute.
 */
dir: string, 
/**
 * Default: the system's.
 */
language: Language, 
/**
 * Default: pause.
 */
while_playing: WhilePlaying, 
/**
 * Upload cap while nothing is downloaded, in bytes per second; `null`, the default: only the general one.
 */
limit_up_idle: number | null, 
/**
 * Whether computers in the own network count against the caps. Default: they do not.
 */
limit_lan: boolean, 
/**
 * Whether the router is asked to let players connect to us. Default: it is.
 */
map_port: boolean, 
/**
 * Hours with caps of their own; the first that is open holds. Default: none.
 */
schedule: Array<Window>, 
/**
 * Bytes that may be passed on over the internet in a month; `null`, the default: any number.
 */
month_upload: number | null, 
/**
 * Whether a copy of the game that stands in the folder is to be taken over by the first install.
 */
import: boolean, 
/**
 * Whether the first run's questions were answered, or left at their defaults.
 */
welcomed: boolean, 
/**
 * Arguments that the game gets after its manifest's own, as a line with quotation marks; no shell reads it. Default: none.
 */
launch_arguments: string, 
/**
 * Default: keep.
 */
after_start: AfterStart, 
/**
 * Default: ask.
 */
updates: Updates, 
/**
 * Default: ask.
 */
metered: Metered, 
/**
 * Default: the system's.
 */
proxy: ProxyChoice, 
/**
 * Host and port, or a URL of scheme `http`, `https` or `socks5`; kept while it is not in use. Default: none.
 */
proxy_address: string, };

/**
 * The window's language.
 */
export type Language = "en" | "de" | "fr" | "es" | "ja" | "ar" | "system";

/**
 * What transfers do while the game runs.
 */
export type WhilePlaying = "pause" | "limit" | "ignore";

/**
 * What becomes of the launcher when the game has started.
 */
export type AfterStart = "keep" | "hide" | "close";

/**
 * What is done with an update that is offered.
 */
export type Updates = "ask" | "auto";

/**
 * What is done on a network that is paid for by the amount.
 */
export type Metered = "ask" | "pause" | "allow";

/**
 * Through what web servers are asked.
 */
export type ProxyChoice = "system" | "none" | "address";

/**
 * Hours of some days of the week with rules of their own.
 */
export type Window = { 
/**
 * On which days it opens, Monday first.
 */
days: [boolean, boolean, boolean, boolean, boolean, boolean, boolean], 
/**
 * When it opens, minutes after midnight on the clock on the wall.
 */
from_minute: number, 
/**
 * When it closes; not later than it opens means on the next day, the same minute a whole day.
 */
to_minute: number, 
/**
 * Caps meanwhile, instead of the usual ones.
 */
limits: Limits, 
/**
 * Whether anything is passed on meanwhile.
 */
sharing: boolean, 
/**
 * Whether downloads wait until it closes.
 */
no_downloads: boolean, };

/**
 * The part the window sees.
 */
export type Brand = { 
/**
 * The launcher's name.
 */
name: string, 
/**
 * The game's id.
 */
game: string, 
/**
 * The game's name.
 */
title: string, 
/**
 * One line below it.
 */
tagline: string, 
/**
 * `#rrggbb`.
 */
accent: string, 
/**
 * Other colours by their names, `#rrggbb`; those that are absent stay the window's own.
 */
colours: { [key in string]: string }, 
/**
 * Channels a player may choose from.
 */
channels: Array<string>, 
/**
 * Whether there is an identity provider.
 */
sign_in: boolean, 
/**
 * The large picture's address in the launcher's scheme.
 */
key_art: string, 
/**
 * The same for screens of twice the pixels, where there is one.
 */
key_art_2x: string | null, 
/**
 * Sentences said otherwise, by language.
 */
words: { [key in string]: { [key in string]: string } }, 
/**
 * What a player agrees to, by language.
 */
licence: { [key in string]: string }, 
/**
 * Pages of the studio that can be opened.
 */
links: Array<LinkName>, 
/**
 * The launcher's own version.
 */
version: string, };

/**
 * A page of the studio.
 */
export type LinkName = "support" | "community" | "privacy";
