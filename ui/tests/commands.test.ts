// What a person does, and what then leaves the window.
import { cleanup, fireEvent, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Settings, Snapshot } from "../src/ipc/bindings";
import { SNAPSHOTS } from "../src/ipc/mock/snapshots";
import { LATCH_MS } from "../src/state/latch.svelte";
import { open, settled } from "./window";

beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-11-20T12:00:00Z") }));
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const click = (testid: string) => fireEvent.click(screen.getByTestId(testid));
const label = () => screen.getByTestId("primary").querySelector(".label")?.textContent;

test("a double click is one command, and the label holds still under the finger", async () => {
  const act = vi.fn(async () => {});
  let show: (snapshot: Snapshot) => void = () => {};
  const onSnapshot = async (listener: typeof show) => {
    show = listener;
    return () => {};
  };
  await open("not_installed", { backend: { act, onSnapshot } });
  await click("primary");
  show(SNAPSHOTS.downloading!);
  await settled();
  expect(label()).toBe("Install");
  await click("primary");
  expect(act).toHaveBeenCalledExactlyOnceWith("install");
  await vi.advanceTimersByTimeAsync(LATCH_MS);
  expect(label()).toBe("Pause");
  await click("primary");
  expect(act).toHaveBeenLastCalledWith("pause");
});

test("a refused command is said, with its code, and can be put away", async () => {
  const act = vi.fn(() => Promise.reject({ code: "BUSY", message: "locked by 4711", can_retry: true }));
  await open("ready", { backend: { act } });
  await click("primary");
  await settled();
  expect(screen.getByTestId("failure").dataset["code"]).toBe("BUSY");
  await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(screen.queryByTestId("failure")).toBeNull();
});

test("forcing the game to quit asks first", async () => {
  const act = vi.fn(async () => {});
  await open("running", { backend: { act } });
  await click("secondary");
  await settled();
  expect(act).not.toHaveBeenCalled();
  await click("confirm-action");
  expect(act).toHaveBeenCalledExactlyOnceWith("stop_game");
});

test("a game that left something running is ended or believed to be closed", async () => {
  const act = vi.fn(async () => {});
  await open("still_running", { backend: { act } });
  await click("secondary");
  await settled();
  expect(screen.getByRole("dialog").textContent).toContain("crash-reporter (4744)");
  await click("confirm-other");
  expect(act).toHaveBeenCalledExactlyOnceWith("not_running");
});

test("a crash is said with its code and, on wish, the game's last words", async () => {
  await open("crashed");
  expect(screen.getByTestId("crash").dataset["code"]).toBe("GAME_CRASHED");
  expect(screen.getByTestId("crash-words").textContent).toContain("a pipeline could not be made");
});

test("the game's folder is one entry of the menu, and a refusal is said", async () => {
  const openFolder = vi.fn(() => Promise.reject({ code: "FOLDER_MISSING", message: "gone", can_retry: false }));
  await open("ready", { backend: { openFolder } });
  await fireEvent.keyDown(screen.getByTestId("gear"), { key: "ArrowDown" });
  await settled();
  await fireEvent.keyDown(screen.getByTestId("gear-folder"), { key: "Enter" });
  await settled();
  expect(openFolder).toHaveBeenCalledExactlyOnceWith();
  expect(screen.getByTestId("failure").dataset["code"]).toBe("FOLDER_MISSING");
});

test("upload can be stopped where it is shown", async () => {
  const act = vi.fn(async () => {});
  await open("sharing", { backend: { act } });
  await click("stop-sharing");
  expect(act).toHaveBeenCalledExactlyOnceWith("stop_sharing");
});

test("an upload limit is saved in bytes per second, and said to be saved", async () => {
  const saveSettings = vi.fn(async () => {});
  const launcher = await open("ready", { backend: { saveSettings } });
  launcher.screen = "settings";
  await settled();
  await fireEvent.input(screen.getByTestId("limit-up"), { target: { value: "7,5" } });
  await fireEvent.change(screen.getByTestId("limit-up"));
  await settled();
  expect(saveSettings).toHaveBeenLastCalledWith(expect.objectContaining({ limit_up: 7500 }));
  await click("limit-up-unit-MB");
  await settled();
  expect(saveSettings).toHaveBeenLastCalledWith(expect.objectContaining({ limit_up: 7_500_000 }));
  await click("limit-up-unlimited");
  await settled();
  expect(saveSettings).toHaveBeenLastCalledWith(expect.objectContaining({ limit_up: null }));
  expect(screen.getByTestId("saved").textContent).toContain("Saved");
  await click("limit-up-unlimited");
  await settled();
  expect(saveSettings).toHaveBeenLastCalledWith(expect.objectContaining({ limit_up: 7_500_000 }));
});

test("hours of the week are added, changed and removed", async () => {
  const saved: Settings[] = [];
  const launcher = await open("ready", { backend: { saveSettings: async (settings) => void saved.push(settings) } });
  launcher.screen = "settings";
  await settled();
  await click("schedule-add");
  await settled();
  expect(saved.at(-1)?.schedule).toHaveLength(1);
  await click("schedule-0-day-6");
  await settled();
  await fireEvent.change(screen.getByTestId("schedule-0-to"), { target: { value: "06:30" } });
  await settled();
  await click("schedule-0-sharing");
  await settled();
  expect(saved.at(-1)?.schedule[0]).toMatchObject({ days: [true, true, true, true, true, true, false], from_minute: 1080, to_minute: 390, sharing: true });
  expect(screen.getByTestId("schedule-0").textContent).toContain("until the next day");
  await click("schedule-0-remove");
  await settled();
  expect(saved.at(-1)?.schedule).toEqual([]);
});

test.each([
  ["paused", "while the download is paused"],
  ["sharing_budget", "is used up"],
  ["sharing_schedule", "at this hour"],
  ["running", "while you play"],
])("%s says why nothing is shared, not that sharing is ready", async (state, words) => {
  await open(state);
  expect(screen.getByTestId("upload").textContent).toContain(words);
  expect(screen.queryByTestId("stop-sharing")).toBeNull();
});

test("nonsense is not saved", async () => {
  const saveSettings = vi.fn(async () => {});
  const launcher = await open("ready", { backend: { saveSettings } });
  launcher.screen = "settings";
  await settled();
  await fireEvent.input(screen.getByTestId("limit-up"), { target: { value: "fast" } });
  await fireEvent.change(screen.getByTestId("limit-up"));
  await settled();
  expect(saveSettings).not.toHaveBeenCalled();
  expect(screen.getByRole("alert").textContent).toBe("Enter at least 5 kB/s.");
});

test("a refused setting goes back to what stands", async () => {
  const saveSettings = () => Promise.reject({ code: "SETTINGS_WRITE", message: "read-only", can_retry: true });
  const launcher = await open("ready", { backend: { saveSettings } });
  await launcher.settings.change({ limit_up: null });
  expect(launcher.settings.settings?.limit_up).toBe(300_000);
  expect(launcher.settings.refused?.code).toBe("SETTINGS_WRITE");
});

test("changes made in a hurry all stand", async () => {
  const saved: unknown[] = [];
  const launcher = await open("ready", { backend: { saveSettings: async (settings) => void saved.push(settings) } });
  await Promise.all([launcher.settings.change({ limit_up: 5000 }), launcher.settings.change({ limit_down: 6000 }), launcher.settings.change({ sharing: "off" })]);
  expect(saved.at(-1)).toMatchObject({ limit_up: 5000, limit_down: 6000, sharing: "off" });
});

test("signing in shows the way to the browser, and can be given up", async () => {
  await open("account_signed_out");
  await click("sign-in");
  await settled();
  expect(screen.getByTestId("sign-in-link").textContent).toContain("https://id.");
  await click("sign-in-cancel");
  await settled();
  expect(screen.getByTestId("sign-in").textContent).toContain("Sign in");
});

test("the language follows the setting at once", async () => {
  const launcher = await open("ready");
  await launcher.settings.change({ language: "de" });
  await settled();
  expect(label()).toBe("Spielen");
  expect(document.documentElement.lang).toBe("de");
});

test("a screen reader hears a new state and every quarter, nothing between", async () => {
  let show: (snapshot: Snapshot) => void = () => {};
  const onSnapshot = async (listener: typeof show) => {
    show = listener;
    return () => {};
  };
  await open("downloading", { backend: { onSnapshot } });
  const heard = new Set<string>();
  const snapshot = SNAPSHOTS.downloading!;
  for (let percent = 0; percent <= 100; percent += 1) {
    show({ ...snapshot, progress: { ...snapshot.progress!, percent } });
    await settled();
    heard.add(screen.getByTestId("announcer").textContent ?? "");
  }
  expect([...heard]).toEqual(["Downloading 1.4.0", ...[25, 50, 75, 100].map((quarter) => `Downloading 1.4.0, ${quarter}%`)]);
});

test("a sign-in can go on on another device: the code is shown and its address copied", async () => {
  const signInElsewhere = vi.fn(async () => {});
  await open("account_waiting", { backend: { signInElsewhere } });
  await click("sign-in");
  await settled();
  expect(screen.getByTestId("sign-in-link").textContent).toContain("https://id.lanternfall.example/auth");
  await click("sign-in-elsewhere");
  expect(signInElsewhere).toHaveBeenCalledOnce();
  cleanup();
  const cancelSignIn = vi.fn(async () => {});
  await open("account_elsewhere", { backend: { cancelSignIn } });
  await click("sign-in");
  await settled();
  expect(screen.getByTestId("sign-in-code").textContent).toBe("WDJB-MJHT");
  expect(screen.getByTestId("sign-in-address").textContent).toBe("https://id.lanternfall.example/device");
  await click("sign-in-cancel");
  expect(cancelSignIn).toHaveBeenCalledOnce();
});

test("a provider without codes offers no other device", async () => {
  await open("account_waiting_only");
  await click("sign-in");
  await settled();
  expect(screen.queryByTestId("sign-in-elsewhere")).toBeNull();
});

test.each(["account_offline", "account_locked"])("%s: the menu says why the session is not renewed, and tries again", async (fixture) => {
  const signIn = vi.fn(async () => {});
  await open(fixture, { backend: { signIn } });
  await fireEvent.keyDown(screen.getByTestId("account-menu"), { key: "ArrowDown" });
  await settled();
  expect(screen.getByTestId("account-trouble").textContent).toMatch(/You can still play\.$/);
  await fireEvent.keyDown(screen.getByTestId("account-renew"), { key: "Enter" });
  await settled();
  expect(signIn).toHaveBeenCalledOnce();
});

test.each(["account_clock", "account_clock_failed", "account_expired"])("%s is said beside the game, which can be played, and can be put away", async (fixture) => {
  const signIn = vi.fn(async () => {});
  await open(fixture, { backend: { signIn } });
  expect(screen.getByTestId("primary").hasAttribute("disabled")).toBe(false);
  await click("banner-account-action");
  expect(signIn).toHaveBeenCalledOnce();
  cleanup();
  await open(fixture);
  await fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(screen.queryByTestId("banner-account")).toBeNull();
});
