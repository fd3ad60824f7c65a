// A whole window over fixtures, for tests.
import { render } from "@testing-library/svelte";
import { tick } from "svelte";
import { vi } from "vitest";
import App from "../src/App.svelte";
import { I18n, type Catalog } from "../src/i18n/i18n.svelte";
import type { Backend } from "../src/ipc/backend";
import { mockBackend } from "../src/ipc/mock";
import { Launcher } from "../src/state/launcher.svelte";

export type Options = { language?: string; catalogs?: Record<string, Catalog>; backend?: Partial<Backend> };

export async function open(fixture: string, { language = "en", catalogs, backend = {} }: Options = {}): Promise<Launcher> {
  const launcher = new Launcher({ ...mockBackend(fixture), ...backend }, new I18n(language, catalogs));
  render(App, { launcher });
  await launcher.start();
  await settled();
  return launcher;
}

/** Lets promises and effects run, without letting the mock's own clock tick. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await tick();
    await vi.advanceTimersByTimeAsync(1);
  }
}
