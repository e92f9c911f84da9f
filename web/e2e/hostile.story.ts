import type { Page } from "playwright-core";
import { expect } from "vitest";
import { betrayed } from "./hostile";
import { made, tour, type World } from "./tour";
import { admin, settled, signIn, story, violations, visit } from "./world";

/** Looks at every page of a portal, or at those of who has not signed in. */
async function look(
  page: Page,
  portal: "/app" | "/admin" | undefined,
  w: World,
  which: (route: string) => boolean = () => true,
): Promise<void> {
  page.on("dialog", (d) => {
    throw new Error(`a dialog opened: ${d.message()}`);
  });
  const routes = await page.evaluate(() => Object.keys(window.__TSR_ROUTER__?.routesByPath ?? {}));
  const all = new Set(routes.map((r) => r.replace(/(.)\/$/, "$1")));
  expect(
    [...all].filter((r) => !(r in tour)),
    "routes without a line in the tour",
  ).toEqual([]);
  expect(
    Object.keys(tour).filter((r) => !all.has(r)),
    "lines for which there is no route",
  ).toEqual([]);
  const wrong: string[] = [];
  for (const [path, then] of Object.entries(tour).flatMap(([route, stops]) =>
    route.match(/^\/(app|admin)\b/)?.[0] === portal && which(route) ? stops(w) : [],
  )) {
    await visit(page, path);
    await then?.(page);
    await settled(page);
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 860 });
      // Charts are drawn anew for another width.
      await page
        .waitForFunction(() => document.documentElement.scrollWidth <= innerWidth, undefined, { timeout: 3000 })
        .catch(() => undefined);
      for (const w of await betrayed(page)) wrong.push(`${path} at ${width}: ${w}`);
    }
    await page.setViewportSize({ width: 1280, height: 860 });
    for (const v of await violations(page)) wrong.push(`${path}: ${v}`);
    if (then) await page.keyboard.press("Escape");
  }
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}

// The pages are many: those about events, and about the provider's work, have stories of their own.
const ofWork = (route: string) => /^\/admin\/(submissions|results|analyses|datasets|runs|schedules|reports)\b/.test(route);
const ofEvents = (route: string) => /^\/(app\/events|admin\/(streams|sources|quarantine|plan|query|archive|freshness))$/.test(route);

story("names that want to be more than text are text, on every page of the tenants' portal", async ({ page }) => {
  const w = await made();
  await signIn(page, w.a.admin, "/app");
  await look(page, "/app", w, (route) => !ofEvents(route));
});

story("so they are on every page of the provider's", async ({ page }) => {
  await signIn(page, admin, "/admin");
  await look(page, "/admin", await made(), (route) => !ofEvents(route) && !ofWork(route));
});

story("and on those about its work", async ({ page }) => {
  await signIn(page, admin, "/admin");
  await look(page, "/admin", await made(), ofWork);
});

story("and on those about events", async ({ page }) => {
  await signIn(page, admin, "/admin");
  await look(page, "/admin", await made(), ofEvents);
});

story("and on those about a tenant's own events", async ({ page }) => {
  const w = await made();
  await signIn(page, w.a.admin, "/app");
  await look(page, "/app", w, ofEvents);
});

story("and to whoever is not signed in", async ({ page, expected }) => {
  expected.push(/status of 40[013] .*\/sessions\/oidc$/);
  await page.goto("/login");
  await look(page, undefined, await made());
});
