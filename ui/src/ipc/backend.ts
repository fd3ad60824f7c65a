// What the window may ask of whoever stands behind it. Two implementations run: the Tauri one and the mock.
import type { Account, Action, Brand, Diagnosis, Failure, FolderLook, LinkName, News, ReportParts, Settings, Snapshot } from "./bindings";

export type Unlisten = () => void;

/** Every method may reject with a `Failure`; `failureOf` turns anything else that was thrown into one. */
export interface Backend {
  snapshot(): Promise<Snapshot>;
  act(action: Action): Promise<void>;
  settings(): Promise<Settings>;
  saveSettings(settings: Settings): Promise<void>;
  /** The folder chosen in the system's dialog, or null when it was dismissed. */
  pickFolder(): Promise<string | null>;
  /** What it would come to if the game went to the folder in use, or to the one just picked. */
  lookAtFolder(dir: string): Promise<FolderLook>;
  /** Shows the game folder in the system's file manager. */
  openFolder(): Promise<void>;
  account(): Promise<Account>;
  /** In the browser; for somebody signed in: the session is renewed now. */
  signIn(): Promise<void>;
  /** By a code that is typed in on another device. */
  signInElsewhere(): Promise<void>;
  cancelSignIn(): Promise<void>;
  signOut(): Promise<void>;
  news(): Promise<News>;
  /** Opens the card's link in the system browser. */
  openNews(id: string): Promise<void>;
  brand(): Promise<Brand>;
  /** Opens a page of the studio in the system browser. */
  openLink(name: LinkName): Promise<void>;
  /** Looks at network, servers, clock and folder; takes up to half a minute. */
  checkNetwork(): Promise<Diagnosis>;
  /** The support report as text; nothing is sent anywhere. */
  supportReport(parts: ReportParts): Promise<string>;
  /** Saves the report that was made last; false when the dialog was dismissed. */
  saveReport(): Promise<boolean>;
  /** Shows the log's folder in the system's file manager. */
  openLogs(): Promise<void>;
  /** A `muster://` address as this platform's web view can load it; null when there is no such picture. */
  imageUrl(uri: string): string | null;
  onSnapshot(listener: (snapshot: Snapshot) => void): Promise<Unlisten>;
  onAccount(listener: (account: Account) => void): Promise<Unlisten>;
  onNews(listener: (news: News) => void): Promise<Unlisten>;
}

export function failureOf(thrown: unknown): Failure {
  if (isFailure(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "UNEXPECTED", message, can_retry: true };
}

function isFailure(value: unknown): value is Failure {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string" && "message" in value;
}
