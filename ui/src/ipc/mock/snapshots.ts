// One snapshot for every state the window can show.
import type { Available, PeerRow, Phase, Preload, Progress, SetName, Sets, Sharing, Snapshot, Transfer } from "../bindings";
import { BRAND, SETTINGS } from "./brand";

const GB = 1_000_000_000;
const MB = 1_000_000;
const KB = 1_000;

const INSTALL: Available = { version: "1.4.0", download_bytes: 4.2 * GB, playable_bytes: null, way: "full", alternatives: [], need_bytes: 9.6 * GB, notes: "" };
const UPDATE: Available = { version: "1.4.0", download_bytes: 412 * MB, playable_bytes: null, way: "patch", alternatives: [{ way: "blocks", bytes: 1.3 * GB }, { way: "full", bytes: 4.2 * GB }], need_bytes: 0.9 * GB, notes: "The Sunken Bridge opens, and lanterns burn twice as long." };

const SEALED: Preload = { version: "1.4.0", unlock: "2026-12-01T18:00:00Z", state: "offered", bytes: 412 * MB, have_bytes: 0, need_bytes: 1.3 * GB };

const IDLE: Transfer = {
  pieces_have: 0,
  pieces_total: 0,
  piece_map: [],
  rarest: 0,
  peers: [],
  origins: [{ url: "https://play.lanternfall.example/content/", ok: true, detail: "", rate: 0 }],
  listen: "0.0.0.0:51413",
  reachability: "reachable",
  trackers: [{ url: "https://play.lanternfall.example/announce", ok: true, detail: "", seeders: 41, leechers: 12 }],
  bad_pieces: 0,
  wasted_bytes: 0,
};

const PEERS: PeerRow[] = [
  peer("203.0.113.24:51413", "Muster 0.1", "internet", true, 2.9 * MB, 41 * KB, 100),
  peer("198.51.100.7:6881", "qBittorrent 5.1", "internet", true, 1.8 * MB, 0, 100),
  peer("192.168.1.23:51413", "Muster 0.1", "lan", false, 1.3 * MB, 96 * KB, 74),
  peer("203.0.113.190:50211", "Muster 0.1", "internet", false, 0.9 * MB, 61 * KB, 58),
  peer("[2001:db8:4::9c1]:51413", "libtorrent 2.1", "internet", true, 0.2 * MB, 42 * KB, 36),
  peer("198.51.100.88:49152", "Muster 0.1", "internet", false, 0, 0, 12),
];

const BUSY: Transfer = {
  ...IDLE,
  pieces_have: 3412,
  pieces_total: 5504,
  piece_map: pieceMap(),
  rarest: 2,
  peers: PEERS,
  origins: [
    { url: "https://play.lanternfall.example/content/", ok: true, detail: "", rate: 4.3 * MB },
    { url: "https://mirror.lanternfall.example/content/", ok: false, detail: "503, next try in 30 s", rate: 0 },
  ],
  bad_pieces: 1,
  wasted_bytes: 1.1 * MB,
};

const CRASH_WORDS = ["loading data/world.pak", "renderer: 3 adapters", "renderer: no adapter has what is needed", "thread 'main' panicked at src/renderer.rs:118", "a pipeline could not be made"];

const BASE: Snapshot = {
  v: 1,
  game: { id: BRAND.game, title: BRAND.title, channel: "live", dir: SETTINGS.dir },
  phase: { kind: "ready" },
  primary: { action: "play", label: "play", enabled: true },
  secondary: null,
  installed: "1.3.2",
  available: null,
  preload: null,
  progress: null,
  sets: null,
  downloaded: { origin: 0, players: 0, lan: 0 },
  uploaded_bytes: 0,
  rates: { down: 0, up: 0, origin: 0, players: 0, lan: 0 },
  limits: { up: SETTINGS.limit_up, down: SETTINGS.limit_down },
  sharing: sharing(SETTINGS.sharing, false, null),
  transfer: IDLE,
  repair_offered: [],
  offline: false,
  last_check: "2026-11-20T11:48:00Z",
  last_exit: null,
  summary: null,
  warnings: [],
};

const DOWNLOADED = { origin: 988 * MB, players: 1326 * MB, lan: 286 * MB };
const LOADING: Partial<Snapshot> = {
  installed: null,
  available: INSTALL,
  downloaded: DOWNLOADED,
  uploaded_bytes: 104 * MB,
  transfer: BUSY,
};

export const SNAPSHOTS: Record<string, Snapshot> = {
  starting: state({ kind: "starting" }, { primary: { action: null, label: "starting", enabled: false }, installed: null }),
  not_installed: state({ kind: "not_installed" }, { primary: { action: "install", label: "install", enabled: true }, installed: null, available: INSTALL, last_check: null }),
  checking: state({ kind: "checking" }, { primary: { action: null, label: "checking", enabled: false }, secondary: { action: "play", label: "play_anyway", enabled: true } }),
  checking_first: state({ kind: "checking" }, { primary: { action: null, label: "checking", enabled: false }, installed: null }),
  update_available: state(
    { kind: "update_available" },
    { primary: { action: "update", label: "update", enabled: true }, secondary: { action: "play", label: "play_anyway", enabled: true }, available: UPDATE },
  ),
  downloading: state({ kind: "downloading" }, {
    ...LOADING,
    primary: { action: "pause", label: "pause", enabled: true },
    secondary: { action: "cancel", label: "cancel", enabled: true },
    progress: progress(2.6 * GB, 4.2 * GB, 11.4 * MB, 141),
    rates: { down: 11.4 * MB, up: 240 * KB, origin: 4.3 * MB, players: 5.8 * MB, lan: 1.3 * MB },
    sharing: sharing("while_downloading", true, null),
  }),
  sets_required: state({ kind: "downloading" }, {
    ...LOADING,
    primary: { action: "pause", label: "pause", enabled: true },
    secondary: { action: "cancel", label: "cancel", enabled: true },
    progress: progress(0.5 * GB, 4.2 * GB, 11.4 * MB, 325),
    sets: sets("required", 0.42 * GB, 0.08 * GB, 0),
  }),
  sets_playable: state({ kind: "downloading" }, {
    ...LOADING,
    installed: "1.4.0",
    primary: { action: "play", label: "play", enabled: true },
    secondary: { action: "pause", label: "pause", enabled: true },
    progress: progress(2.6 * GB, 4.2 * GB, 11.4 * MB, 141),
    sets: sets("optional", 0.6 * GB, 1.2 * GB, 0.8 * GB),
    rates: { down: 11.4 * MB, up: 240 * KB, origin: 4.3 * MB, players: 5.8 * MB, lan: 1.3 * MB },
  }),
  sets_paused: state({ kind: "paused", reason: "user", until: null }, {
    ...LOADING,
    installed: "1.4.0",
    primary: { action: "play", label: "play", enabled: true },
    secondary: { action: "resume", label: "resume", enabled: true },
    progress: progress(2.6 * GB, 4.2 * GB, 0, null),
    sets: sets("optional", 0.6 * GB, 1.2 * GB, 0.8 * GB),
  }),
  sets_running: state({ kind: "running", since_seconds: 754, still: [] }, {
    installed: "1.4.0",
    primary: { action: null, label: "running", enabled: false },
    secondary: { action: "stop_game", label: "stop_game", enabled: true },
    progress: progress(3.1 * GB, 4.2 * GB, 2.1 * MB, 524),
    sets: sets("optional", 0.6 * GB, 1.2 * GB, 1.3 * GB),
    sharing: sharing("while_open", false, "playing"),
  }),
  sets_rest: state({ kind: "ready" }, { primary: { action: "play", label: "play", enabled: true }, secondary: { action: "install", label: "continue", enabled: true }, installed: "1.4.0" }),
  paused: state({ kind: "paused", reason: "user", until: null }, {
    ...LOADING,
    primary: { action: "resume", label: "resume", enabled: true },
    secondary: { action: "cancel", label: "cancel", enabled: true },
    progress: progress(2.6 * GB, 4.2 * GB, 0, null),
    sharing: sharing("while_downloading", false, "held"),
  }),
  paused_game: state({ kind: "paused", reason: "game", until: null }, {
    primary: { action: "resume", label: "resume", enabled: true },
    available: UPDATE,
    progress: progress(120 * MB, 412 * MB, 0, null),
    sharing: sharing("while_open", false, "playing"),
  }),
  paused_metered: state({ kind: "paused", reason: "metered", until: null }, {
    ...LOADING,
    primary: { action: "resume", label: "download_anyway", enabled: true },
    secondary: { action: "cancel", label: "cancel", enabled: true },
    progress: progress(0.4 * GB, 4.2 * GB, 0, null),
    sharing: sharing("while_downloading", false, "metered"),
  }),
  paused_metered_waits: state({ kind: "paused", reason: "metered", until: null }, {
    ...LOADING,
    primary: { action: null, label: "waiting", enabled: false },
    secondary: { action: "cancel", label: "cancel", enabled: true },
    progress: progress(0.4 * GB, 4.2 * GB, 0, null),
    sharing: sharing("while_downloading", false, "metered"),
  }),
  paused_schedule: state({ kind: "paused", reason: "schedule", until: 120 }, {
    ...LOADING,
    primary: { action: "resume", label: "download_anyway", enabled: true },
    secondary: { action: "cancel", label: "cancel", enabled: true },
    progress: progress(0.4 * GB, 4.2 * GB, 0, null),
  }),
  paused_space: state({ kind: "paused", reason: "space", until: null }, {
    ...LOADING,
    primary: { action: "resume", label: "resume", enabled: true },
    progress: progress(3.9 * GB, 4.2 * GB, 0, null),
  }),
  verifying: state({ kind: "verifying" }, {
    primary: { action: "cancel", label: "cancel", enabled: true },
    progress: { ...progress(5.9 * GB, 9.6 * GB, 420 * MB, 9), files_done: 612, files_total: 754 },
  }),
  repairing: state({ kind: "repairing" }, {
    primary: { action: "cancel", label: "cancel", enabled: true },
    progress: { ...progress(31 * MB, 88 * MB, 6.2 * MB, 9), files_done: 2, files_total: 5 },
    downloaded: { origin: 22 * MB, players: 9 * MB, lan: 0 },
    rates: { down: 6.2 * MB, up: 0, origin: 4.4 * MB, players: 1.8 * MB, lan: 0 },
  }),
  applying: state({ kind: "applying" }, {
    primary: { action: null, label: "applying", enabled: false },
    available: UPDATE,
    progress: progress(390 * MB, 412 * MB, 0, null),
    downloaded: { origin: 97 * MB, players: 269 * MB, lan: 46 * MB },
  }),
  ready: state({ kind: "ready" }, {}),
  updated: state({ kind: "ready" }, {
    installed: "1.4.0",
    downloaded: { origin: 21 * MB, players: 293 * MB, lan: 98 * MB },
    summary: { version: "1.4.0", downloaded: { origin: 21 * MB, players: 293 * MB, lan: 98 * MB }, uploaded_bytes: 180 * MB, seconds: 47 },
  }),
  preloading: state({ kind: "ready" }, { preload: { ...SEALED, state: "preloading", have_bytes: 96 * MB } }),
  preloaded: state({ kind: "ready" }, { preload: { ...SEALED, state: "preloaded", have_bytes: SEALED.bytes } }),
  unlocking: state({ kind: "verifying" }, {
    primary: { action: "cancel", label: "cancel", enabled: true },
    preload: { ...SEALED, state: "unlocking", have_bytes: SEALED.bytes },
    progress: progress(180 * MB, 412 * MB, 0, null),
  }),
  sharing: state({ kind: "ready" }, {
    sharing: sharing("while_open", true, null),
    rates: { down: 0, up: 186 * KB, origin: 0, players: 0, lan: 0 },
    uploaded_bytes: 1.2 * GB,
    downloaded: { origin: 1.1 * GB, players: 2.6 * GB, lan: 0.5 * GB },
    transfer: { ...BUSY, pieces_have: 5504, piece_map: new Array<number>(160).fill(100), bad_pieces: 0, wasted_bytes: 0 },
  }),
  sharing_stopped: state({ kind: "ready" }, { sharing: sharing("while_open", false, "user"), uploaded_bytes: 1.2 * GB }),
  sharing_budget: state({ kind: "ready" }, { sharing: { ...sharing("while_open", false, "budget"), month_bytes: 20.02 * GB }, uploaded_bytes: 1.2 * GB }),
  sharing_schedule: state({ kind: "ready" }, { sharing: sharing("while_open", false, "schedule"), uploaded_bytes: 1.2 * GB }),
  running: state({ kind: "running", since_seconds: 2542, still: [] }, {
    primary: { action: null, label: "running", enabled: false },
    secondary: { action: "stop_game", label: "stop_game", enabled: true },
    sharing: sharing("while_open", false, "playing"),
  }),
  still_running: state({ kind: "running", since_seconds: 5321, still: ["lanternfall (4711)", "crash-reporter (4744)"] }, {
    primary: { action: null, label: "running", enabled: false },
    secondary: { action: "stop_game", label: "still_running", enabled: true },
    sharing: sharing("while_open", false, "playing"),
  }),
  offline: state({ kind: "offline" }, { primary: { action: "play", label: "play_offline", enabled: true }, secondary: { action: "retry", label: "retry", enabled: true }, offline: true }),
  offline_none: state({ kind: "offline" }, { primary: { action: "retry", label: "retry", enabled: true }, installed: null, offline: true, last_check: null }),
  needs_space: state(
    { kind: "needs_space", need_bytes: 12.4 * GB, have_bytes: 9.1 * GB, dir: SETTINGS.dir },
    { primary: { action: "retry", label: "try_again", enabled: true }, installed: null, available: INSTALL },
  ),
  blocked: state({ kind: "blocked", by: "Lanternfall (4711)" }, { primary: { action: "retry", label: "try_again", enabled: true } }),
  folder_missing: state(
    { kind: "folder_missing", dir: SETTINGS.dir },
    { primary: { action: "retry", label: "try_again", enabled: true }, secondary: { action: "install", label: "reinstall", enabled: true } },
  ),
  failed: state(
    { kind: "failed", failure: { code: "ORIGIN_HTML", message: "expected a range, got text/html", can_retry: true } },
    { primary: { action: "retry", label: "try_again", enabled: true } },
  ),
  failed_unknown: state(
    { kind: "failed", failure: { code: "BRAND_NEW", message: "The moon was in the way.", can_retry: true } },
    { primary: { action: "retry", label: "try_again", enabled: true }, installed: null },
  ),
  repair_offered: state({ kind: "ready" }, { primary: { action: "repair", label: "repair", enabled: true }, secondary: { action: "play", label: "play", enabled: true }, repair_offered: ["art/bridge.pak", "sound/theme.ogg"] }),
  read_only: state({ kind: "ready" }, { warnings: ["FOLDER_READ_ONLY"] }),
  warned: state({ kind: "ready" }, { warnings: ["CLOCK_WRONG"] }),
  locate: state({ kind: "folder_missing", dir: SETTINGS.dir }, { primary: { action: null, label: "locate", enabled: true } }),
  free_space: state({ kind: "needs_space", need_bytes: 12.4 * GB, have_bytes: 9.1 * GB, dir: SETTINGS.dir }, { primary: { action: null, label: "free_space", enabled: true }, installed: null }),
  crashed: state({ kind: "ready" }, { last_exit: { code: null, signal: 11, seconds: 3, bad: true, crash: { code: "GAME_CRASHED", message: "the game ended 3.2 s after its start, with signal 11", can_retry: true }, words: CRASH_WORDS } }),
  ended_badly: state({ kind: "ready" }, { last_exit: { code: 3, signal: null, seconds: 2542, bad: true, crash: null, words: CRASH_WORDS.slice(-2) } }),
};

function state(phase: Phase, rest: Partial<Snapshot>): Snapshot {
  return { ...BASE, ...rest, phase };
}

function sharing(mode: Sharing["mode"], active: boolean, paused_reason: Sharing["paused_reason"]): Sharing {
  return { mode, active, paused_reason, month_bytes: 1.2 * GB, month_budget: paused_reason === "budget" ? 20 * GB : null };
}

function progress(done: number, total: number, rate: number, eta: number | null): Progress {
  return { done_bytes: done, total_bytes: total, files_done: 0, files_total: 0, percent: Math.floor((done / total) * 100), rate_bytes_per_second: rate, eta_seconds: eta };
}

/** A release of 0.6, 1.2 and 2.4 GB, of which so much is here. */
function sets(fetching: SetName, required: number, playable: number, optional: number): Sets {
  const one = (set: SetName, done_bytes: number, total_bytes: number) => ({ set, total_bytes, done_bytes, in_place: set !== "optional" && done_bytes === total_bytes });
  const all = [one("required", required, 0.6 * GB), one("playable", playable, 1.2 * GB), one("optional", optional, 2.4 * GB)];
  return { fetching, playable: all.every(({ set, in_place }) => set === "optional" || in_place), sets: all };
}

function peer(address: string, client: string, net: PeerRow["class"], outgoing: boolean, down: number, up: number, percent: number): PeerRow {
  return {
    address,
    client,
    class: net,
    outgoing,
    down_rate: down,
    up_rate: up,
    downloaded_bytes: down * 140,
    uploaded_bytes: up * 140,
    percent,
    choked_by_peer: down === 0,
    choking_peer: up === 0,
  };
}

/** 160 buckets, about 62 % there, in the ragged way of rarest first. */
function pieceMap(): number[] {
  return Array.from({ length: 160 }, (_, at) => {
    const wave = 62 + 46 * Math.sin(at * 0.37) + 30 * Math.sin(at * 1.71 + 1);
    return Math.max(0, Math.min(100, Math.round(wave)));
  });
}
