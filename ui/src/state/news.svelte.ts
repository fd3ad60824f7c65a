// The news as last fetched.
import { failureOf, type Backend } from "../ipc/backend";
import type { News } from "../ipc/bindings";

export class NewsState {
  news = $state.raw<News>({ state: "loading", fetched: null, cards: [], failure: null });
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async start(): Promise<void> {
    await this.#backend.onNews((news) => (this.news = news));
    try {
      this.news = await this.#backend.news();
    } catch (thrown) {
      this.news = { state: "unavailable", fetched: null, cards: [], failure: failureOf(thrown) };
    }
  }

  /** A link that would not open is no reason to disturb anybody's news; the refusal goes to the caller. */
  open(id: string): Promise<void> {
    return this.#backend.openNews(id);
  }
}
