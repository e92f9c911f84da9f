import { expect } from "vitest";
import { admin, ok, root, signInByForm, story, tenant, unique } from "./world";

story("an admin signs in, sees the tenants and signs out", async ({ page, sound, expected }) => {
  expected.push(/status of 401 .*\/sessions$/);
  const t = await tenant("Signing in");
  await page.goto("/admin/tenants");
  await page.waitForURL(/\/login\?next=/);
  await page.getByLabel("Login").waitFor();
  await sound();
  await page.getByLabel("Login").fill(admin.login);
  await page.getByLabel("Password").fill("not the password at all");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("The login or the password is not right").waitFor();
  await page.getByLabel("Password").fill(admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/admin/tenants");
  await page.getByRole("cell", { name: t.name, exact: true }).waitFor();
  await sound();
  await page.reload();
  await page.getByRole("cell", { name: t.name, exact: true }).waitFor();
  expect(await page.evaluate(() => document.cookie)).toBe("");
  // Where the server is away it says that nothing has ended, until that is dismissed.
  expected.push(/ERR_FAILED/);
  await page.route("**/api/v1/sessions/current", (route) => route.abort());
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  const left = page.getByRole("dialog", { name: "You are still signed in" });
  await left.getByText("The server does not answer.").waitFor();
  await sound();
  await left.locator("button").click(); // it has no role until one is at it
  await page.unroute("**/api/v1/sessions/current");
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.waitForURL("**/login");
  await page.goto("/admin/tenants");
  await page.waitForURL(/\/login/);
});

story("who comes for the first time chooses a password where it is asked for", async ({ page }) => {
  const slug = unique("t");
  const made = await ok(root.POST("/api/v1/tenants", { body: { slug, name: slug, organisation: `${slug} Ltd` } as never }));
  const email = `ada@${slug}.example`;
  const password = "the password of the provider";
  await ok(root.POST("/api/v1/users", { body: { tenant: made.id, email, login: "ada", role: "tenant_admin", password } as never }));
  await page.goto("/login");
  await page.getByLabel("Login").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  const own = page.getByLabel("A new password of your own");
  await own.waitFor();
  expect(await own.evaluate((field) => field === document.activeElement)).toBe(true);
  await page.keyboard.type("a password of my own 1");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/app");
});

story("a tenant's admin replaces the password that the provider set", async ({ page }) => {
  const t = await tenant("Replacing");
  const email = `bob@${t.slug}.example`;
  const made = await t.api.POST("/api/v1/users", {
    body: { email, login: "bob", role: "tenant_user", password: "chosen by our admin" } as never,
  });
  expect(made.response.status).toBe(201);
  await signInByForm(page, { login: email, password: "chosen by our admin" });
  await page.waitForURL("**/app");
  await page.goto("/admin/tenants"); // is not theirs: they are brought to their own
  await page.waitForURL("**/app");
  expect((await root.GET("/api/v1/tenants/{id}", { params: { path: { id: t.id } } })).data?.claimed_at).toBeTruthy();
});
