// Everything the window shows, in one place for the screens to reach.
import { getContext, setContext } from "svelte";
import { failureOf, type Backend } from "../ipc/backend";
import type { Brand } from "../ipc/bindings";
import { I18n } from "../i18n/i18n.svelte";
import { AccountState } from "./account.svelte";
import { FolderState } from "./folder.svelte";
import { GameState } from "./game.svelte";
import { NewsState } from "./news.svelte";
import { SettingsState } from "./settings.svelte";

export type Screen = "game" | "transfer" | "settings";

const CONTEXT = Symbol("launcher");

export class Launcher {
  readonly backend: Backend;
  readonly i18n: I18n;
  readonly game: GameState;
  readonly account: AccountState;
  readonly news: NewsState;
  readonly settings: SettingsState;
  readonly folder: FolderState;
  screen = $state<Screen>("game");
  brand = $state.raw<Brand | null>(null);

  constructor(backend: Backend, i18n: I18n) {
    this.backend = backend;
    this.i18n = i18n;
    this.game = new GameState(backend);
    this.account = new AccountState(backend);
    this.news = new NewsState(backend);
    this.settings = new SettingsState(backend);
    this.folder = new FolderState(backend, this.settings);
  }

  /** The brand comes first, so that the window never shows another publisher's colours. */
  async start(): Promise<void> {
    await Promise.all([this.#loadBrand(), this.settings.start()]);
    // Before the first state shows, so that no player reads a word of a language they did not choose.
    await this.i18n.choose(this.settings.settings?.language ?? "system");
    await Promise.all([this.game.start(), this.account.start(), this.news.start()]);
  }

  /** A window without a brand still installs and plays; it says what is wrong. */
  async #loadBrand(): Promise<void> {
    try {
      this.brand = await this.backend.brand();
      this.i18n.override(this.brand.words);
    } catch (thrown) {
      this.game.refused = failureOf(thrown);
    }
  }
}

export function provideLauncher(launcher: Launcher): void {
  setContext(CONTEXT, launcher);
}

export function useLauncher(): Launcher {
  return getContext<Launcher>(CONTEXT);
}
