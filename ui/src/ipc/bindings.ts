// Shape of what crosses from Rust to the window. Field names are those of the Rust types; u64 travels as number.
export type Phase =
  | { kind: "starting" }
  | { kind: "not_installed" }
  | { kind: "checking" }
  | { kind: "update_available" }
  | { kind: "downloading" }
  | { kind: "paused", reason: "user" | "game" | "space" }
  | { kind: "verifying" }
  | { kind: "repairing" }
  | { kind: "applying" }
  | { kind: "ready" }
  | { kind: "running", since_seconds: number }
  | { kind: "offline" }                                  // installed and playable, or not (see installed)
  | { kind: "needs_space", need_bytes: number, have_bytes: number, dir: string }
  | { kind: "blocked", by: string }
  | { kind: "folder_missing", dir: string }
  | { kind: "failed", failure: Failure };
export type Failure = { code: string, message: string, can_retry: boolean };
export type Action = "install" | "update" | "pause" | "resume" | "cancel" | "verify" | "repair" | "play" | "stop_game" | "retry" | "uninstall" | "stop_sharing" | "start_sharing";
export type Button = { action: Action | null, label: string /* key: install, update, pause, resume, checking, play, play_offline, running, cancel, applying, retry, repair, try_again, locate, free_space */, enabled: boolean };
export type BySource = { origin: number, players: number, lan: number };
export type Progress = { done_bytes: number, total_bytes: number, files_done: number, files_total: number, percent: number /* floored 0..100, monotonic inside a phase */, rate_bytes_per_second: number, eta_seconds: number | null };
export type Available = { version: string, download_bytes: number, need_bytes: number, notes: string };
export type PeerRow = { address: string, client: string, class: "internet" | "lan", outgoing: boolean, down_rate: number, up_rate: number, downloaded_bytes: number, uploaded_bytes: number, percent: number, choked_by_peer: boolean, choking_peer: boolean };
export type OriginRow = { url: string, ok: boolean, detail: string, rate: number };
export type Transfer = { pieces_have: number, pieces_total: number, piece_map: number[] /* ≤ 160 buckets, 0..100 percent */, rarest: number, peers: PeerRow[], origins: OriginRow[], listen: string | null, trackers: { url: string, ok: boolean, detail: string, seeders: number, leechers: number }[], bad_pieces: number, wasted_bytes: number };
export type Sharing = { mode: "off" | "lan" | "while_downloading" | "while_open", active: boolean, paused_reason: "playing" | "user" | null };
export type Snapshot = {
  v: 1, game: { id: string, title: string, channel: string, dir: string }, phase: Phase, primary: Button, secondary: Button | null,
  installed: string | null, available: Available | null, progress: Progress | null,
  downloaded: BySource, uploaded_bytes: number, rates: { down: number, up: number, origin: number, players: number, lan: number },
  limits: { up: number | null, down: number | null }, sharing: Sharing, transfer: Transfer, repair_offered: string[] /* changed files */, offline: boolean, last_check: string | null,
  last_exit: { code: number | null, seconds: number } | null,
};

// The launcher itself.
export type Account = { state: "signed_out" } | { state: "waiting", url: string } | { state: "signed_in", name: string, picture: string | null, kept: "secret_store" | "memory" } | { state: "failed", failure: Failure };
export type NewsCard = { id: string, title: string, summary: string /* plain text */, published: string | null /* RFC 3339 */, image: string | null /* muster://news/<id> */, link: boolean };
export type News = { state: "loading" | "fresh" | "offline_copy" | "unavailable", fetched: string | null, cards: NewsCard[], failure: Failure | null };
export type Settings = { version: 1, limit_up: number | null /* bytes per second */, limit_down: number | null, sharing: "off" | "lan" | "while_downloading" | "while_open", channel: string, dir: string, language: "en" | "de" | "system", while_playing: "pause" | "limit" | "ignore" };
export type Brand = { name: string, game: string, title: string, tagline: string, accent: string, channels: string[], sign_in: boolean, key_art: string };
