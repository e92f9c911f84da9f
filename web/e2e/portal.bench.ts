import { writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { type Weight, weigh } from "./weigh";
import { admin, signIn, story, tenant, type User } from "./world";

// What `make bench ROWS=portal` has told.
const times = 10;

type Visit = Weight & { page: string; cold: number[]; warm: number[]; blank: number[] };

const timed = async (load: () => Promise<unknown>) => {
  const began = performance.now();
  await load();
  return performance.now() - began;
};

story("pages are loaded", async ({ another, cold }) => {
  const visits: Visit[] = [];
  const visit = async (path: string, user?: User) => {
    let cookies: Awaited<ReturnType<ReturnType<Page["context"]>["cookies"]>> = [];
    if (user) {
      const page = await another();
      await signIn(page, user);
      cookies = await page.context().cookies();
    }
    const load = async (page: Page) => {
      await page.goto(path, { waitUntil: "commit" });
      await page.locator("main h1").waitFor();
    };
    const found: Visit = { page: path, script: 0, style: 0, all: 0, requests: 0, asked: 0, cold: [], warm: [], blank: [] };
    for (let i = 0; i < times; i++) {
      const page = await cold();
      await page.context().addCookies(cookies);
      if (i === 0)
        Object.assign(
          found,
          await weigh(page, async () => {
            await load(page);
            await page.waitForLoadState("load");
          }),
        );
      else found.cold.push(await timed(() => load(page)));
      found.warm.push(await timed(() => load(page)));
      found.blank.push(await timed(() => page.goto("/healthz")));
      await page.context().close();
    }
    visits.push(found);
  };
  await visit("/login");
  await visit("/app", (await tenant("Loads")).admin);
  await visit("/admin", admin);
  writeFileSync(process.env.TRIBUTARY_FIGURES ?? "", JSON.stringify(visits));
});
