// The first run: a few questions, each with an answer that is fine already, and nothing done before the last button.
import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import en from "../src/i18n/en.json";
import { WELCOMES } from "../src/ipc/mock";
import { BRAND, SETTINGS } from "../src/ipc/mock/brand";
import { SNAPSHOTS } from "../src/ipc/mock/snapshots";
import { I18n } from "../src/i18n/i18n.svelte";
import { summaryLine } from "../src/view/summary";
import { isFirstRun, welcomeSteps } from "../src/view/welcome";
import { pseudo } from "./pseudo";
import { open, settled } from "./window";

beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-11-20T12:00:00Z") }));
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const click = async (testid: string) => {
  await fireEvent.click(screen.getByTestId(testid));
  await settled();
};
const step = () => screen.getByTestId("welcome").dataset["step"];

test("the proposed answers are saved and the install begins with the last button, not before", async () => {
  const act = vi.fn(async () => {});
  const saveSettings = vi.fn(async () => {});
  await open("welcome", { backend: { act, saveSettings } });
  for (const expected of ["language", "folder", "sharing"]) {
    expect(step()).toBe(expected);
    await click("welcome-next");
  }
  expect(step()).toBe("account");
  expect(act).not.toHaveBeenCalled();
  expect(saveSettings).not.toHaveBeenCalled();
  await click("welcome-finish");
  expect(saveSettings).toHaveBeenCalledExactlyOnceWith({ ...SETTINGS, welcomed: true });
  expect(act).toHaveBeenCalledExactlyOnceWith("install");
  expect(screen.queryByTestId("welcome")).toBeNull();
});

test("one click takes all the usual answers", async () => {
  const act = vi.fn(async () => {});
  await open("welcome", { backend: { act } });
  await click("welcome-skip");
  expect(act).toHaveBeenCalledExactlyOnceWith("install");
});

test("a copy that was found is taken over, and said so on the button", async () => {
  const saveSettings = vi.fn(async () => {});
  await open("welcome_copy", { backend: { saveSettings } });
  await click("welcome-next");
  expect(screen.getByTestId("folder-found").dataset["holds"]).toBe("copy");
  await click("welcome-next");
  expect(saveSettings).toHaveBeenLastCalledWith(expect.objectContaining({ dir: "/mnt/games/Lanternfall", import: true }));
  await click("welcome-next");
  expect(screen.getByTestId("welcome-finish").textContent?.trim()).toBe(en["welcome.finish_import"]);
});

test("a folder that is refused keeps the player at the question, with the reason", async () => {
  const lookAtFolder = () => Promise.reject({ code: "FOLDER_REFUSED", message: "home", can_retry: false });
  await open("welcome", { backend: { lookAtFolder } });
  await click("welcome-next");
  expect(screen.getByTestId("failure").dataset["code"]).toBe("FOLDER_REFUSED");
  expect(screen.getByTestId("welcome-next").hasAttribute("disabled")).toBe(true);
});

test("too little room is an alarm, not an obstacle", async () => {
  await open("welcome_tight");
  await click("welcome-next");
  expect(screen.getByTestId("folder-found").querySelector("[role=alert]")?.textContent?.replace(/\s+/g, " ")).toContain("only 3.1 GB are free");
});

test("never, then no cap is asked for; three choices, and none that goes on after the download", async () => {
  const saveSettings = vi.fn(async () => {});
  await open("welcome", { backend: { saveSettings } });
  await click("welcome-next");
  await click("welcome-next");
  expect(screen.getByTestId("welcome-limit-up")).toBeTruthy();
  expect(screen.queryByTestId("sharing-while_open")).toBeNull();
  await click("sharing-off");
  expect(saveSettings).toHaveBeenLastCalledWith(expect.objectContaining({ sharing: "off" }));
  expect(screen.queryByTestId("welcome-limit-up")).toBeNull();
});

test("whoever has a game, or answered once, is not asked", () => {
  const fresh = { ...SETTINGS, welcomed: false };
  expect(isFirstRun(fresh, SNAPSHOTS.not_installed!)).toBe(true);
  expect(isFirstRun(fresh, SNAPSHOTS.ready!)).toBe(false);
  expect(isFirstRun(fresh, SNAPSHOTS.starting!)).toBe(false);
  expect(isFirstRun(SETTINGS, SNAPSHOTS.not_installed!)).toBe(false);
  expect(welcomeSteps({ ...BRAND, sign_in: false })).not.toContain("account");
});

test.each(Object.keys(WELCOMES))("%s shows no words that no catalog holds", async (name) => {
  await open(name, { language: "pseudo", catalogs: { en, pseudo: pseudo(en) } });
  for (let more = true; more; ) {
    for (const element of document.querySelectorAll("p, b, h1, h3, button")) {
      const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent?.trim() ?? "");
      for (const text of own) if (/[a-z]{3}/i.test(text)) expect(JSON.stringify([WELCOMES, BRAND]).includes(text) || /⟦|⟧/.test(text), text).toBe(true);
    }
    more = screen.queryByTestId("welcome-next") !== null;
    if (more) await click("welcome-next");
  }
});

test("the summary says from whom, in whole percents that make a hundred, and nothing of nobody", () => {
  const i18n = new I18n("en");
  const line = summaryLine(SNAPSHOTS.updated!.summary!, i18n).replace(/\s/g, " ");
  expect(line).toBe("Version 1.4.0 is here: 412 MB in 0:47 · 71% from players · 24% from your network · 5% from the server · you passed on 180 MB");
  const none = { version: "2", downloaded: { origin: 0, players: 0, lan: 0 }, uploaded_bytes: 0, seconds: 3 };
  expect(summaryLine(none, i18n)).toBe("Version 2 is here. Nothing had to be downloaded.");
});
