// The rates of the last five minutes, as the snapshots told them, one sample a second for the graph.
import type { Snapshot } from "../ipc/bindings";

export const HISTORY_SECONDS = 300;

export type Sample = { at: number; origin: number; players: number; lan: number; up: number };

export class RateHistory {
  readonly #samples: Sample[] = [];

  /** `at` in whole seconds; the last snapshot of a second wins. */
  record(at: number, { rates }: Snapshot): void {
    const sample = { at, origin: rates.origin, players: rates.players, lan: rates.lan, up: rates.up };
    if (this.#samples.at(-1)?.at === at) this.#samples.pop();
    this.#samples.push(sample);
    while (this.#samples[0] && this.#samples[0].at <= at - HISTORY_SECONDS) this.#samples.shift();
  }

  samples(): readonly Sample[] {
    return this.#samples;
  }
}
