import { expect } from "vitest";
import { admin, go, signIn, story } from "./world";

// Compressed, as the server sends it to a browser that comes for the first time.
const budget = { script: 180_000, style: 15_000, all: 300_000 };

story("a first load is small", async ({ page, another }) => {
  const weigh = async (load: () => Promise<unknown>, on = page) => {
    const sent = { script: 0, style: 0, all: 0 };
    const sizes: Promise<void>[] = [];
    const note = (response: import("playwright-core").Response) => {
      const path = new URL(response.url()).pathname;
      if (path.startsWith("/api/")) return;
      sizes.push(
        response.headerValue("content-length").then((length) => {
          const bytes = Number(length);
          sent.all += bytes;
          if (path.endsWith(".js")) sent.script += bytes;
          if (path.endsWith(".css")) sent.style += bytes;
        }),
      );
    };
    on.on("response", note);
    await load();
    await Promise.all(sizes);
    on.off("response", note);
    return sent;
  };
  const login = await weigh(async () => {
    await page.goto("/login");
    await page.getByLabel("Login").waitFor();
  });
  await signIn(page, admin);
  const cookies = await page.context().cookies();
  const fresh = await another();
  await fresh.context().addCookies(cookies);
  const portal = await weigh(() => go(fresh, "/admin"), fresh);
  console.log(`first load: /login ${JSON.stringify(login)}, /admin ${JSON.stringify(portal)}`);
  for (const sent of [login, portal]) {
    expect(sent.script).toBeGreaterThan(0);
    expect(sent.script).toBeLessThanOrEqual(budget.script);
    expect(sent.style).toBeLessThanOrEqual(budget.style);
    expect(sent.all).toBeLessThanOrEqual(budget.all);
  }
});
