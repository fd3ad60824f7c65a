// Every state of the window, and how to reach it: what the pictures and the check of the states go through.
export const STATES = [
  "starting", "not_installed", "checking", "checking_first", "update_available", "downloading", "sets_required", "sets_playable", "sets_paused", "sets_running", "sets_rest", "paused", "paused_game", "paused_space", "paused_metered", "paused_metered_waits", "paused_schedule", "verifying", "repairing",
  "applying", "ready", "updated", "sharing", "sharing_stopped", "sharing_budget", "sharing_schedule", "running", "still_running", "offline", "offline_none", "needs_space", "blocked", "folder_missing", "failed", "failed_unknown",
  "repair_offered", "preloading", "preloaded", "unlocking", "read_only", "warned", "crashed", "ended_badly", "account_signed_out", "account_clock", "account_clock_failed", "account_expired", "account_signed_in_memory", "news_empty", "news_loading", "news_offline_copy", "news_unavailable",
];

const click = (id) => (page) => page.getByTestId(id).click();
const to = (id) => (page) => page.locator(`#${id}`).evaluate((element) => element.scrollIntoView());
const times = (count, step) => Array.from({ length: count }, () => step);
const next = click("welcome-next");

/** Name of the picture: its state, and what to do first. */
export const SHOTS = [
  ...STATES.map((state) => ({ name: state, state })),
  { name: "account_waiting", state: "account_waiting", steps: [click("sign-in")] },
  { name: "account_waiting_only", state: "account_waiting_only", steps: [click("sign-in")] },
  { name: "account_elsewhere", state: "account_elsewhere", steps: [click("sign-in")] },
  { name: "account_elsewhere_asking", state: "account_elsewhere_asking", steps: [click("sign-in")] },
  { name: "account_timeout", state: "account_timeout", steps: [click("sign-in")] },
  { name: "account_unreachable", state: "account_unreachable", steps: [click("sign-in")] },
  { name: "account_no_codes", state: "account_no_codes", steps: [click("sign-in")] },
  { name: "menu_account_offline", state: "account_offline", steps: [click("account-menu")] },
  { name: "menu_account_locked", state: "account_locked", steps: [click("account-menu")] },
  { name: "account_failed", state: "account_failed", steps: [click("sign-in")] },
  { name: "menu_gear", state: "ready", steps: [click("gear")] },
  { name: "menu_account", state: "account_signed_in_memory", steps: [click("account-menu")] },
  { name: "confirm_uninstall", state: "ready", steps: [click("gear"), click("gear-uninstall")] },
  { name: "confirm_stop_game", state: "running", steps: [click("secondary")] },
  { name: "confirm_still_running", state: "still_running", steps: [click("secondary")] },
  { name: "crash_details", state: "crashed", steps: [click("crash-details")] },
  { name: "transfer", state: "downloading", steps: [fiveMinutes, click("nav-transfer")] },
  { name: "transfer_bottom", state: "downloading", steps: [fiveMinutes, click("nav-transfer"), bottom] },
  { name: "transfer_sharing", state: "sharing", steps: [fiveMinutes, click("nav-transfer")] },
  { name: "transfer_idle", state: "ready", steps: [click("nav-transfer")] },
  { name: "settings", state: "ready", steps: [click("nav-settings")] },
  { name: "settings_hours", state: "ready", steps: [click("nav-settings"), click("schedule-add"), to("settings-schedule")] },
  { name: "settings_sharing", state: "ready", steps: [click("nav-settings"), click("month-upload-unlimited"), to("settings-sharing")] },
  { name: "settings_proxy", state: "ready", steps: [click("nav-settings"), click("proxy-address"), to("settings-network")] },
  { name: "settings_play", state: "ready", steps: [click("nav-settings"), to("settings-game")] },
  { name: "settings_bottom", state: "ready", steps: [click("nav-settings"), bottom] },
  { name: "settings_saved", state: "ready", steps: [click("nav-settings"), click("limit-up-unlimited")] },
  { name: "settings_select", state: "ready", steps: [click("nav-settings"), click("language")] },
  { name: "settings_help", state: "ready", steps: [click("nav-settings"), click("check-network"), to("settings-help")] },
  { name: "settings_help_bad", state: "offline", steps: [click("nav-settings"), click("check-network"), to("settings-help")] },
  { name: "report", state: "ready", steps: [click("nav-settings"), click("report-show")] },
  { name: "folder_dialog", state: "ready", steps: [click("nav-settings"), click("folder-pick")] },
  { name: "welcome_language", state: "welcome" },
  { name: "welcome_folder", state: "welcome", steps: [next] },
  { name: "welcome_folder_copy", state: "welcome_copy", steps: [next] },
  { name: "welcome_folder_tight", state: "welcome_tight", steps: [next] },
  { name: "welcome_sharing", state: "welcome", steps: times(2, next) },
  { name: "welcome_account", state: "welcome", steps: times(3, next) },
];

/** The big button, or the first run's card: one of them stands when the window does. */
export const STANDS = "[data-testid=primary], [data-testid=welcome]";

export const BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** A page that shows the shot, its clock standing still at a fixed time. */
export async function show(context, url, { state, steps = [] }, brand = "") {
  const page = await context.newPage();
  // As the real window does; a library that cannot live with it would fail only there.
  await page.addInitScript(() => Object.freeze(Object.prototype));
  await page.clock.install({ time: new Date("2026-11-20T12:00:00Z") });
  await page.goto(`${url}?fixture=${state}&brand=${brand}`);
  await page.locator(STANDS).first().waitFor();
  for (const step of steps) await step(page);
  await page.clock.runFor(1000);
  // What moves in the browser's own time (the page's stands still) has come to rest.
  await page.evaluate(() => Promise.all(document.getAnimations().filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime)).map(({ finished }) => finished.catch(() => {}))));
  return page;
}

async function fiveMinutes(page) {
  await page.clock.runFor(300_000);
}

async function bottom(page) {
  await page.locator(".window-screen").evaluate((screen) => screen.scrollTo(0, screen.scrollHeight));
}
