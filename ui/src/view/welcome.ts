// The questions of the first run, in their order.
import type { Brand, Settings, Snapshot } from "../ipc/bindings";

export type Step = "language" | "folder" | "sharing" | "account";

/** At most four; nobody is asked to sign in where there is nowhere to. */
export function welcomeSteps(brand: Brand | null): Step[] {
  return brand?.sign_in ? ["language", "folder", "sharing", "account"] : ["language", "folder", "sharing"];
}

/** Whether this is a first run: nothing was answered yet, and no game stands here that could simply be played. */
export function isFirstRun(settings: Settings | null, snapshot: Snapshot | null): boolean {
  return settings !== null && !settings.welcomed && snapshot !== null && snapshot.installed === null && snapshot.phase.kind !== "starting";
}

/** Bytes that an hour of downloading passes on at most, under a cap in bytes per second. */
export function hourly(cap: number): number {
  return cap * 3600;
}

/** The publisher's licence in the language spoken, else in English, else in whichever there is; null where there is none. */
export function licenceIn(brand: Brand | null, language: string): { language: string; text: string } | null {
  const texts = brand?.licence ?? {};
  const found = [language, "en", ...Object.keys(texts)].find((one) => texts[one]);
  return found ? { language: found, text: texts[found]! } : null;
}
