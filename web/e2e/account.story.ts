import { createHmac, generateKeyPairSync } from "node:crypto";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { admin, as, ended, ok, root, signIn, signInByForm, story, type Tenant, tenant, token, type User, until, visit } from "./world";

/** What an authenticator shows of a secret: now, or some steps ahead. */
function code(secret: string, ahead = 0): string {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => Number.parseInt(b, 2)));
  const step = Buffer.alloc(8);
  step.writeBigInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const sum = createHmac("sha1", key).update(step).digest();
  return String((sum.readUInt32BE((sum[19] ?? 0) & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A user of a story's tenant who is not its admin. */
async function member(t: Tenant): Promise<User> {
  const password = "a password of a member";
  const made = await t.api.POST("/api/v1/users", {
    body: { email: `ben@${t.slug}.example`, login: "ben", role: "tenant_user", name: "Ben", password } as never,
  });
  expect(made.response.status).toBe(201);
  return { login: `${t.slug}.ben`, password };
}

story("a second factor: on, signing in with it, a recovery code, off", async ({ page, sound, expected }) => {
  expected.push(/status of 40[13] .*\/(sessions|me\/totp|me\/totp\/off)$/);
  const t = await tenant("Second factor");
  await signIn(page, t.admin, "/app/account");
  await page.getByRole("button", { name: "Turn on" }).waitFor();
  await sound();
  await page.getByRole("button", { name: "Turn on" }).click();
  const dialog = page.getByRole("dialog", { name: "Turn the second factor on" });
  await dialog.getByLabel("Your password").fill("not my password");
  await dialog.getByRole("button", { name: "Continue" }).click();
  await dialog.getByText("The present password is not right").waitFor();
  await dialog.getByLabel("Your password").fill(t.admin.password);
  await dialog.getByRole("button", { name: "Continue" }).click();
  await dialog.getByRole("img", { name: /QR code/ }).waitFor();
  await sound();
  const secret = (await dialog.getByRole("region", { name: "Secret" }).innerText()).trim();
  await dialog.getByLabel("Code that the app shows").fill(code(secret));
  await dialog.getByRole("button", { name: "Turn on" }).click();
  const list = page.getByRole("list", { name: "Recovery codes" });
  await list.waitFor();
  await sound();
  const codes = (await list.getByRole("listitem").allInnerTexts()).map((c) => c.trim());
  expect(codes).toHaveLength(10);
  await page.getByRole("button", { name: "I have kept them" }).click();
  await list.waitFor({ state: "hidden" });
  await page.reload();
  await page.getByRole("button", { name: "Turn off" }).waitFor();
  expect(await page.getByText(codes[0] ?? "").count()).toBe(0);

  const out = async () => {
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.waitForURL("**/login");
  };
  const password = async () => {
    await page.getByLabel("Login").fill(t.admin.login);
    await page.getByLabel("Password", { exact: true }).fill(t.admin.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Code", { exact: true }).waitFor();
  };
  await out();
  await password();
  await sound();
  await page.getByLabel("Code", { exact: true }).fill("000000");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("The code is not right").waitFor();
  await page.getByRole("button", { name: "Back" }).click(); // to the start, and once more
  await password();
  await page.getByLabel("Code", { exact: true }).fill(code(secret, 1));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/app");

  await out();
  await password();
  await page.getByRole("button", { name: "Use a recovery code" }).click();
  await page.getByLabel("Recovery code").fill(codes[4] ?? "");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/app");

  await visit(page, "/app/account");
  await page.getByRole("button", { name: "Turn off" }).click();
  const off = page.getByRole("dialog", { name: "Turn the second factor off" });
  await off.getByLabel("Your password").fill(t.admin.password);
  await off.getByLabel("Code of the app, or a recovery code").fill(codes[4] ?? "");
  await off.getByRole("button", { name: "Turn off" }).click();
  await off.getByText("The code is not right").waitFor();
  await off.getByLabel("Code of the app, or a recovery code").fill(codes[5] ?? "");
  await off.getByRole("button", { name: "Turn off" }).click();
  await page.getByRole("button", { name: "Turn on" }).waitFor();
  await out();
  await signInByForm(page, t.admin);
});

/** Turns the second factor of somebody on. */
async function turnOn(who: User): Promise<void> {
  const own = as(await token(who));
  const { secret } = await ok(own.POST("/api/v1/me/totp", { body: { password: who.password } }));
  await ok(own.POST("/api/v1/me/totp/confirm", { body: { code: code(secret) } }));
}

story("an admin takes the second factor of somebody away who has lost it", async ({ page, another, sound }) => {
  const t = await tenant("Lost factor");
  const ben = await member(t);
  const email = `cleo@${t.slug}.example`;
  const password = "a password of staff";
  await ok(root.POST("/api/v1/users", { body: { email, role: "auditor", password } as never }));
  await Promise.all([turnOn(ben), turnOn({ login: email, password })]);
  const takeAway = async (page: Page, row: RegExp) => {
    await page
      .getByRole("row", { name: row })
      .getByRole("button", { name: /Actions/ })
      .click();
    await page.getByRole("menuitem", { name: "Take the second factor away" }).click();
    const asked = page.getByRole("dialog", { name: /^Take the second factor/ });
    await asked.getByText("make sure that it is they who ask").waitFor();
    return asked;
  };
  await signIn(page, t.admin, "/app/team");
  const asked = await takeAway(page, /ben@/);
  await sound();
  await asked.getByRole("button", { name: "Take the second factor away" }).click();
  await page.getByRole("row", { name: /ben@/ }).getByText("off", { exact: true }).waitFor();
  await token(ben); // with the password alone

  const staff = await another();
  await signIn(staff, admin, `/admin/people?search=${email}`);
  await (await takeAway(staff, /cleo@/)).getByRole("button", { name: "Take the second factor away" }).click();
  await staff.getByRole("dialog", { name: /^Take the second factor/ }).waitFor({ state: "hidden" });
  await token({ login: email, password });
});

story("a user adds an SSH key of their own and revokes it", async ({ page, sound }) => {
  const ben = await member(await tenant("Own keys"));
  await signIn(page, ben, "/app/account");
  await page.getByText("No SSH keys yet").waitFor();
  await page.getByText("Admins of your tenant make API keys").waitFor();
  const command = await page.getByRole("region", { name: "Command to connect by SFTP" }).innerText();
  expect(command).toMatch(new RegExp(`^sftp -P \\d+ ${ben.login}@127\\.0\\.0\\.1\\s*$`));
  await page.getByRole("button", { name: "Add SSH key" }).click();
  const dialog = page.getByRole("dialog", { name: "Add an SSH key" });
  await sound();
  const { publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const part = (b: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, b.length]), b]);
  const line = `ssh-ed25519 ${Buffer.concat([part(Buffer.from("ssh-ed25519")), part(raw)]).toString("base64")} ben@laptop`;
  await dialog
    .getByLabel("Choose a file")
    .setInputFiles({ name: "id_ed25519", mimeType: "text/plain", buffer: Buffer.from("-----BEGIN OPENSSH PRIVATE KEY-----") });
  await dialog.getByText("That is a private key").first().waitFor();
  await dialog.getByLabel("Choose a file").setInputFiles({ name: "laptop.pub", mimeType: "text/plain", buffer: Buffer.from(line) });
  await until("the file's line", async () => (await dialog.getByLabel("Public key").inputValue()) === line);
  await dialog.getByLabel("Name").fill("<b>laptop</b>");
  await dialog.getByLabel("Your password").fill(ben.password);
  await dialog.getByRole("button", { name: "Add SSH key" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByText("<b>laptop</b>").waitFor();
  await page.getByText("never used").waitFor();
  await sound();
  await page.getByRole("button", { name: "Revoke the SSH key <b>laptop</b>" }).click();
  await page.getByRole("dialog", { name: "Revoke an SSH key" }).getByRole("button", { name: "Revoke" }).click();
  await page.getByText("No SSH keys yet").waitFor();
});

story("an API key is shown once, works, and is revoked", async ({ page, sound }) => {
  const t = await tenant("API keys");
  await signIn(page, t.admin, "/app/account");
  await page.getByRole("button", { name: "Make API key" }).click();
  const dialog = page.getByRole("dialog", { name: "Make an API key" });
  await dialog.getByLabel("Name").fill("nightly upload");
  await dialog.getByLabel("Ends").selectOption("in 30 days");
  await sound();
  await dialog.getByRole("button", { name: "Make API key" }).click();
  const made = page.getByRole("region", { name: "Your new API key" });
  await made.waitFor();
  await sound();
  const secret = (await page.getByRole("region", { name: "API key", exact: true }).innerText()).trim();
  expect(await page.getByRole("region", { name: "curl" }).innerText()).toContain(secret);
  const me = () => page.request.get("/api/v1/me", { headers: { Authorization: `Bearer ${secret}` } });
  expect((await me()).status()).toBe(200);
  await page.getByRole("button", { name: "I have kept it" }).click();
  await page.reload();
  await page.getByRole("heading", { name: "nightly upload" }).waitFor();
  expect(await page.getByText(secret).count()).toBe(0);
  await page.getByRole("button", { name: "Revoke the API key nightly upload" }).click();
  await page.getByRole("dialog", { name: "Revoke an API key" }).getByRole("button", { name: "Revoke" }).click();
  await page.getByText("The API key is revoked.").waitFor(); // what is behind the dialog is hidden as long as it is there
  await page.getByRole("heading", { name: "nightly upload" }).waitFor({ state: "hidden" });
  expect((await me()).status()).toBe(401);
});

story("ending another session ends it", async ({ page, another, expected }) => {
  expected.push(ended);
  const t = await tenant("Sessions");
  const other = await another();
  await signInByForm(other, t.admin);
  await signInByForm(page, t.admin);
  await visit(page, "/app/account");
  const end = page.getByRole("button", { name: /^End the session of Chrome/ });
  await end.first().waitFor();
  await end.first().click();
  await page.getByText("The session has ended").waitFor();
  await other.goto("/app/account");
  await other.waitForURL(/\/login/);

  await signInByForm(other, t.admin);
  await page.reload();
  await page.getByRole("button", { name: "End all others" }).click();
  await page.getByRole("dialog", { name: "End all other sessions" }).getByRole("button", { name: "End all others" }).click();
  await end.first().waitFor({ state: "hidden" });
  await other.goto("/app/account");
  await other.waitForURL(/\/login/);
  await page.reload();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
});

story("a password is changed, and everything of it ends", async ({ page, expected }) => {
  expected.push(ended);
  const ben = await member(await tenant("Password"));
  await signIn(page, ben, "/app/account");
  await page.getByRole("button", { name: "Change password" }).click();
  const dialog = page.getByRole("dialog", { name: "Change password" });
  await dialog.getByLabel("Present password").fill(ben.password);
  await dialog.getByLabel("New password", { exact: true }).fill("another password of ben");
  await dialog.getByLabel("New password, again").fill("another password of bob");
  await dialog.getByText("The two are not the same").first().waitFor();
  await dialog.getByLabel("New password, again").fill("another password of ben");
  await dialog.getByRole("button", { name: "Change password" }).click();
  await page.waitForURL("**/login");
  await signIn(page, { login: ben.login, password: "another password of ben" });
});

story("the provider's people have the same page", async ({ page, sound }) => {
  await signIn(page, admin, "/admin/account");
  await page.getByText("Work waits for what cannot be reached").waitFor();
  expect(await page.getByRole("button", { name: "Add SSH key" }).count()).toBe(0);
  await sound();
  await page.getByLabel("Theme", { exact: true }).selectOption("Dark");
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
  await page.reload();
  await page.getByLabel("Theme", { exact: true }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
});
