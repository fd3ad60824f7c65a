// The languages on offer, as the settings name them.
import type { Settings } from "../ipc/bindings";

export const LANGUAGES: Settings["language"][] = ["system", "en", "de", "fr", "es", "ja", "ar"];
