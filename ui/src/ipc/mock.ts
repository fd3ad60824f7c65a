// A launcher made of fixtures, for a plain browser: `?fixture=downloading` shows that state, buttons lead to a plausible next one.
// It never runs inside the real window.
import type { Backend } from "./backend";
import type { Account, Action, FolderLook, News, Settings, Snapshot } from "./bindings";
import { BRAND, BRANDS, PICTURES, SETTINGS } from "./mock/brand";
import { DIAGNOSES, report } from "./mock/help";
import { ACCOUNTS, NEWS } from "./mock/people";
import { SNAPSHOTS } from "./mock/snapshots";

export type Fixture = { snapshot: Snapshot; account: Account; news: News };
/** A first run: nothing was answered yet, and this is what the folder holds. */
export type Welcome = { account: Account; look: FolderLook };

/** Snapshot fixtures by their own name; the others put an account or news state beside a quiet game. */
export const FIXTURES: Record<string, Fixture> = {
  ...mapped(SNAPSHOTS, (snapshot, name) => ({ ...quiet(), snapshot, news: name.startsWith("offline") ? NEWS.offline_copy : NEWS.fresh })),
  ...mapped(ACCOUNTS, (account, name) => ["account_" + name, { ...quiet(), account }]),
  ...mapped(NEWS, (news, name) => ["news_" + name, { ...quiet(), news }]),
};

const LOOK: FolderLook = { dir: SETTINGS.dir, holds: "nothing", version: null, free_bytes: 212_400_000_000, need_bytes: 9_600_000_000 };

export const WELCOMES: Record<string, Welcome> = {
  welcome: { account: ACCOUNTS.signed_out, look: LOOK },
  welcome_copy: { account: ACCOUNTS.signed_in, look: { ...LOOK, holds: "copy", dir: "/mnt/games/Lanternfall" } },
  welcome_game: { account: ACCOUNTS.signed_out, look: { ...LOOK, holds: "game", version: "1.3.2" } },
  welcome_tight: { account: ACCOUNTS.signed_out, look: { ...LOOK, free_bytes: 3_100_000_000 } },
};

const NEXT: Record<Action, string> = {
  install: "downloading",
  update: "downloading",
  pause: "paused",
  resume: "downloading",
  cancel: "not_installed",
  verify: "verifying",
  repair: "repairing",
  play: "running",
  stop_game: "ready",
  not_running: "ready",
  retry: "ready",
  uninstall: "not_installed",
  stop_sharing: "sharing_stopped",
  start_sharing: "sharing",
  preload: "preloading",
  unlock: "unlocking",
};

const TICK_MS = Number(new URLSearchParams(globalThis.location?.search).get("every") ?? 500);

export function mockBackend(fixture: string | null): Backend {
  const first = WELCOMES[fixture ?? ""];
  let { snapshot, account, news } = first ? { ...quiet(), snapshot: SNAPSHOTS.not_installed!, account: first.account } : (FIXTURES[fixture ?? ""] ?? quiet());
  let settings: Settings = { ...SETTINGS, welcomed: !first };
  let onSnapshot: (snapshot: Snapshot) => void = () => {};
  let onAccount: (account: Account) => void = () => {};
  let ticks = 0;

  const say = (next: Account) => onAccount((account = next));
  setInterval(() => onSnapshot(lively(snapshot, settings, (ticks += 1))), TICK_MS);

  return {
    snapshot: async () => lively(snapshot, settings, ticks),
    act: async (action) => {
      snapshot = SNAPSHOTS[NEXT[action]] ?? snapshot;
      onSnapshot(lively(snapshot, settings, ticks));
    },
    settings: async () => settings,
    saveSettings: async (next) => void (settings = next),
    pickFolder: async () => "/mnt/games/Lanternfall",
    lookAtFolder: async (dir) => ({ ...(first?.look ?? LOOK), ...(first && dir === SETTINGS.dir ? {} : { dir }) }),
    openFolder: async () => {},
    account: async () => account,
    signIn: async () => say(account.state === "signed_in" ? ACCOUNTS.signed_in : ACCOUNTS.waiting),
    signInElsewhere: async () => say(ACCOUNTS.elsewhere),
    cancelSignIn: async () => say(ACCOUNTS.signed_out),
    signOut: async () => say(ACCOUNTS.signed_out),
    news: async () => news,
    openNews: async () => {},
    brand: async () => BRANDS[new URLSearchParams(globalThis.location?.search).get("brand") ?? ""] ?? BRAND,
    openLink: async () => {},
    checkNetwork: async () => DIAGNOSES[fixture === "offline" ? "bad" : "good"],
    supportReport: async (parts) => report(parts),
    saveReport: async () => true,
    openLogs: async () => {},
    imageUrl: (uri) => PICTURES[uri] ?? null,
    onSnapshot: async (listener) => {
      onSnapshot = listener;
      return () => (onSnapshot = () => {});
    },
    onAccount: async (listener) => {
      onAccount = listener;
      return () => (onAccount = () => {});
    },
    onNews: async () => () => {},
  };
}

/** The same snapshot with rates that breathe, so that the graph has something to draw. */
function lively(snapshot: Snapshot, { limit_up, limit_down, channel }: Settings, tick: number): Snapshot {
  const sway = (phase: number) => 1 + 0.24 * Math.sin(tick / 23 + phase) + 0.1 * Math.sin(tick / 5 + phase * 2);
  const { rates } = snapshot;
  const [origin, players, lan] = [rates.origin * sway(0), rates.players * sway(2), rates.lan * sway(4)];
  return {
    ...snapshot,
    game: { ...snapshot.game, channel },
    limits: { up: limit_up, down: limit_down },
    rates: { origin, players, lan, down: origin + players + lan, up: Math.min(rates.up * sway(1), limit_up ?? Infinity) },
  };
}

function quiet(): Fixture {
  return { snapshot: SNAPSHOTS.ready!, account: ACCOUNTS.signed_in, news: NEWS.fresh };
}

function mapped<T>(from: Record<string, T>, make: (value: T, name: string) => Fixture | [string, Fixture]): Record<string, Fixture> {
  return Object.fromEntries(
    Object.entries(from).map(([name, value]) => {
      const made = make(value, name);
      return Array.isArray(made) ? made : [name, made];
    }),
  );
}
