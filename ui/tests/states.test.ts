// Every state of the window, rendered whole.
import { cleanup, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import en from "../src/i18n/en.json";
import { FIXTURES } from "../src/ipc/mock";
import { BRAND, SETTINGS } from "../src/ipc/mock/brand";
import type { Screen } from "../src/state/launcher.svelte";
import { pseudo, pseudoRightToLeft } from "./pseudo";
import { open, settled, WORDS } from "./window";

beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-11-20T12:00:00Z") }));
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const names = Object.keys(FIXTURES);

/** English, and by turns one of the others: all of them meet every kind of state. */
const others = Object.keys(WORDS).filter((language) => language !== "en");

test.each(names.map((name, at) => [name, others[at % others.length]!]))("%s shows the label of its snapshot, in English and in %s", async (name, other) => {
  const { primary, phase, progress } = FIXTURES[name]!.snapshot;
  for (const language of ["en", other]) {
    await open(name, { language });
    const button = screen.getByTestId("primary");
    expect(button.querySelector(".label")?.textContent).toBe(WORDS[language]![`button.${primary.label}`]);
    expect(button.hasAttribute("disabled")).toBe(!primary.enabled);
    expect(screen.getByTestId("phase").dataset["phase"]).toBe(phase.kind);
    if (progress) expect(screen.getByTestId("progress").getAttribute("value")).toBe(String(progress.percent));
    cleanup();
  }
});

/** CLDR's names for made-up languages: accents, and right to left. */
const PSEUDO = [
  ["en-XA", pseudo(en), "ltr"],
  ["ar-XB", pseudoRightToLeft(en), "rtl"],
] as const;

test.each(names.flatMap((name) => PSEUDO.map((made) => [name, ...made] as const)))("%s shows no words that no catalog holds, in %s", async (name, language, words, direction) => {
  const launcher = await open(name, { language, catalogs: { en, [language]: words } });
  expect(document.documentElement.dir).toBe(direction);
  expect(document.documentElement.lang).toBe(language);
  // Words of the publisher, the player and the machine; all of them are data.
  const data = JSON.stringify([FIXTURES[name], BRAND, SETTINGS]);
  for (const view of ["game", "transfer", "settings"] satisfies Screen[]) {
    launcher.screen = view;
    await settled();
    for (const text of untranslated(document.body)) expect(data, `"${text}" on ${view}`).toContain(text);
  }
});

test("numbers reach the strip as a person reads them", async () => {
  await open("downloading");
  expect(screen.getByTestId("details").textContent?.replace(/\s/g, " ")).toBe("2.6 GB of 4.2 GB · 11.4 MB/s");
  expect(screen.getByTestId("primary").textContent?.replace(/\s/g, " ")).toContain("about 2 min");
  expect(screen.getByTestId("source-players").textContent).toContain("51%");
});

test("an unknown error code falls back to the message that came with it", async () => {
  await open("failed_unknown");
  expect(screen.getByTestId("failure").textContent).toContain("The moon was in the way.");
  expect(screen.getByTestId("failure").textContent).toContain("BRAND_NEW");
});

test("news that cannot be had are said, news that do not exist are not", async () => {
  await open("news_unavailable");
  expect(screen.getByTestId("news").textContent).toContain("cannot be reached");
  cleanup();
  await open("news_no_feed");
  expect(screen.queryByTestId("news")).toBeNull();
});

test("the news of the last time stand while newer ones are fetched", async () => {
  const { cards } = FIXTURES["news_fresh"]!.news;
  await open("ready", { backend: { news: async () => ({ state: "loading", fetched: null, cards, failure: null }) } });
  expect(screen.getAllByTestId("news-card")).toHaveLength(cards.length);
});

test("a game with changed files is not called ready, and repair stands on one button", async () => {
  await open("repair_offered");
  expect(screen.getByTestId("phase").textContent).toContain("need repair");
  expect(screen.getByTestId("banner-repair")).toBeTruthy();
  expect(screen.queryByTestId("banner-repair-action")).toBeNull();
  expect(screen.getByTestId("primary").dataset["action"]).toBe("repair");
});

test("text from outside stays text", async () => {
  const title = "<img src=x onerror=alert(1)><b>bold</b>";
  const card = { id: "x", title, summary: title, published: null, image: "https://elsewhere.example/x.png", link: false };
  await open("ready", { backend: { news: async () => ({ state: "fresh", fetched: null, cards: [card], failure: null }) } });
  const shown = screen.getByTestId("news-card");
  expect(shown.querySelector("h3")?.textContent).toBe(title);
  expect(shown.querySelector("img, b")).toBeNull();
});

/** Words a person would see or hear that did not pass through the pseudo catalog. */
function untranslated(root: Element): string[] {
  const heard = [...root.querySelectorAll("[aria-label], [title]")].flatMap((element) => [element.getAttribute("aria-label"), element.getAttribute("title")]);
  const seen: (string | null)[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) => (node.parentElement?.tagName === "STYLE" ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
  while (walker.nextNode()) seen.push(walker.currentNode.textContent);
  return [...heard, ...seen]
    .flatMap((text) => unbracketed(text ?? "").split(/ · |\n/))
    .map((part) => part.trim())
    .filter((part) => /\p{L}{2,}/u.test(part) && !FORMATTED.some((pattern) => pattern.test(part)));
}

/** Made by Intl, not by us. */
const FORMATTED = [/^[\p{Script=Arabic}\d\s.,/٪%\u200e\u200f\u061c]+$/u, /^[\d.,]+\s(kB|MB|GB)(\/s)?$/, / ago$/, /^yesterday$/, /^\w{3} \d+, \d{4}$/];

/** Messages may stand inside messages, so the innermost go first. */
function unbracketed(text: string): string {
  const less = text.replace(/⟦[^⟦⟧]*⟧/g, " · ");
  return less === text ? text : unbracketed(less);
}
