import "./i18n/system-language";
import "@fontsource-variable/archivo/wdth.css";
import "./theme.css";
import "./base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { I18n } from "./i18n/i18n.svelte";
import { connect } from "./ipc/client";
import { Launcher } from "./state/launcher.svelte";

// Not a top-level await: a module that is still waiting cannot be imported by the chunk it waits for.
async function main(): Promise<void> {
  const target = document.getElementById("app");
  if (!target) throw new Error("index.html has no #app");
  const i18n = new I18n(navigator.language);
  const [backend] = await Promise.all([connect(), i18n.choose("system")]);
  const launcher = new Launcher(backend, i18n);
  mount(App, { target, props: { launcher } });
  await launcher.start();
}

main().catch((error: unknown) => console.error(error));
