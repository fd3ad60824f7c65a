// A made-up publisher for the plain browser.
import type { Brand, Settings } from "../bindings";
import tidewrack from "../../../../demo/brand-tidewrack/brand.json";
import tidewrackArt from "../../../../demo/brand-tidewrack/key-art.svg?url";
import en from "../../../../demo/brand-tidewrack/words.en.json";
import ar from "../../../../demo/brand-tidewrack/words.ar.json";
import keyArt from "./art/key-art.svg?url";
import newsBridge from "./art/news-1.svg?url";
import newsEvent from "./art/news-2.svg?url";
import newsNight from "./art/news-3.svg?url";

const tidewrackWords: Brand["words"] = { en, ar };

export const BRAND: Brand = {
  name: "Muster",
  game: "lanternfall",
  title: "Lanternfall",
  tagline: "Keep the last light burning.",
  accent: "#ffb454",
  colours: {},
  channels: ["live", "beta"],
  sign_in: true,
  key_art: "muster://brand/key-art",
  key_art_2x: null,
  words: {},
  licence: { en: "You may play Lanternfall on your own machines. Be kind to whoever you meet there.\n\nThe launcher passes parts of the game on to other players while you download, within the limit that you set.\n\n".repeat(2) },
  links: ["support", "community", "privacy"],
  version: "0.1.0",
};

/** Others by their names: the demo's second one, light and cool where the first is dark and warm. */
export const BRANDS: Record<string, Brand> = {
  tidewrack: {
    ...BRAND,
    name: tidewrack.name,
    title: tidewrack.title,
    tagline: tidewrack.tagline,
    accent: tidewrack.accent,
    colours: tidewrack.colours,
    key_art: "muster://brand/key-art-tidewrack",
    words: tidewrackWords,
  },
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
  proxy: "system",
  proxy_address: "",
};

export const PICTURES: Record<string, string> = {
  "muster://brand/key-art": keyArt,
  "muster://brand/key-art-tidewrack": tidewrackArt,
  "muster://news/bridge": newsBridge,
  "muster://news/event": newsEvent,
  "muster://news/night": newsNight,
};
