// What jsdom lacks and the window has.
import { vi } from "vitest";

// No canvas: the graph and the piece map then leave the talking to their sentences.
HTMLCanvasElement.prototype.getContext = () => null;
window.matchMedia = (query) => ({ matches: false, media: query, onchange: null, addEventListener: vi.fn(), removeEventListener: vi.fn(), addListener: vi.fn(), removeListener: vi.fn(), dispatchEvent: () => false });
Element.prototype.scrollIntoView = vi.fn();
Element.prototype.scrollTo = vi.fn();
globalThis.ResizeObserver = class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};
