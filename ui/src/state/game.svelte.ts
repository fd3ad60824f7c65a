// The game as the last snapshot shows it, and the commands a person gives.
import { failureOf, type Backend } from "../ipc/backend";
import type { Action, Failure, Snapshot } from "../ipc/bindings";
import { RateHistory } from "./history";

export class GameState {
  readonly history = new RateHistory();
  snapshot = $state.raw<Snapshot | null>(null);
  /** Why the last command was refused; gone with the next one. */
  refused = $state.raw<Failure | null>(null);
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async start(): Promise<void> {
    // Listening first: a snapshot sent between the question and the answer is not lost.
    await this.#backend.onSnapshot((snapshot) => this.#show(snapshot));
    try {
      const first = await this.#backend.snapshot();
      if (!this.snapshot) this.#show(first);
    } catch (thrown) {
      this.refused = failureOf(thrown);
    }
  }

  act(action: Action): Promise<void> {
    return this.#ask(() => this.#backend.act(action));
  }

  openFolder(): Promise<void> {
    return this.#ask(() => this.#backend.openFolder());
  }

  dismiss(): void {
    this.refused = null;
  }

  async #ask(command: () => Promise<void>): Promise<void> {
    this.refused = null;
    try {
      await command();
    } catch (thrown) {
      this.refused = failureOf(thrown);
    }
  }

  #show(snapshot: Snapshot): void {
    this.history.record(Math.floor(Date.now() / 1000), snapshot);
    this.snapshot = snapshot;
  }
}
