// Keeps what the big button says still for a moment after a click, so that a double click is one click
// and nobody presses "Pause" because "Install" turned into it under the finger. Presentation only.

export const LATCH_MS = 400;

export class Latch<T> {
  #held = $state.raw<{ value: T } | null>(null);

  /** What to show while `current` is the truth. */
  shown(current: T): T {
    return this.#held ? this.#held.value : current;
  }

  /** False when the click is the second of a pair and must do nothing. */
  press(value: T): boolean {
    if (this.#held) return false;
    this.#held = { value };
    setTimeout(() => (this.#held = null), LATCH_MS);
    return true;
  }
}
