// Choosing where the game goes: the folder looked at, what it holds, and taking it.
import { failureOf, type Backend } from "../ipc/backend";
import type { Failure, FolderLook } from "../ipc/bindings";
import type { SettingsState } from "./settings.svelte";

export class FolderState {
  look = $state.raw<FolderLook | null>(null);
  /** Why the folder asked for cannot be it. */
  refused = $state.raw<Failure | null>(null);
  busy = $state(false);
  readonly #backend: Backend;
  readonly #settings: SettingsState;

  constructor(backend: Backend, settings: SettingsState) {
    this.#backend = backend;
    this.#settings = settings;
  }

  /** Looks at the folder in use; nothing is changed. */
  lookAtCurrent(): Promise<void> {
    return this.#lookAt(async () => this.#settings.settings?.dir ?? null);
  }

  /** Asks for a folder in the system's dialog and looks at it; false when none was chosen. */
  async choose(): Promise<boolean> {
    let chosen = false;
    await this.#lookAt(async () => {
      const dir = await this.#backend.pickFolder();
      chosen = dir !== null;
      return dir;
    });
    return chosen || this.refused !== null;
  }

  /** Makes the folder that was looked at the game's; a copy in it is taken over by the install. */
  async take(): Promise<void> {
    const { look } = this;
    if (!look) return;
    const settings = this.#settings.settings;
    const copy = look.holds === "copy";
    if (settings && settings.dir === look.dir && settings.import === copy) return;
    await this.#settings.change({ dir: look.dir, import: copy });
  }

  async #lookAt(folder: () => Promise<string | null>): Promise<void> {
    this.busy = true;
    try {
      const dir = await folder();
      if (dir === null) return;
      this.refused = null;
      this.look = await this.#backend.lookAtFolder(dir);
    } catch (thrown) {
      this.look = null;
      this.refused = failureOf(thrown);
    } finally {
      this.busy = false;
    }
  }
}
