// Accounts and news for the plain browser.
import type { Account, Failure, News, NewsCard } from "../bindings";

const URL = "https://id.lanternfall.example/auth?client_id=muster&response_type=code&code_challenge_method=S256&state=3f1c";

const ANN = { state: "signed_in", name: "Ann Lindqvist", picture: null } as const;
const failure = (code: string): Failure => ({ code, message: code.toLowerCase(), can_retry: true });

export const ACCOUNTS = {
  signed_out: { state: "signed_out" },
  waiting: { state: "waiting", url: URL, elsewhere: true },
  waiting_only: { state: "waiting", url: URL, elsewhere: false },
  elsewhere: { state: "elsewhere", code: "WDJB-MJHT", url: "https://id.lanternfall.example/device", link: "https://id.lanternfall.example/device?user_code=WDJB-MJHT" },
  elsewhere_asking: { state: "elsewhere", code: "", url: "", link: "" },
  signed_in: { ...ANN, kept: "secret_store", trouble: null },
  signed_in_memory: { ...ANN, kept: "memory", trouble: null },
  offline: { ...ANN, kept: "secret_store", trouble: failure("SIGN_IN_UNREACHABLE") },
  locked: { ...ANN, kept: "secret_store", trouble: failure("SIGN_IN_LOCKED") },
  clock: { ...ANN, kept: "secret_store", trouble: failure("SIGN_IN_CLOCK") },
  failed: { state: "failed", failure: failure("SIGN_IN_DENIED") },
  timeout: { state: "failed", failure: failure("SIGN_IN_TIMEOUT") },
  clock_failed: { state: "failed", failure: failure("SIGN_IN_CLOCK") },
  unreachable: { state: "failed", failure: failure("SIGN_IN_UNREACHABLE") },
  no_codes: { state: "failed", failure: { ...failure("SIGN_IN_NO_CODES"), can_retry: false } },
  expired: { state: "failed", failure: failure("SIGN_IN_EXPIRED") },
} satisfies Record<string, Account>;

const CARDS: NewsCard[] = [
  {
    id: "bridge",
    title: "Patch 1.4: The Sunken Bridge",
    summary: "A new road under the lake, twelve lanterns to find, and a keeper who does not want you there.",
    published: "2026-11-17T09:00:00Z",
    image: "muster://news/bridge",
    link: true,
  },
  { id: "event", title: "Ember weekend", summary: "Double light from Friday to Monday.", published: "2026-11-14T15:30:00Z", image: "muster://news/event", link: true },
  { id: "night", title: "How we painted the night sky", summary: "A look into the workshop.", published: "2026-11-03T10:00:00Z", image: "muster://news/night", link: true },
  { id: "hotfix", title: "Hotfix notes 1.3.2", summary: "Boats no longer sail on sand.", published: "2026-10-28T08:10:00Z", image: null, link: false },
];

export const NEWS = {
  fresh: { state: "fresh", fetched: "2026-11-20T11:40:00Z", cards: CARDS, failure: null },
  empty: { state: "fresh", fetched: "2026-11-20T11:40:00Z", cards: [], failure: null },
  loading: { state: "loading", fetched: null, cards: [], failure: null },
  offline_copy: { state: "offline_copy", fetched: "2026-11-18T11:40:00Z", cards: CARDS, failure: null },
  unavailable: { state: "unavailable", fetched: null, cards: [], failure: { code: "FEED_UNREACHABLE", message: "connection refused", can_retry: true } },
  no_feed: { state: "unavailable", fetched: null, cards: [], failure: null },
} satisfies Record<string, News>;
