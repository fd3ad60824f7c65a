// The check of the network and the support report, as the settings' help section shows them.
import { failureOf, type Backend } from "../ipc/backend";
import type { Diagnosis, Failure, LinkName, ReportParts } from "../ipc/bindings";

export const EVERYTHING: ReportParts = { game: true, settings: true, network: true, log: true };

export class HelpState {
  diagnosis = $state.raw<Diagnosis | null>(null);
  checking = $state(false);
  /** The report as it would be saved. */
  report = $state<string | null>(null);
  parts = $state.raw<ReportParts>(EVERYTHING);
  saved = $state(false);
  refused = $state.raw<Failure | null>(null);
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async check(): Promise<void> {
    if (this.checking) return;
    this.checking = true;
    await this.#try(async () => (this.diagnosis = await this.#backend.checkNetwork()));
    this.checking = false;
  }

  /** Makes the report anew, with other parts in it. */
  async make(parts: ReportParts): Promise<void> {
    this.parts = parts;
    this.saved = false;
    await this.#try(async () => (this.report = await this.#backend.supportReport(parts)));
  }

  async save(): Promise<void> {
    await this.#try(async () => (this.saved = await this.#backend.saveReport()));
  }

  async openLogs(): Promise<void> {
    await this.#try(() => this.#backend.openLogs());
  }

  async openLink(name: LinkName): Promise<void> {
    await this.#try(() => this.#backend.openLink(name));
  }

  async #try(step: () => Promise<unknown>): Promise<void> {
    this.refused = null;
    try {
      await step();
    } catch (thrown) {
      this.refused = failureOf(thrown);
    }
  }
}
