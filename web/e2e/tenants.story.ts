import { expect } from "vitest";
import { admin, go, ok, root, signIn, story, tenant, unique } from "./world";

story("an admin creates a tenant, watches its steps, suspends and activates it", async ({ page, sound }) => {
  await signIn(page, admin, "/admin/tenants?create=yes");
  const drawer = page.getByRole("dialog", { name: "Create a tenant" });
  await drawer.waitFor();
  await sound();
  const name = `Café ${unique("Story")} & Co`;
  await drawer.getByLabel("Name").fill(name);
  expect(await drawer.getByLabel("Slug").inputValue()).toMatch(/^cafe-story-[a-z0-9]+-co$/);
  await drawer.getByLabel("External ids").fill("X-1, X-2");
  await drawer.getByLabel("Email of its first admin").fill("eve@story.example");
  await drawer.getByLabel("First password").fill("only for the first time");
  await drawer.getByRole("button", { name: "Create" }).click();
  const made = page.getByRole("dialog", { name: `${name} is created` });
  await made.getByText("All steps are done.").waitFor();
  await made.getByRole("link", { name: "Open the tenant" }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByText("eve@story.example").waitFor();
  await page.getByText("X-1, X-2").waitFor();
  await sound();

  await page.getByRole("button", { name: "Actions", exact: true }).click();
  await page.getByRole("menuitem", { name: "Suspend" }).click();
  const ask = page.getByRole("dialog", { name: `Suspend ${name}?` });
  await ask.getByLabel("Reason").fill("Bills <b>unpaid</b>");
  await ask.getByRole("button", { name: "Suspend" }).click();
  await page.getByText("Bills <b>unpaid</b>").waitFor();
  await page.getByRole("button", { name: "Actions", exact: true }).click();
  await page.getByRole("menuitem", { name: "Activate" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
  await page.getByText("The tenant is active.").waitFor();
});

story("offboarding asks for the slug, and can be taken back", async ({ page, sound }) => {
  const t = await tenant("Leaving");
  await signIn(page, admin, `/admin/tenants/${t.id}`);
  await page.getByRole("button", { name: "Actions", exact: true }).click();
  await page.getByRole("menuitem", { name: "Offboard" }).click();
  const ask = page.getByRole("dialog", { name: `Offboard ${t.name}?` });
  const button = ask.getByRole("button", { name: "Offboard" });
  expect(await button.isDisabled()).toBe(true);
  await ask.getByLabel(`Type ${t.slug} to confirm`).fill(t.slug);
  await button.click();
  await page.getByRole("heading", { name: "Offboarding", exact: true }).waitFor();
  await sound();
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take it back" }).click();
  await page.getByText("The tenant is kept.").waitFor();
  expect((await ok(root.GET("/api/v1/tenants/{id}", { params: { path: { id: t.id } } }))).state).toBe("suspended");
});

story("the provider's people, outbox, audit log and settings", async ({ page, sound }) => {
  await signIn(page, admin, "/admin/people?create=yes");
  const email = `${unique("auditor")}@example.com`;
  const drawer = page.getByRole("dialog", { name: "Add a person" });
  await drawer.getByLabel("Email").fill(email);
  await drawer.getByLabel("First password").fill("a password for the first time");
  await drawer.getByRole("button", { name: "Add a person" }).click();
  await page.getByRole("cell", { name: email, exact: true }).waitFor();
  await sound();
  for (const [path, heading] of [
    ["/admin/tenants/ten_nobody", "ten_nobody"], // says so, and leads back
    ["/admin/outbox", "Outbox"],
    ["/admin/audit", "Audit log"],
    ["/admin/settings", "Settings"],
  ] as const) {
    await go(page, path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await page.waitForLoadState("networkidle").catch(() => undefined);
    await sound();
  }
  await go(page, "/admin/audit?filter=verb:is:user.create&provider=yes");
  await page.getByRole("cell", { name: "user.create" }).first().waitFor();
});
