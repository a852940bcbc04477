// What JupyterLab's packages expect of a browser and jsdom does not have.
class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

const browser = globalThis as unknown as Record<string, unknown>;
browser.DragEvent ??= class extends Event {};
browser.ResizeObserver ??= Observer;
browser.matchMedia ??= () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
browser.requestIdleCallback ??= (callback: () => void) => setTimeout(callback, 0);
browser.cancelIdleCallback ??= clearTimeout;
