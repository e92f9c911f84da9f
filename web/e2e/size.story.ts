import { expect } from "vitest";
import { weigh } from "./weigh";
import { admin, go, signIn, story, tenant } from "./world";

// Compressed, as the server sends it to a browser that comes for the first time. bench/portal.go has the same limits.
const budget = { script: 180_000, style: 15_000, all: 300_000 };

story("a first load is small", async ({ another, cold }) => {
  const page = await cold();
  const login = await weigh(page, async () => {
    await page.goto("/login");
    await page.getByLabel("Login").waitFor();
  });
  const portal = async (path: string, who: typeof admin) => {
    const at = await another();
    await signIn(at, who);
    const cookies = await at.context().cookies();
    const fresh = await cold();
    await fresh.context().addCookies(cookies);
    return weigh(fresh, async () => {
      await go(fresh, path);
      await fresh.locator("main h1").waitFor();
      await fresh.waitForLoadState("load");
    });
  };
  const own = await portal("/app", (await tenant("Size")).admin);
  const staff = await portal("/admin", admin);
  for (const sent of [login, own, staff]) {
    expect(sent.script).toBeGreaterThan(0);
    expect(sent.script).toBeLessThanOrEqual(budget.script);
    expect(sent.style).toBeLessThanOrEqual(budget.style);
    expect(sent.all).toBeLessThanOrEqual(budget.all);
  }
});
