import type { Page } from "playwright-core";
import { made, tour, visit, type World } from "./tour";
import { ok, root, signIn, story, type User, unique } from "./world";

// What changes things at the provider's, which auditors and analysts may not.
const acts =
  /^(Run|Run analyses|Create|Create a tenant|Add a person|New .*|Actions.*|Suspend|Offboard|Verify|Set a hold|Reopen|Delete|Recall|Release|Cancel)$/;

/** Goes to every page of a portal, and wants none to ask for what is refused, to tell of an error, or to offer what is not allowed. */
async function walk(page: Page, user: User, portal: "/app" | "/admin", w: World, forbidden: RegExp): Promise<void> {
  const wrong: string[] = [];
  page.on("response", (r) => {
    if (r.status() >= 400) wrong.push(`${new URL(page.url()).pathname} asks for ${r.url()}: ${r.status()}`);
  });
  await signIn(page, user, portal);
  const paths = Object.entries(tour).flatMap(([route, stops]) => (route.startsWith(portal) ? stops(w).map(([path]) => path) : []));
  for (const path of new Set(paths)) {
    await visit(page, path);
    for (const e of await page.getByRole("alert").allInnerTexts()) if (e.trim()) wrong.push(`${path} says ${e}`);
    const offered = await page
      .locator("main button, main a, [role=dialog] button")
      .evaluateAll((all) => all.map((e) => e.getAttribute("aria-label") ?? e.textContent?.trim() ?? ""));
    for (const o of offered) if (forbidden.test(o)) wrong.push(`${path} offers ${o}`);
  }
  if (wrong.length > 0) throw new Error([...new Set(wrong)].join("\n"));
}

async function staff(role: "auditor" | "analyst"): Promise<User> {
  const user = { login: `${unique(role)}@example.com`, password: `a password of an ${role}` };
  await ok(root.POST("/api/v1/users", { body: { email: user.login, role, password: user.password } as never }));
  return user;
}

story("an auditor sees everything and changes nothing", async ({ page }) => {
  await walk(page, await staff("auditor"), "/admin", await made(), acts);
});

story("an analyst sees what analysts may, and changes nothing", async ({ page }) => {
  await walk(page, await staff("analyst"), "/admin", await made(), acts);
});

story("a user of a tenant sends and reads, and decides nothing", async ({ page }) => {
  const w = await made();
  await walk(
    page,
    { login: `${w.a.slug}.eve`, password: "a password of eve" },
    "/app",
    w,
    /^(Accept|Decline|Leave|Invite|New .*|Withdraw|Make API key)$/,
  );
});
