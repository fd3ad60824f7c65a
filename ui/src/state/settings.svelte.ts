// The settings as saved. A change is shown at once, saved at once, and taken back when it was refused.
import { failureOf, type Backend } from "../ipc/backend";
import type { Failure, Settings } from "../ipc/bindings";

export class SettingsState {
  settings = $state.raw<Settings | null>(null);
  refused = $state.raw<Failure | null>(null);
  /** Counts the saves that stand, so that the "saved" note knows when to show itself. */
  saves = $state(0);
  readonly #backend: Backend;
  #queue: Promise<void> = Promise.resolve();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async start(): Promise<void> {
    try {
      this.settings = await this.#backend.settings();
    } catch (thrown) {
      this.refused = failureOf(thrown);
    }
  }

  /** Saves run one after the other, so the last change made is the last one written. */
  change(part: Partial<Settings>): Promise<void> {
    this.#queue = this.#queue.then(() => this.#save(part));
    return this.#queue;
  }

  async #save(part: Partial<Settings>): Promise<void> {
    const before = this.settings;
    if (!before) return;
    this.refused = null;
    this.settings = { ...before, ...part };
    try {
      await this.#backend.saveSettings(this.settings);
      this.saves += 1;
    } catch (thrown) {
      this.refused = failureOf(thrown);
      // It may have been written and refused only afterwards, so what stands is asked for, not guessed.
      this.settings = await this.#backend.settings().catch(() => before);
    }
  }
}
