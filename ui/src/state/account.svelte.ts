// Who is signed in. The sign-in itself happens in the system browser; here is only what came of it.
import { failureOf, type Backend } from "../ipc/backend";
import type { Account } from "../ipc/bindings";

export class AccountState {
  account = $state.raw<Account>({ state: "signed_out" });
  /** Whether the dialog of a sign-in stands open. */
  dialog = $state(false);
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async start(): Promise<void> {
    await this.#backend.onAccount((account) => (this.account = account));
    await this.#try(async () => {
      this.account = await this.#backend.account();
    });
  }

  signIn(): Promise<void> {
    return this.#try(() => this.#backend.signIn());
  }

  signInElsewhere(): Promise<void> {
    return this.#try(() => this.#backend.signInElsewhere());
  }

  cancel(): Promise<void> {
    return this.#try(() => this.#backend.cancelSignIn());
  }

  signOut(): Promise<void> {
    return this.#try(() => this.#backend.signOut());
  }

  async #try(command: () => Promise<void>): Promise<void> {
    try {
      await command();
    } catch (thrown) {
      this.account = { state: "failed", failure: failureOf(thrown) };
    }
  }
}
