import type { Page } from "playwright-core";
import { expect, vi } from "vitest";
import { send } from "./hostile";
import { made, tour, type World } from "./tour";
import { ok, root, signIn, story, tenant, token, type User, unique, visit } from "./world";

// What everybody is offered: how things are shown, and what is their own.
const everybodys =
  /^(Filter|Columns|More of this list|Previous page|Next page|View as table|Show|Copy.*|Download.*|Close|Hide this list|Pause|Go on|Clear|Show the first rows|Remove the filter .*|Change password|Turn on|End all others|End the session .*)$/;

/** What a role has: its menu, the pages that are closed to it, and what it is offered besides what everybody is. */
type Part = { menu: string[]; closed: string[]; offers?: RegExp };

/** Goes to every page of a portal, and wants none to ask for what is refused, to tell of an error, or to offer what is not allowed. */
async function walk(page: Page, user: User, portal: "/app" | "/admin", paths: string[], { menu, closed, offers }: Part): Promise<void> {
  const wrong = new Set<string>();
  page.on("response", (r) => {
    if (r.status() >= 400) wrong.add(`${new URL(page.url()).pathname} asks for ${r.url()}: ${r.status()}`);
  });
  await signIn(page, user, portal);
  expect(await page.locator("nav[aria-label=Menu] a").allInnerTexts()).toEqual(menu);
  await page.keyboard.press("Control+k");
  await page.getByRole("option").first().waitFor();
  const found = (await page.getByRole("option").allInnerTexts()).map((o) => o.split("\n"));
  expect(found.flatMap(([name, keys]) => (keys?.startsWith("G ") ? [name] : []))).toEqual(menu);
  expect(
    found.filter(([name = ""]) => /^(Run|Create|New|Add|Invite|Send)\b/.test(name) && !menu.includes(name) && !offers?.test(name)),
  ).toEqual([]);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const dead = (path: string) => closed.some((c) => path === c || path.startsWith(`${c}/`));
  for (const path of new Set(paths)) {
    await visit(page, path);
    const at = new URL(page.url()).pathname;
    if (dead(at)) wrong.add(`${path} is shown`);
    for (const e of await page.getByRole("alert").allInnerTexts()) if (e.trim()) wrong.add(`${path} says ${e}`);
    const covered = (await page.getByRole("dialog").count()) > 0;
    for (const menu of covered ? [] : await page.locator("main [aria-haspopup=menu]:not([aria-label='More of this list'])").all()) {
      await menu.click();
      for (const item of await page.getByRole("menuitem").allInnerTexts()) if (!offers?.test(item)) wrong.add(`${path} offers ${item}`);
      await vi.waitFor(async () => {
        await page.keyboard.press("Escape"); // which a menu that is opening still does not hear
        await page.getByRole("menuitem").first().waitFor({ state: "detached", timeout: 1000 });
      }, 15_000);
    }
    const offered = await page.locator(":is(main, [role=dialog]) :is(button:not(th *, .link, [role=grid] *), a[href])").evaluateAll((all) =>
      all.map((e) => ({
        name: e.getAttribute("aria-label") ?? e.textContent?.trim() ?? "",
        to: e.getAttribute("href"),
        acts: /button/i.test(e.className + e.tagName),
      })),
    );
    for (const { name, to, acts } of offered) {
      if (to?.startsWith("/") && dead(to.replace(/[?#].*/, ""))) wrong.add(`${path} leads to ${to}`);
      if (acts && !everybodys.test(name) && !offers?.test(name)) wrong.add(`${path} offers ${name}`);
    }
  }
  if (wrong.size > 0) throw new Error([...wrong].join("\n"));
}

const stops = (w: World, portal: string) =>
  Object.entries(tour).flatMap(([route, stops]) => (route.startsWith(portal) ? stops(w).map(([path]) => path) : []));

async function staff(role: "auditor" | "analyst"): Promise<User> {
  const user = { login: `${unique(role)}@example.com`, password: `a password of an ${role}` };
  await ok(root.POST("/api/v1/users", { body: { email: user.login, role, password: user.password } as never }));
  return user;
}

const reads = [
  ...["Input files", "Analyses", "Runs", "Schedules", "Output files", "Reports"],
  ...["Streams", "Sources", "Tracking plan", "Freshness", "Archive"],
  ...["Tenants", "People", "Audit log", "Settings"],
];

story("an auditor sees everything and changes nothing", async ({ page }) => {
  const w = await made();
  await walk(page, await staff("auditor"), "/admin", stops(w, "/admin"), {
    menu: ["Overview", ...reads],
    closed: ["/admin/outbox", "/admin/quarantine", "/admin/query"],
    offers: /^Who has sent what$/,
  });
});

story("an analyst sees what analysts may, and changes nothing", async ({ page }) => {
  const w = await made();
  await walk(page, await staff("analyst"), "/admin", stops(w, "/admin"), {
    menu: ["Analyses", "Runs", "Schedules", "Streams", "Tracking plan", "Query", "Freshness", "Archive", "Settings"],
    closed: ["submissions", "results", "reports", "tenants", "people", "outbox", "audit", "sources", "quarantine"].map(
      (p) => `/admin/${p}`,
    ),
    offers: /^(Run|Save as a named query|Write SQL instead|Open its SQL in the editor)$/,
  });
});

story("a user of a tenant sends and reads, and decides nothing", async ({ page }) => {
  const w = await made();
  await walk(page, { login: `${w.a.slug}.eve`, password: "a password of eve" }, "/app", stops(w, "/app"), {
    menu: ["Home", "Send files", "Submissions", "Results", "Participation", "Events", "Settings"],
    closed: ["/app/team", "/app/activity"],
    offers: /^(Run|Write SQL instead|Send .*|Choose files|Withdraw|Actions|Add SSH key|Parquet|Hide for good)$/s,
  });
});

story("an admin of a tenant that leaves reads and exports", async ({ page }) => {
  const w = await made();
  const t = await tenant("Leaving");
  const sent = await send(t, w.dataset, "last.csv", "no table\n");
  await ok(root.POST("/api/v1/tenants/{id}/offboard", { params: { path: { id: t.id } }, body: { confirm: t.slug } }));
  t.admin.token = await token(t.admin);
  const paths = [
    "/app/submissions",
    "/app/results",
    "/app/analyses",
    "/app/activity",
    "/app/settings",
    "/app/account",
    "/app/submit",
    "/app/team",
  ];
  await walk(page, t.admin, "/app", ["/app", ...paths, `/app/submissions/${sent.id}`, `/app/analyses/${w.analysis}`], {
    menu: ["Home", "Submissions", "Results", "Participation", "Activity", "Settings"],
    closed: ["/app/submit", "/app/team"],
    offers: /^Verify the whole chain$/,
  });
});
