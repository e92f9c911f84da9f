import { expect } from "vitest";
import { admin, arrived, ended, go, issuer, ok, root, signIn, story } from "./world";

story("one of the provider's people signs in with the issuer, and unlinks", async ({ page, another, sound, expected }) => {
  expected.push(ended);
  expected.push(/status of 403 .*\/sessions\/oidc$/);
  const made = await ok(root.POST("/api/v1/users", { body: { email: "ada@issuer.example", name: "Ada Away", role: "auditor" } as never }));
  expect(made.has_password).toBe(false);
  await page.goto("/admin/audit");
  await page.waitForURL(/\/login\?next=/);
  await page.getByRole("button", { name: "Continue with Example login" }).waitFor();
  await sound();
  const enter = async (who: string) => {
    await page.getByRole("button", { name: "Continue with Example login" }).click();
    await page.waitForURL(`${issuer}/authorize?**`);
    await page.getByRole("link", { name: who }).click();
  };

  // Who thinks better of it, and who has no account here.
  await enter("Cancel");
  await page.getByRole("alert").getByText("Example login did not let you in, or you cancelled there.").waitFor();
  expect(await page.textContent("body")).not.toMatch(/access_denied|own words/);
  await page.waitForURL("**/login/oidc");
  await sound();
  await page.getByRole("link", { name: "Back to the sign-in page" }).click();
  await enter("eve@issuer.example");
  await page.getByRole("alert").getByText("There is no account for you here. Ask an administrator.").waitFor();
  await page.goto("/admin/audit");
  await page.waitForURL(/\/login\?next=/);

  await enter("ada@issuer.example");
  await page.waitForURL("**/admin/audit");
  await arrived(page);
  expect(await page.evaluate(() => document.cookie)).toBe("");
  const cookies = await page.context().cookies();
  expect(cookies.map((c) => [c.name, c.httpOnly, c.sameSite])).toEqual([["tributary", true, "Strict"]]);
  await page.reload();
  await arrived(page);

  // What somebody else came back with signs nobody else in.
  const stranger = await another();
  let back = "";
  stranger.on("request", (request) => {
    if (request.url().includes("/login/oidc?")) back = request.url();
  });
  await stranger.route("**/api/v1/sessions/oidc", (route) => route.fulfill({ status: 503 })); // it stays unused
  await stranger.goto("/login");
  // A page that the browser kept is as it was left: it can go there once more.
  const away = stranger.getByRole("button", { name: "Continue with Example login" });
  await stranger.route("**/api/v1/sessions/oidc/begin", () => undefined);
  await away.click();
  expect(await away.isDisabled()).toBe(true);
  await stranger.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await stranger.unroute("**/api/v1/sessions/oidc/begin");
  await away.click();
  await stranger.getByRole("link", { name: "eve@issuer.example" }).click();
  await stranger.getByRole("alert").waitFor();
  expect(back).toMatch(/\?code=.*&state=/);
  await page.goto(back);
  await page.getByRole("alert").getByText("This sign-in was begun in another browser").waitFor();

  await go(page, "/admin/account");
  const card = page.getByRole("region", { name: "Signing in with Example login" });
  await card.getByText("ada-1").waitFor();
  await sound();
  await card.getByRole("button", { name: "Unlink" }).click();
  await page.getByRole("dialog", { name: "Unlink your account there" }).getByRole("button", { name: "Unlink" }).click();
  await card.getByText("not linked").waitFor();
  const seen = await ok(root.GET("/api/v1/users/{id}/identity", { params: { path: { id: made.id } } }));
  expect(seen.linked).toBe(false);
});

story("an admin sees who somebody is at the issuer", async ({ page, sound }) => {
  const email = "fay@issuer.example";
  await ok(root.POST("/api/v1/users", { body: { email, name: "Eve", role: "analyst" } as never }));
  await signIn(page, admin, "/admin/people");
  const row = page.getByRole("row").filter({ hasText: email });
  await row.getByRole("button", { name: /Actions/ }).click();
  await page.getByRole("menuitem", { name: "Account at Example login" }).click();
  await page.getByRole("dialog").getByText("Nothing is linked yet").waitFor();
  await sound();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Add without inviting" }).click();
  await page.getByText("Not needed by who signs in with Example login alone.").waitFor();
});
