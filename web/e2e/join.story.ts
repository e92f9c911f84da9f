import { expect } from "vitest";
import { mail, ok, root, signIn, story, tenant, unique, until } from "./world";

const own = "a password of nobody else";

story("an admin invites a colleague, who joins by the link in the mail", async ({ page, another, sound }) => {
  const t = await tenant("Inviting");
  const email = `bob@${t.slug}.example`;
  const invitation = await ok(t.api.POST("/api/v1/invitations", { body: { email, role: "tenant_user", name: "<b>Bob</b>" } }));
  const [path] = await mail(email, /\/invite#trl_[a-z0-9]+/);
  await page.goto(path);
  await page.getByRole("heading", { level: 1, name: `Join ${t.name}` }).waitFor();
  await page.getByText(`${t.email} invites you`).or(page.getByText("An administrator invites you")).waitFor();
  await sound();
  await page.getByLabel("Password", { exact: true }).fill("too short");
  await page.getByText("3 more characters").waitFor();
  await page.getByLabel("Password", { exact: true }).fill(own);
  await page.getByRole("button", { name: "Join" }).click();
  await page.waitForURL("**/app");
  const bob = await ok(t.api.GET("/api/v1/users/{id}", { params: { path: { id: invitation.user } } }));
  expect([bob.state, bob.name]).toEqual(["active", "<b>Bob</b>"]);

  const other = await another();
  await other.goto(path);
  await other.getByRole("heading", { name: "This link was used already" }).waitFor();
  await sound(other);
  await other.goto("/invite#trl_nothing");
  await other.getByRole("heading", { name: "There is no such link" }).waitFor();
});

story(
  "an admin invites by the dialog; who has come proves their domain, which the admin then approves",
  async ({ page, another, sound, expected }) => {
    expected.push(/status of 403 .*\/domains$/);
    const t = await tenant("By dialog");
    const domain = `${t.slug}.example`;
    const { organisation } = await ok(root.GET("/api/v1/tenants/{id}", { params: { path: { id: t.id } } }));
    await ok(root.POST("/api/v1/organisations/{id}/verify", { params: { path: { id: organisation } }, body: { evidence: "A story." } }));
    await signIn(page, t.admin, "/app/team");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    const form = page.getByRole("dialog", { name: "Invite somebody" });
    await form.getByLabel("Email").fill(`dora@${domain}`);
    await form.getByLabel("Name").fill("Dora");
    await form.getByLabel("Role").selectOption("admin");
    await sound();
    await form.getByRole("button", { name: "Invite" }).click();
    await page.getByText("The invitation is on its way.").waitFor();
    await page.getByRole("table", { name: "Invitations" }).getByText(`dora@${domain}`).waitFor();

    const line = async () => {
      await page.getByLabel("Domain").fill(domain);
      await page.getByRole("button", { name: "Approve" }).click();
    };
    await line();
    await page.getByRole("alert").getByText("Nobody of you has proven an address").waitFor();
    const [path] = await mail(`dora@${domain}`, /\/invite#trl_[a-z0-9]+/);
    const other = await another();
    await other.goto(path);
    await other.getByLabel("Password", { exact: true }).fill(own);
    await other.getByRole("button", { name: "Join" }).click();
    await other.waitForURL("**/app");
    await other.getByRole("link", { name: "Team" }).click();
    await other.getByRole("row", { name: /Dora/ }).waitFor();

    await page.getByRole("row", { name: /Dora/ }).getByText("active").waitFor(); // told by the stream
    await line();
    await page.getByRole("row", { name: domain }).getByText("approved").last().waitFor();
    await sound();
    await page.getByRole("table", { name: "Approved domains" }).getByRole("button", { name: "End" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "End" }).click();
    await page.getByRole("table", { name: "Approved domains" }).waitFor({ state: "hidden" });
  },
);

story("who forgot the password sets another by a mail", async ({ page, sound }) => {
  const t = await tenant("Forgetting");
  await page.goto("/login");
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByLabel("Login or email").fill("nobody.at-all");
  await sound();
  await page.getByRole("button", { name: "Mail me a link" }).click();
  await page.getByText("If there is an account for nobody.at-all").waitFor();
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.getByLabel("Login or email").fill(t.admin.login);
  await page.getByRole("button", { name: "Mail me a link" }).click();
  await page.getByText(`If there is an account for ${t.admin.login}`).waitFor();
  await sound();
  const [path] = await mail(t.email, /\/reset#trl_[a-z0-9]+/);
  await page.goto(path);
  expect(await page.getByLabel("Your login").inputValue()).toBe(t.admin.login);
  await sound();
  await page.getByLabel("New password", { exact: true }).fill(own);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("heading", { name: "Your password is set" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "This link was used already" }).waitFor();
  await sound();
  await signIn(page, { login: t.admin.login, password: own });
});

story("somebody with an address of an approved domain signs up", async ({ page, sound, expected }) => {
  expected.push(/status of 403 .*\/sign-ups\/prove$/);
  const t = await tenant("Signing up");
  const domain = `${t.slug}.example`;
  await ok(root.POST("/api/v1/domains", { body: { tenant: t.id, domain } }));
  await ok(t.api.POST("/api/v1/domains", { body: { domain } }));
  const email = `carol@${domain}`;
  await page.goto("/login");
  await page.getByRole("link", { name: "Sign up" }).click();
  await page.getByLabel("Email at work").fill(email);
  await sound();
  await page.getByRole("button", { name: "Mail me a code" }).click();
  await page.getByText(`If ${email} can sign up here`).waitFor();
  const [, code = ""] = await mail(email, / {4}([0-9]{6})\r?\n/);
  await page.getByLabel("Code").fill(code === "000000" ? "000001" : "000000");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("alert").getByText("The code is not right").waitFor();
  await sound();
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText(`You join ${t.name}`).waitFor();
  await sound();
  await page.getByLabel("Your name").fill("Carol");
  await page.getByLabel("Password", { exact: true }).fill(own);
  await page.getByRole("button", { name: "Make my account" }).click();
  await page.waitForURL("**/app");
  const carol = await until("carol", async () => (await ok(t.api.GET("/api/v1/users"))).items?.find((u) => u.email === email));
  expect([carol.role, carol.state]).toEqual(["tenant_user", "active"]);
});

story("a new organisation signs up, and counts for nothing yet", async ({ page, sound }) => {
  const domain = `${unique("new")}.example`;
  const email = `dan@${domain}`;
  await page.goto("/signup");
  await page.getByLabel("Email at work").fill(email);
  await page.getByRole("button", { name: "Mail me a code" }).click();
  const [, code = ""] = await mail(email, / {4}([0-9]{6})\r?\n/);
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText("Your organisation is new here").waitFor();
  await sound();
  await page.getByLabel("Name of your organisation").fill("Northwind & <i>Sons</i>");
  await page.getByLabel("Password", { exact: true }).fill(own);
  await page.getByRole("button", { name: "Make my account" }).click();
  await page.waitForURL("**/app");
  const found = await until("its tenant", async () =>
    (await ok(root.GET("/api/v1/tenants", { params: { query: { limit: 500 } } }))).items?.find((x) => x.name === "Northwind & <i>Sons</i>"),
  );
  const organisation = await ok(root.GET("/api/v1/organisations/{id}", { params: { path: { id: found.organisation } } }));
  expect(organisation.verified).toBe(false);
});
