// Languages at work: how they are loaded, which way they read, and what their numbers and dates look like.
import { cleanup, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CATALOGS, localeOf } from "../src/i18n/catalogs";
import en from "../src/i18n/en.json";
import { Formatter } from "../src/i18n/format";
import { I18n } from "../src/i18n/i18n.svelte";
import { parseLimit, RATE } from "../src/view/limit";
import { open, settled, WORDS } from "./window";

afterEach(() => cleanup());

// Intl puts narrow and no-break spaces and marks of direction; a person sees a space, or nothing.
const plain = (text: string | null) => text?.replace(/[\u200e\u200f\u061c]/g, "").replace(/\s/g, " ");

describe("catalogs are loaded when they are wanted", () => {
  test.each(Object.keys(WORDS))("%s", async (language) => {
    const i18n = new I18n("en-GB", CATALOGS);
    await i18n.choose(language);
    expect(i18n.language).toBe(language);
    expect(i18n.t("button.play")).toBe(WORDS[language]!["button.play"]);
  });

  test("the system's language is followed, its region aside, and English stands in for what we do not speak", async () => {
    for (const [system, spoken] of [["fr-CA", "fr"], ["ar-EG", "ar"], ["ja", "ja"], ["pt-BR", "en"], ["C", "en"]] as const) {
      const i18n = new I18n(system);
      await i18n.choose("system");
      expect(i18n.language, system).toBe(spoken);
    }
  });

  test("who chooses twice gets the later choice, however late the first one's words come", async () => {
    let late: (words: { default: Record<string, string> }) => void = () => {};
    const i18n = new I18n("en", { en, fr: () => new Promise((resolve) => (late = resolve)), de: async () => ({ default: WORDS.de! }) });
    const first = i18n.choose("fr");
    await i18n.choose("de");
    late({ default: WORDS.fr! });
    await first;
    expect(i18n.language).toBe("de");
  });

  test("words that cannot be read leave the language that was there, and are told", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const i18n = new I18n("en", { en, fr: () => Promise.reject(new Error("gone")) });
    await i18n.choose("fr");
    expect([i18n.language, i18n.t("button.play")]).toEqual(["en", "Play"]);
    expect(told).toHaveBeenCalledOnce();
    told.mockRestore();
  });
});

describe("right to left", () => {
  beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-11-20T12:00:00Z") }));
  afterEach(() => void vi.useRealTimers());

  test("Arabic turns the window, English turns it back", async () => {
    await open("ready", { language: "ar" });
    expect([document.documentElement.dir, document.documentElement.lang]).toEqual(["rtl", "ar"]);
    cleanup();
    await open("ready", { language: "en" });
    expect([document.documentElement.dir, document.documentElement.lang]).toEqual(["ltr", "en"]);
  });

  test("what is put into a sentence keeps its own direction, and choices still choose", async () => {
    const i18n = new I18n("ar");
    await i18n.choose("ar");
    expect(i18n.t("detail.folder_missing", { dir: "/mnt/games" })).toContain("\u2068/mnt/games\u2069");
    expect(i18n.t("channel.name", { channel: "beta" })).toBe("التجريبية");
    expect(i18n.t("channel.name", { channel: "nightly" })).toBe("\u2068nightly\u2069");
    const german = new I18n("de");
    await german.choose("de");
    expect(german.t("detail.folder_missing", { dir: "/mnt/games" })).not.toContain("\u2068");
  });

  test("addresses and paths stand from left to right in a window that does not", async () => {
    const launcher = await open("downloading", { language: "ar" });
    launcher.screen = "transfer";
    await settled();
    expect(screen.getAllByTestId("peers-row").length).toBeGreaterThan(0);
    for (const row of screen.getAllByTestId("peers-row")) expect(row.querySelector("td bdi")?.getAttribute("dir")).toBe("ltr");
    launcher.screen = "settings";
    await settled();
    expect(screen.getByTestId("folder").getAttribute("dir")).toBe("ltr");
  });
});

test.each([
  [0, "لا لاعبين متصلين"],
  [1, "لاعب متصل واحد"],
  [2, "لاعبان متصلان"],
  [3, "3 لاعبين متصلين"],
  [11, "11 لاعبًا متصلًا"],
  [100, "100 لاعب متصل"],
])("%d players in Arabic", async (count, text) => {
  const i18n = new I18n("ar");
  await i18n.choose("ar");
  expect(i18n.t("transfer.peers", { count })).toBe(text);
});

describe.each([
  { language: "en", size: "4.2 GB", rate: "11.3 MB/s", percent: "51%", ago: "3 days ago", date: "Oct 1, 2026", moment: "Nov 24, 10:00 AM", count: "7,300" },
  { language: "de", size: "4,2 GB", rate: "11,3 MB/s", percent: "51 %", ago: "vor 3 Tagen", date: "1. Okt. 2026", moment: "24. Nov., 10:00", count: "7.300" },
  { language: "fr", size: "4,2 Go", rate: "11,3 Mo/s", percent: "51 %", ago: "il y a 3 jours", date: "1 oct. 2026", moment: "24 nov., 10:00", count: "7 300" },
  { language: "es", size: "4,2 GB", rate: "11,3 MB/s", percent: "51 %", ago: "hace 3 días", date: "1 oct 2026", moment: "24 nov, 10:00", count: "7300" },
  { language: "ja", size: "4.2 GB", rate: "11.3 MB/秒", percent: "51%", ago: "3 日前", date: "2026年10月1日", moment: "11月24日 10:00", count: "7,300" },
  { language: "ar", size: "4.2 غ.ب", rate: "11.3 م.ب/ث", percent: "51%", ago: "قبل 3 أيام", date: "1 أكتوبر 2026", moment: "24 نوفمبر، 10:00 ص", count: "7,300" },
])("numbers and dates in $language", ({ language, ...expected }) => {
  const format = new Formatter(localeOf(language));
  const now = new Date("2026-11-20T12:00:00Z");

  test("read as people write them", () => {
    expect({
      size: plain(format.bytes(4_200_000_000)),
      rate: plain(format.rate(11_340_000)),
      percent: plain(format.percent(51.7)),
      ago: plain(format.ago("2026-11-17T09:00:00Z", now)),
      date: plain(format.ago("2026-10-01T12:00:00Z", now)),
      moment: plain(format.moment("2026-11-24T10:00:00")),
      count: plain(format.count(7300)),
    }).toEqual(expected);
  });
});

test.each([
  ["300", 300_000],
  ["３００", 300_000],
  ["٣٠٠", 300_000],
  ["۳۰۰", 300_000],
  ["٣٠٠٫٥", 300_500],
  ["３００．５", 300_500],
])("a limit typed as %s is understood on every keyboard", (text, bytes) => {
  expect(parseLimit(text, "kB", { ...RATE, min: 1 })).toBe(bytes);
});
