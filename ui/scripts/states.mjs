// The check of every state, in the built UI and a real browser, under the window's own policy:
//   npm run build && npm run states [-- --only NAME,…] [--all]
// For each state, in English in the dark brand and in Arabic (from right to left) in the light one, with --all in all four ways: nothing that axe finds fault with (WCAG 2.2 A and AA); every control reached by the keyboard alone, with a focus that
// can be seen and a name that can be read; nothing wider than the window at its smallest and at text of twice the size; no complaint of
// the browser's. Then the walk from the first run to Play by keys alone, and how long the page holds the thread while progress runs.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { preview } from "vite";
import { BROWSER, SHOTS, STANDS, show } from "./shots.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** The smallest window, and the usual one with text of twice the size. */
const SIZES = [
  { width: 900, height: 560 },
  { width: 560, height: 340 },
];
/** More stops than any screen has: whoever needs them runs in circles. */
const STOPS_MAX = 120;
/** A task that holds the thread longer is felt, in milliseconds. */
const TASK_MAX = 50;
/** How long progress is watched, in milliseconds. */
const WATCHED = 4000;

const { values } = parseArgs({ options: { only: { type: "string" }, all: { type: "boolean", default: false }, chromium: { type: "string", default: "/usr/bin/chromium" } } });
const only = values.only?.split(",");
const shots = SHOTS.filter(({ name }) => !only || only.includes(name));
const server = await preview({ preview: { port: 0 }, logLevel: "warn" });
const url = server.resolvedUrls.local[0];
const browser = await chromium.launch({ executablePath: values.chromium, args: BROWSER });
const faults = [];
let [rules, stops] = [0, 0];

for (const shot of shots) {
  await check(shot, "en", "");
  await check(shot, "ar", "tidewrack");
  if (!values.all) continue;
  await check(shot, "en", "tidewrack");
  await check(shot, "ar", "");
}
if (!only) {
  await walk();
  console.log(`longest task while progress runs: ${await longestTask()} ms (at most ${TASK_MAX})`);
}
await browser.close();
await server.close();
console.log(`states: ${shots.length}, in two languages and two brands; axe rules passed: ${rules}; keyboard stops: ${stops}; faults: ${faults.length}`);
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;

function contextOf(name, viewport, locale = "en") {
  return browser.newContext({ viewport, locale, timezoneId: "UTC", reducedMotion: "reduce", bypassCSP: true }).then((context) => {
    context.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(`${name}: ${message.text()}`));
    context.on("weberror", (error) => faults.push(`${name}: ${error.error().message}`));
    return context;
  });
}

/** A state in one language; the way of the keyboard is the same in all. */
async function check(shot, language, brand) {
  const name = `${shot.name} (${[language, brand].filter(Boolean).join(", ")})`;
  const context = await contextOf(name, { width: 1120, height: 680 }, language);
  const page = await show(context, url, shot, brand);
  await accessible(name, page);
  if (language === "en" && brand === "") await reachable(name, page);
  // An open list keeps the place it was opened at.
  if ((await page.locator("[role=listbox]").count()) > 0) await page.keyboard.press("Escape");
  for (const size of SIZES) {
    await page.setViewportSize(size);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) faults.push(`${name}: ${wide} px wider than a window of ${size.width}`);
  }
  await context.close();
}

async function accessible(name, page) {
  await page.addScriptTag({ path: AXE });
  const running = page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), RULES);
  // Its own pauses are timers, and the page's clock stands still.
  const ticking = setInterval(() => void page.clock.runFor(50).catch(() => {}), 20);
  const found = await running.finally(() => clearInterval(ticking));
  rules += found.passes.length;
  for (const { id, help, nodes } of found.violations) faults.push(`${name}: axe ${id}: ${help}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

/** Tab from control to control until it begins again: all of them, each with a ring. */
async function reachable(name, page) {
  // A list of choices is walked by the arrow keys and put away by Tab; what lies below it has a state of its own.
  if ((await page.locator("[role=listbox]").count()) > 0) return;
  const seen = new Set();
  let [first, last] = [undefined, undefined];
  for (let stop = 0; stop < STOPS_MAX; stop += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(focused);
    // Past the last control comes the document itself, and then the first.
    if (at === null) continue;
    first ??= at.key;
    if (stop > 0 && at.key === first && last !== first) break;
    last = at.key;
    // A field for a time has a stop for each of its parts.
    if (seen.has(at.key)) continue;
    seen.add(at.key);
    stops += 1;
    if (!at.ring) faults.push(`${name}: no focus to be seen on ${at.key}`);
  }
  for (const missed of await page.evaluate(controls, [...seen])) faults.push(`${name}: the keyboard does not reach ${missed}`);
}

/** What has the focus, by a name of its own, and whether that can be seen. */
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  element.dataset.stop ??= String(document.querySelectorAll("[data-stop]").length);
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
  const ring = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  const name = element.dataset.testid ?? element.getAttribute("aria-label") ?? element.textContent?.trim().slice(0, 40);
  return { key: `${element.dataset.stop} ${element.tagName.toLowerCase()} ${name}`, ring };
}

/** Controls that were never stopped at. Of a group that the arrow keys walk through, one stop is all. */
function controls(seen) {
  const stopped = new Set(seen.map((key) => key.split(" ")[0]));
  const modal = document.querySelector("[role=dialog], [role=menu]");
  const inside = (element) => (modal ? modal.contains(element) : true);
  const grouped = (element) => {
    const group = element.closest("[role=radiogroup], [role=tablist], [role=menu], [role=listbox]");
    return group !== null && [...group.querySelectorAll("[data-stop]")].length > 0;
  };
  const all = [...document.querySelectorAll("button, input, select, a[href], [tabindex='0']")];
  const missed = all.filter((element) => !element.disabled && element.checkVisibility({ visibilityProperty: true }) && inside(element) && !stopped.has(element.dataset.stop) && !grouped(element) && !element.closest("[aria-hidden=true], [inert]"));
  return missed.map((element) => `${element.tagName.toLowerCase()} ${element.dataset.testid ?? element.textContent?.trim().slice(0, 40)}`);
}

/** From the first run to Play without a pointer: the proposed answers, the install, and the button that has it all. */
async function walk() {
  const context = await contextOf("walk", { width: 1120, height: 680 });
  const page = await context.newPage();
  await page.goto(`${url}?fixture=welcome`);
  await page.locator(STANDS).first().waitFor();
  for (const step of ["folder", "sharing", "account"]) {
    await press(page, "welcome-next");
    await page.locator(`[data-testid=welcome][data-step=${step}]`).waitFor();
  }
  await press(page, "welcome-finish");
  await page.locator("[data-testid=primary][data-action=pause]").waitFor();
  await context.close();
  const ready = await contextOf("walk", { width: 1120, height: 680 });
  const other = await ready.newPage();
  await other.goto(`${url}?fixture=ready`);
  await press(other, "primary");
  await other.locator("[data-testid=phase][data-phase=running]").waitFor();
  await ready.close();
}

async function press(page, testid) {
  for (let stop = 0; stop < STOPS_MAX; stop += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement?.dataset.testid === wanted, testid)) return page.keyboard.press("Enter");
  }
  faults.push(`walk: the keyboard does not come to ${testid}`);
  throw new Error(faults.at(-1));
}

/** The longest task of the page's thread while a download tells its progress as often as it ever does, on the screen with the most to draw. */
async function longestTask() {
  const context = await contextOf("progress", { width: 1120, height: 680 });
  const page = await context.newPage();
  await page.goto(`${url}?fixture=downloading&every=200`);
  await page.getByTestId("nav-transfer").click();
  await page.waitForTimeout(1000);
  const longest = await page.evaluate(async (watched) => {
    const tasks = [];
    const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration)));
    observer.observe({ type: "longtask" });
    await new Promise((done) => setTimeout(done, watched));
    observer.disconnect();
    return Math.max(0, ...tasks);
  }, WATCHED);
  await context.close();
  if (longest > TASK_MAX) faults.push(`progress: a task of ${Math.round(longest)} ms`);
  return Math.round(longest);
}
