// A made-up publisher for the plain browser.
import type { Brand, Settings } from "../bindings";
import keyArt from "./art/key-art.svg?url";
import newsBridge from "./art/news-1.svg?url";
import newsEvent from "./art/news-2.svg?url";
import newsNight from "./art/news-3.svg?url";

export const BRAND: Brand = {
  name: "Muster",
  game: "lanternfall",
  title: "Lanternfall",
  tagline: "Keep the last light burning.",
  accent: "#ffb454",
  channels: ["live", "beta"],
  sign_in: true,
  key_art: "muster://brand/key-art",
  version: "0.1.0",
};

export const SETTINGS: Settings = {
  version: 1,
  limit_up: 300_000,
  limit_down: null,
  sharing: "while_downloading",
  channel: "live",
  dir: "/home/ann/Games/Lanternfall",
  language: "system",
  while_playing: "pause",
  limit_up_idle: null,
  limit_lan: false,
  map_port: true,
  schedule: [],
  month_upload: null,
  import: false,
  welcomed: true,
  launch_arguments: "",
  after_start: "keep",
  updates: "ask",
  metered: "ask",
};

export const PICTURES: Record<string, string> = {
  "muster://brand/key-art": keyArt,
  "muster://news/bridge": newsBridge,
  "muster://news/event": newsEvent,
  "muster://news/night": newsNight,
};
