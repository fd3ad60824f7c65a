import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";
import tauri from "../tauri.conf.json" with { type: "json" };

// The preview server sends the window's own policy, so that what breaks in the window breaks in the browser too.
const csp = tauri.app.security.csp;

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), svelteTesting()],
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    // The policy forbids data: images, so no asset may be folded into the code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  preview: { host: "127.0.0.1", headers: { "Content-Security-Policy": csp } },
  // One test reads the error codes out of the Rust sources.
  server: { host: "127.0.0.1", fs: { allow: [mode === "test" ? ".." : "."] } },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.ts"],
    setupFiles: ["tests/setup.ts"],
    maxWorkers: 1,
  },
}));
