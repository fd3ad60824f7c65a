// A whole window over fixtures, for tests.
import { render } from "@testing-library/svelte";
import { tick } from "svelte";
import { vi } from "vitest";
import App from "../src/App.svelte";
import ar from "../src/i18n/ar.json";
import de from "../src/i18n/de.json";
import en from "../src/i18n/en.json";
import es from "../src/i18n/es.json";
import fr from "../src/i18n/fr.json";
import { I18n, type Catalog } from "../src/i18n/i18n.svelte";
import ja from "../src/i18n/ja.json";
import type { Backend } from "../src/ipc/backend";
import { mockBackend } from "../src/ipc/mock";
import { Launcher } from "../src/state/launcher.svelte";

export type Options = { language?: string; catalogs?: Record<string, Catalog>; backend?: Partial<Backend> };

/** All words at hand: the ways to load them have a test of their own. */
export const WORDS: Record<string, Catalog> = { en, de, fr, es, ja, ar };

export async function open(fixture: string, { language = "en", catalogs = WORDS, backend = {} }: Options = {}): Promise<Launcher> {
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
