import { expect } from "vitest";
import { go, ok, signIn, story, tenant } from "./world";

story("a tenant's admin makes a person and a key, and ends both", async ({ page, another }) => {
  const t = await tenant("Team");
  await signIn(page, t.admin, "/app/team");
  await page.getByRole("button", { name: "Add with a password" }).click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Email").fill(`bob@${t.slug}.example`);
  await form.getByLabel("Login").fill("bob");
  await form.getByLabel("First password").fill("a first password of bob");
  await form.getByRole("button", { name: "Add with a password" }).click();
  const row = page.getByRole("row", { name: /bob@/ });
  await row.waitFor();
  expect((await t.api.GET("/api/v1/users")).data?.items?.map((u) => u.role)).toContain("tenant_user");

  await row.getByRole("button", { name: /Actions/ }).click();
  await page.getByRole("menuitem", { name: "Deactivate" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Deactivate" }).click();
  await row.getByText("disabled").waitFor();

  await page.getByRole("button", { name: "New API key" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("nightly");
  await page.getByRole("dialog").getByRole("button", { name: "Make" }).click();
  const secret = await page.getByRole("dialog").getByRole("region").innerText();
  expect(secret).toMatch(/^trk_/);
  await page.keyboard.press("Escape");
  const key = page.getByRole("row", { name: /nightly/ });
  await key.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await key.waitFor({ state: "hidden" });
  // Who is invited has no password to reset, and becomes active by coming.
  await ok(t.api.POST("/api/v1/invitations", { body: { email: `gus@${t.slug}.example`, role: "tenant_user" } as never }));
  await go(page, "/app/team?filter=state:is:invited");
  const gus = page.getByRole("table", { name: "Team" }).getByRole("row", { name: /gus@/ });
  await gus.getByRole("button", { name: /Actions/ }).click();
  expect(await page.getByRole("menuitem").allInnerTexts()).toEqual(["Make an admin"]);
  expect((await (await another()).request.get("/api/v1/me", { headers: { Authorization: `Bearer ${secret}` } })).status()).toBe(401);

  // A key that is older than many others is still there to be revoked.
  for (let n = 0; n < 52; n++) await ok(t.api.POST("/api/v1/api-keys", { body: { name: `later ${n}`, role: "tenant_user" } as never }));
  await go(page, "/app/team");
  const keys = page.getByRole("table", { name: "API keys" });
  await keys.getByRole("row", { name: /later 51/ }).waitFor();
  expect(await page.getByRole("row", { name: /^story/ }).count()).toBe(0);
  await page.getByRole("button", { name: /^Show more/ }).click();
  await keys
    .getByRole("row", { name: /^story/ })
    .getByRole("button", { name: "Revoke" })
    .waitFor();
  expect(await keys.getByRole("row", { name: /nightly/ }).count()).toBe(0);
  await page.getByRole("checkbox", { name: /revoked or has ended/ }).check();
  await page.getByRole("button", { name: /^Show more/ }).waitFor({ state: "hidden" });
  await keys.getByRole("row", { name: /nightly/ }).waitFor();
});
