import type { Page } from "playwright-core";
import { expect } from "vitest";
import { admin, as, ended, ok, signIn, signInHere, story, tenant, token, type User } from "./world";

/** Ends a session, and wants the open page to lead to the sign-in page by itself, with few requests, and back to where it was. */
async function leadsBack(page: Page, path: string, user: User, end: () => Promise<unknown>): Promise<void> {
  const listens = page.waitForResponse("**/api/v1/changes");
  await signIn(page, user, path);
  await listens;
  await page.waitForLoadState("networkidle").catch(() => undefined); // what it shows is there
  const here = page.url();
  const asked: string[] = [];
  page.on("request", (r) => r.url().includes("/api/") && asked.push(new URL(r.url()).pathname));
  await end();
  await page.waitForURL(/\/login\?next=/, { timeout: 30_000 });
  await page.getByLabel("Login").waitFor();
  expect(new URL(page.url()).searchParams.get("next")).toBe(here.slice(new URL(here).origin.length));
  expect(asked.length, `requests until it was led there: ${asked}`).toBeLessThan(6);
  await signInHere(page, user);
  expect(page.url()).toBe(here);
}

story(
  "a session that another one revokes leads an open list to the sign-in page, and back to the same list",
  async ({ page, expected }) => {
    expected.push(ended);
    const t = await tenant("Revoked");
    await leadsBack(page, "/app/submissions?sort=-received_at&filter=name%3Acontains%3Ab%C3%A1r&limit=25#content", t.admin, async () => {
      await ok(as(await token(t.admin)).DELETE("/api/v1/sessions"));
    });
  },
);

story("a cookie that is gone is noticed by what one does next", async ({ page, expected }) => {
  expected.push(ended);
  await signIn(page, admin, "/admin/tenants");
  await page.getByRole("columnheader", { name: "Name" }).waitFor();
  await page.context().clearCookies();
  await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click();
  await page.waitForURL(/\/login\?next=/);
  await signInHere(page, admin);
  expect(page.url()).toMatch(/\/admin\/tenants\?sort=-?name$/);
});

story("the end of an account and a password that an admin sets end its sessions", async ({ page, expected }) => {
  expected.push(ended);
  const t = await tenant("Ended");
  const ben: User = { login: `${t.slug}.ben`, password: "a password of a member" };
  const { id } = await ok(
    t.api.POST("/api/v1/users", {
      body: { email: `ben@${t.slug}.example`, login: "ben", role: "tenant_user", password: ben.password } as never,
    }),
  );
  const path = { params: { path: { id } } };
  await leadsBack(page, "/app/analyses?search=x", ben, async () => {
    await ok(t.api.PATCH("/api/v1/users/{id}", { ...path, body: { state: "disabled" } }));
    await page.waitForURL(/\/login\?next=/);
    await ok(t.api.PATCH("/api/v1/users/{id}", { ...path, body: { state: "active" } }));
  });
  ben.token = undefined;
  await leadsBack(page, "/app/results", ben, async () => {
    ben.password = "a password that an admin set";
    await ok(t.api.POST("/api/v1/users/{id}/password", { ...path, body: { new: ben.password } }));
  });
});
