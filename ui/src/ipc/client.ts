// The only file that knows Tauri. Everything else talks to a `Backend`.
import { invoke, isTauri } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { Backend, Unlisten } from "./backend";
import type { Account, News, Snapshot } from "./bindings";

/** The launcher behind this window, or the mock in a plain browser. */
export async function connect(): Promise<Backend> {
  if (isTauri()) return tauriBackend();
  const { mockBackend } = await import("./mock");
  return mockBackend(new URLSearchParams(location.search).get("fixture"));
}

function tauriBackend(): Backend {
  return {
    snapshot: () => invoke("snapshot"),
    act: (action) => invoke("act", { action }),
    settings: () => invoke("settings"),
    saveSettings: (settings) => invoke("save_settings", { settings }),
    pickFolder: () => invoke("pick_folder"),
    lookAtFolder: (dir) => invoke("look_at_folder", { dir }),
    openFolder: () => invoke("open_folder"),
    account: () => invoke("account"),
    signIn: () => invoke("sign_in"),
    signInElsewhere: () => invoke("sign_in_elsewhere"),
    cancelSignIn: () => invoke("cancel_sign_in"),
    signOut: () => invoke("sign_out"),
    news: () => invoke("news"),
    openNews: (id) => invoke("open_news", { id }),
    brand: () => invoke("brand"),
    openLink: (name) => invoke("open_link", { name }),
    checkNetwork: () => invoke("check_network"),
    supportReport: (parts) => invoke("support_report", { parts }),
    saveReport: () => invoke("save_report"),
    openLogs: () => invoke("open_logs"),
    imageUrl: (uri) => imageUrl(uri, navigator.userAgent),
    onSnapshot: (listener) => subscribe<Snapshot>("snapshot", listener),
    onAccount: (listener) => subscribe<Account>("account", listener),
    onNews: (listener) => subscribe<News>("news", listener),
  };
}

function subscribe<T>(event: string, listener: (payload: T) => void): Promise<Unlisten> {
  return listen<T>(event, ({ payload }) => listener(payload));
}

const SCHEME = "muster://";

/** WebView2 serves own protocols under http://<scheme>.localhost; anything but our scheme is refused. */
export function imageUrl(uri: string, userAgent: string): string | null {
  if (!uri.startsWith(SCHEME)) return null;
  return userAgent.includes("Windows") ? `http://muster.localhost/${uri.slice(SCHEME.length)}` : uri;
}
