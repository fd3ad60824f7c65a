// What a check of the surroundings and a support report may come to.
import type { Diagnosis, Finding, ReportParts } from "../bindings";

const SERVER = "https://play.lanternfall.example/";

export const DIAGNOSES: Record<"good" | "bad", Diagnosis> = {
  good: {
    at: "2026-11-20T12:00:00Z",
    verdict: "note",
    findings: [
      finding({ check: "network", verdict: "good", code: "NETWORK_UP" }),
      finding({ check: "proxy", verdict: "good", code: "PROXY_NONE" }),
      finding({ check: "origin", verdict: "good", code: "ORIGIN_ANSWERS", about: SERVER, milliseconds: 42 }),
      finding({ check: "repository", verdict: "good", code: "REPOSITORY_TRUSTED", about: SERVER }),
      finding({ check: "clock", verdict: "good", code: "CLOCK_RIGHT" }),
      finding({ check: "tracker", verdict: "good", code: "TRACKER_ANSWERS", about: `${SERVER}announce`, milliseconds: 61 }),
      finding({ check: "port", verdict: "note", code: "PORT_CLOSED", figure: 51413 }),
      finding({ check: "lan", verdict: "good", code: "LAN_HEARD", figure: 1 }),
      finding({ check: "folder", verdict: "good", code: "FOLDER_FINE", about: "/home/ann/Games/Lanternfall", figure: 212_400_000_000 }),
    ],
  },
  bad: {
    at: "2026-11-20T12:00:00Z",
    verdict: "bad",
    findings: [
      finding({ check: "network", verdict: "good", code: "NETWORK_UP" }),
      finding({ check: "proxy", verdict: "note", code: "PROXY_USED", about: "http://proxy.example:3128/" }),
      finding({ check: "origin", verdict: "bad", code: "ORIGIN_PORTAL", about: SERVER, milliseconds: 18, figure: 302 }),
      finding({ check: "repository", verdict: "bad", code: "REPOSITORY_REFUSED", about: SERVER, failure: { code: "ORIGIN_HTML", message: "a web page came", can_retry: true } }),
      finding({ check: "clock", verdict: "bad", code: "CLOCK_BEHIND", figure: 86_400 }),
      finding({ check: "tracker", verdict: "note", code: "TRACKER_NONE" }),
      finding({ check: "port", verdict: "note", code: "PORT_UNKNOWN", figure: 51413 }),
      finding({ check: "lan", verdict: "note", code: "LAN_SILENT" }),
      finding({ check: "folder", verdict: "bad", code: "FOLDER_REFUSED", about: "/home/ann", failure: { code: "FOLDER_REFUSED", message: "a home folder", can_retry: false } }),
    ],
  },
};

export function report(parts: ReportParts): string {
  const named = Object.entries(parts).filter(([, wanted]) => wanted);
  const sections = named.map(([name]) => `== ${name} ==\n2026-11-20T12:00:00Z  INFO launcher: a line of ${name}`);
  return ["Support report, made 2026-11-20T12:00:00Z", ...sections].join("\n\n");
}

function finding(of: Pick<Finding, "check" | "verdict" | "code"> & Partial<Finding>): Finding {
  return { about: null, failure: null, milliseconds: null, figure: null, ...of };
}
