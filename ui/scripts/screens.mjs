// Pictures of every state, from the built UI in a real browser under the window's own policy:
//   npm run build && npm run screens -- --out DIR [--only NAME,…] [--size 1120x680] [--scale 1] [--lang de]
// Anything the browser complains about (policy, script error, missing file) fails the run.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { preview } from "vite";

const STATES = [
  "starting", "not_installed", "checking", "checking_first", "update_available", "downloading", "sets_required", "sets_playable", "sets_paused", "sets_running", "sets_rest", "paused", "paused_game", "paused_space", "verifying", "repairing",
  "applying", "ready", "sharing", "sharing_stopped", "sharing_budget", "sharing_schedule", "running", "offline", "offline_none", "needs_space", "blocked", "folder_missing", "failed", "failed_unknown",
  "repair_offered", "preloading", "preloaded", "unlocking", "read_only", "warned", "crashed", "account_signed_out", "account_signed_in_memory", "news_empty", "news_loading", "news_offline_copy", "news_unavailable",
];

const click = (id) => (page) => page.getByTestId(id).click();
const to = (id) => (page) => page.locator(`#${id}`).evaluate((element) => element.scrollIntoView());
/** Name of the picture: its state, and what to do first. */
const SHOTS = [
  ...STATES.map((state) => ({ name: state, state })),
  { name: "account_waiting", state: "account_waiting", steps: [click("sign-in")] },
  { name: "account_failed", state: "account_failed", steps: [click("sign-in")] },
  { name: "menu_gear", state: "ready", steps: [click("gear")] },
  { name: "menu_account", state: "account_signed_in_memory", steps: [click("account-menu")] },
  { name: "confirm_uninstall", state: "ready", steps: [click("gear"), click("gear-uninstall")] },
  { name: "confirm_stop_game", state: "running", steps: [click("secondary")] },
  { name: "transfer", state: "downloading", steps: [fiveMinutes, click("nav-transfer")] },
  { name: "transfer_bottom", state: "downloading", steps: [fiveMinutes, click("nav-transfer"), bottom] },
  { name: "transfer_sharing", state: "sharing", steps: [fiveMinutes, click("nav-transfer")] },
  { name: "transfer_idle", state: "ready", steps: [click("nav-transfer")] },
  { name: "settings", state: "ready", steps: [click("nav-settings")] },
  { name: "settings_hours", state: "ready", steps: [click("nav-settings"), click("schedule-add"), to("settings-schedule")] },
  { name: "settings_sharing", state: "ready", steps: [click("nav-settings"), click("month-upload-unlimited"), to("settings-sharing")] },
  { name: "settings_bottom", state: "ready", steps: [click("nav-settings"), bottom] },
  { name: "settings_saved", state: "ready", steps: [click("nav-settings"), click("limit-up-unlimited")] },
  { name: "settings_select", state: "ready", steps: [click("nav-settings"), click("language")] },
];

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    only: { type: "string" },
    size: { type: "string", default: "1120x680" },
    scale: { type: "string", default: "1" },
    lang: { type: "string", default: "en" },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});
if (!values.out) throw new Error("--out DIR is needed");
const [width, height] = values.size.split("x").map(Number);
const only = values.only?.split(",");
await mkdir(values.out, { recursive: true });

const server = await preview({ preview: { port: 0 }, logLevel: "warn" });
const url = server.resolvedUrls.local[0];
const browser = await chromium.launch({
  executablePath: values.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [];
for (const shot of SHOTS.filter(({ name }) => !only || only.includes(name))) await take(shot);
await browser.close();
await server.close();
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;

async function take({ name, state, steps = [] }) {
  const scale = Number(values.scale);
  const context = await browser.newContext({
    viewport: { width: Math.round(width / scale), height: Math.round(height / scale) },
    deviceScaleFactor: scale,
    locale: values.lang,
    timezoneId: "UTC",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(`${name}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`${name}: ${error.message}`));
  // As the real window does; a library that cannot live with it would fail only there.
  await page.addInitScript(() => Object.freeze(Object.prototype));
  await page.clock.install({ time: new Date("2026-11-20T12:00:00Z") });
  await page.goto(`${url}?fixture=${state}`);
  await page.getByTestId("primary").waitFor();
  for (const step of steps) await step(page);
  await page.clock.runFor(1000);
  await page.waitForLoadState("networkidle");
  await page.waitForTimeout(150);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  if (wide) complaints.push(`${name}: wider than the window`);
  await page.screenshot({ path: join(values.out, `${name}.png`) });
  await context.close();
}

async function fiveMinutes(page) {
  await page.clock.runFor(300_000);
}

async function bottom(page) {
  await page.locator(".window-screen").evaluate((screen) => screen.scrollTo(0, screen.scrollHeight));
}
