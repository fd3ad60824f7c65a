// The help section: a check told in words, and a report that is read before it is saved.
import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Backend } from "../src/ipc/backend";
import { mockBackend } from "../src/ipc/mock";
import { I18n } from "../src/i18n/i18n.svelte";
import { HelpState } from "../src/state/help.svelte";
import { findingLine } from "../src/view/findings";
import { DIAGNOSES } from "../src/ipc/mock/help";
import { open, settled, WORDS } from "./window";

beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-11-20T12:00:00Z") }));
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

async function settings(fixture: string): Promise<void> {
  await open(fixture);
  await fireEvent.click(screen.getByTestId("nav-settings"));
  await settled();
}

test("what a check finds is a line each, with what to do about it", async () => {
  await settings("offline");
  expect(screen.queryByTestId("diagnosis")).toBeNull();
  await fireEvent.click(screen.getByTestId("check-network"));
  await settled();
  const found = screen.getByTestId("diagnosis");
  expect(found.dataset.verdict).toBe("bad");
  const lines = screen.getAllByTestId("finding");
  expect(lines).toHaveLength(DIAGNOSES.bad.findings.length);
  const portal = lines.find(({ dataset }) => dataset.code === "ORIGIN_PORTAL")!;
  expect(portal.textContent).toContain(WORDS.en!["advice.ORIGIN_PORTAL"]);
});

test("every finding has words in every language, whatever its figure", async () => {
  const codes = Object.keys(WORDS.en!).filter((key) => key.startsWith("finding."));
  expect(codes.length).toBeGreaterThan(30);
  for (const [language, words] of Object.entries(WORDS)) {
    const i18n = new I18n("en", WORDS as never);
    for (const key of codes) expect(words[key], `${language} ${key}`).toBeTruthy();
    expect(i18n.language).toBe("en");
  }
  const i18n = new I18n("en");
  const [clock] = DIAGNOSES.bad.findings.filter(({ check }) => check === "clock");
  expect(findingLine(clock!, i18n).words).toBe("Your clock is behind by 24:00:00.");
});

test("a report is shown whole, made anew without what is left out, and saved as it was shown", async () => {
  await settings("ready");
  await fireEvent.click(screen.getByTestId("report-show"));
  await settled();
  const report = screen.getByTestId("report") as HTMLTextAreaElement;
  expect(report.value).toContain("== log ==");
  await fireEvent.click(screen.getByTestId("part-log"));
  await settled();
  expect(report.value).not.toContain("== log ==");
  await fireEvent.click(screen.getByTestId("report-save"));
  await settled();
  expect(screen.getByTestId("report-save").textContent).toContain(WORDS.en!["help.report_saved"]);
});

test("two checks at once are one, and a refusal is told", async () => {
  let answer: () => void = () => {};
  const checkNetwork = vi.fn<Backend["checkNetwork"]>(() => new Promise((resolve) => (answer = () => resolve(DIAGNOSES.good))));
  const help = new HelpState({ ...mockBackend(null), checkNetwork, supportReport: () => Promise.reject({ code: "REPORT_FAILED", message: "no", can_retry: true }) });
  const first = help.check();
  await help.check();
  answer();
  await first;
  expect(checkNetwork).toHaveBeenCalledOnce();
  expect([help.checking, help.diagnosis?.verdict]).toEqual([false, "note"]);
  await help.make(help.parts);
  expect(help.refused?.code).toBe("REPORT_FAILED");
});
