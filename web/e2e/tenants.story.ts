import { expect } from "vitest";
import { admin, mail, ok, root, signIn, story, tenant, unique, visit } from "./world";

// What the page of a suspended tenant's people asks for until it knows: what it shows, and who one is.
const refused = /with a status of 403 .*\/api\/v1\/(changes|me|tenant)(\?.*)?$/;

story("an admin creates a tenant, watches its steps, suspends and activates it", async ({ page, another, sound, expected }) => {
  expected.push(refused);
  await signIn(page, admin, "/admin/tenants?create=yes");
  const drawer = page.getByRole("dialog", { name: "Create a tenant" });
  await drawer.waitFor();
  await sound();
  const name = `Café ${unique("Story")} & Co`;
  await drawer.getByLabel("Name").fill(name);
  expect(await drawer.getByLabel("Slug").inputValue()).toMatch(/^cafe-story-[a-z0-9]+-co$/);
  await drawer.getByLabel("External ids").fill("X-1, X-2");
  const email = `eve@${unique("story")}.example`;
  await drawer.getByLabel("Email of its first admin").fill(email);
  await drawer.getByLabel("How they come in").selectOption({ index: 1 });
  await drawer.getByLabel("First password").waitFor();
  await drawer.getByLabel("How they come in").selectOption({ index: 0 });
  await sound();
  await drawer.getByRole("button", { name: "Create" }).click();
  const made = page.getByRole("dialog", { name: `${name} is created` });
  await made.getByText("All steps are done.").waitFor();
  await made.getByText(`${email} is invited by a mail.`).waitFor();
  await made.getByRole("link", { name: "Open the tenant" }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByRole("table", { name: "Invitations" }).getByText(email).waitFor();
  await page.getByText("X-1, X-2").waitFor();
  await sound();

  await page.getByRole("button", { name: "Add with a password" }).click();
  const person = page.getByRole("dialog", { name: "Add with a password" });
  await person.getByLabel("Email").fill(`second${email}`);
  await person.getByLabel("First password").fill("only for the first time");
  await person.getByRole("button", { name: "Add with a password" }).click();
  await page.getByRole("row", { name: `second${email}` }).waitFor();
  const domain = email.replace(/.*@/, "");
  await page.getByRole("button", { name: "Vouch for a domain" }).click();
  await page.getByRole("dialog").getByLabel("Domain").fill(domain);
  await sound();
  await page.getByRole("dialog").getByRole("button", { name: "Vouch" }).click();
  await page.getByRole("table", { name: "Domains" }).getByText("vouched for, not approved yet").waitFor();

  const other = await another();
  const [path] = await mail(email, /\/invite\S*trl_[a-z0-9]+/);
  await other.goto(path);
  await other.getByLabel("Password", { exact: true }).fill("a password of nobody else");
  await other.getByRole("button", { name: "Join" }).click();
  await other.waitForURL("**/app");
  await page.getByText("only its own admins make people").waitFor(); // told by the stream
  await page.getByRole("button", { name: "Invite", exact: true }).waitFor({ state: "hidden" });
  await sound();

  await page.getByRole("button", { name: "Actions", exact: true }).click();
  await page.getByRole("menuitem", { name: "Suspend" }).click();
  const ask = page.getByRole("dialog", { name: `Suspend ${name}?` });
  await ask.getByLabel("Reason").fill("Bills <b>unpaid</b>");
  await ask.getByRole("button", { name: "Suspend" }).click();
  await page.getByText("Bills <b>unpaid</b>").waitFor();
  await other.getByText("This tenant is suspended: Bills <b>unpaid</b>. Ask the provider.").waitFor({ timeout: 30_000 });
  await sound(other);
  await other.reload();
  await other.getByRole("heading", { level: 1, name: "Nobody can work here now" }).waitFor();
  await page.getByRole("button", { name: "Actions", exact: true }).click();
  await page.getByRole("menuitem", { name: "Activate" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
  await page.getByText("The tenant is active.").waitFor();
  await other.getByRole("button", { name: "Try again" }).click();
  await other.getByRole("heading", { level: 1, name: "Home" }).waitFor();
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
  const invited = `${unique("analyst")}@example.com`;
  const form = page.getByRole("dialog", { name: "Invite somebody" });
  await form.getByLabel("Email").fill(invited);
  await form.getByLabel("Role").selectOption("analyst");
  await sound();
  await form.getByRole("button", { name: "Invite" }).click();
  await page.getByRole("table", { name: "Invitations" }).getByText(invited).waitFor();
  await mail(invited, /\/invite\S*trl_[a-z0-9]+/);
  const email = `${unique("auditor")}@example.com`;
  await page.getByRole("button", { name: "Add without inviting" }).click();
  const drawer = page.getByRole("dialog", { name: "Add without inviting" });
  await drawer.getByLabel("Email").fill(email);
  await drawer.getByLabel("First password").fill("a password for the first time");
  await drawer.getByRole("button", { name: "Add without inviting" }).click();
  await page.getByRole("cell", { name: email, exact: true }).waitFor();
  await sound();
  for (const [path, heading] of [
    ["/admin/tenants/ten_nobody", "ten_nobody"], // says so, and leads back
    ["/admin/outbox", "Outbox"],
    ["/admin/audit", "Audit log"],
    ["/admin/settings", "Settings"],
  ] as const) {
    await visit(page, path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await sound();
  }
  await visit(page, "/admin/audit?filter=verb:is:user.create&provider=yes");
  await page.getByRole("cell", { name: "user.create" }).first().waitFor();
});
