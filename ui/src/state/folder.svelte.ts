// Choosing where the game goes: the folder looked at, what it holds, and taking it.
import { failureOf, type Backend } from "../ipc/backend";
import type { Failure, FolderLook } from "../ipc/bindings";
import type { SettingsState } from "./settings.svelte";

export class FolderState {
  look = $state.raw<FolderLook | null>(null);
  /** Why the folder asked for cannot be it. */
  refused = $state.raw<Failure | null>(null);
  busy = $state(false);
  /** The folder was chosen by the player, not proposed. */
  #chosen = false;
  readonly #backend: Backend;
  readonly #settings: SettingsState;

  constructor(backend: Backend, settings: SettingsState) {
    this.#backend = backend;
    this.#settings = settings;
  }

  /** Looks at the folder in use; nothing is changed. */
  lookAtCurrent(): Promise<void> {
    this.#chosen = false;
    return this.#lookAt(async () => this.#settings.settings?.dir ?? null);
  }

  /** The same folder once more: by then more may be known of the release. */
  lookAgain(): Promise<void> {
    const { look } = this;
    return this.#chosen && look ? this.#lookAt(async () => look.dir) : this.lookAtCurrent();
  }

  /** Asks for a folder in the system's dialog and looks at it; false when none was chosen. */
  async choose(): Promise<boolean> {
    let chosen = false;
    await this.#lookAt(async () => {
      const dir = await this.#backend.pickFolder();
      chosen = dir !== null;
      this.#chosen ||= chosen;
      return dir;
    });
    return chosen || this.refused !== null;
  }

  /** Makes the folder that was looked at the game's; a copy in it is taken over by the install. */
  async take(): Promise<void> {
    const { look } = this;
    if (!look) return;
    const settings = this.#settings.settings;
    // Before the release is known a copy of the game cannot be told from others' things: nothing is decided about the usual folder then.
    if (!this.#chosen && look.need_bytes === null && look.dir !== settings?.dir) return;
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
