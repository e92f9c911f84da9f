import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { send } from "./events";
import { admin, go, nobody, ok, root, signIn, story, tenant, unique, until, visit } from "./world";

story("a source is made, its key put in, its first event seen, and it is revoked", async ({ page, sound }) => {
  const t = await tenant("Events");
  const name = unique("backend");
  await signIn(page, admin, "/admin/sources");
  await page.getByRole("button", { name: "New source" }).click();
  const form = page.getByRole("dialog", { name: "New source" });
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Field with the tenant").fill("the tenant");
  await form.getByRole("button", { name: "New source" }).click();
  await form.getByRole("alert").waitFor();
  await form.getByLabel("Field with the tenant").fill("subject");
  await sound();
  await form.getByRole("button", { name: "New source" }).click();
  const made = page.getByRole("dialog", { name: `${name} can send now` });
  const key = (await made.getByRole("region", { name: "The write key" }).innerText()).trim();
  expect(key).toMatch(/^trw_/);
  await made.getByText("Waiting for its first event…").waitFor();
  await made.getByLabel("Client", { exact: true }).selectOption("CloudEvents with curl");
  expect(await made.getByRole("region", { name: "CloudEvents with curl" }).innerText()).toContain(key);
  await sound();

  // What names no tenant is seen to be in quarantine; what is right has arrived.
  await send(key, { type: "story.stray", subject: unique("nobody") });
  await made.getByText("An event came, and is in quarantine:").waitFor();
  await send(key, { type: "story.first", subject: t.slug });
  await made.getByText("The first event has arrived: story.first.").waitFor();
  await sound();
  await made.getByRole("button", { name: "I have put it in" }).click();
  await made.waitFor({ state: "hidden" });
  expect(await page.content()).not.toContain(key);

  await page.getByRole("button", { name, exact: true }).click();
  const drawer = page.getByRole("dialog", { name });
  await drawer.getByText(`…${key.slice(-4)}`).waitFor();
  await sound();
  await drawer.getByRole("button", { name: "Revoke" }).click();
  await page
    .getByRole("dialog", { name: `Revoke ${name}?` })
    .getByRole("button", { name: "Revoke" })
    .click();
  await page.getByText("The source is revoked.").waitFor();
  await drawer.getByText("revoked", { exact: true }).waitFor();
  expect((await send(key, { type: "story.late", subject: t.slug })).status).toBe(401);
});

story("events are seen as they come, found by their words, and looked back at", async ({ page, sound }) => {
  const t = await tenant("Stream");
  const other = await tenant("Other stream");
  const { key = "" } = await ok(root.POST("/api/v1/sources", { body: { name: unique("stream"), tenant_field: "subject" } }));
  await send(key, { type: "story.before", subject: t.slug });
  await signIn(page, admin, `/admin/streams?tenant=${t.id}`);
  const rows = page.getByRole("row");
  await rows.filter({ hasText: "story.before" }).waitFor(); // it came before the page was opened
  await page.getByText("Live", { exact: true }).waitFor();
  await send(key, { type: "story.elsewhere", subject: other.slug });
  await send(key, { type: "story.one", subject: t.slug, user: "ada", data: { amount: 12.5 } });
  await rows.filter({ hasText: "story.one" }).waitFor();
  expect(await rows.filter({ hasText: "story.elsewhere" }).count()).toBe(0);
  await sound();

  await page.getByRole("button", { name: "Pause" }).click();
  await send(key, { type: "story.two", subject: t.slug });
  await page.getByText("Paused: 1 event waits.").waitFor();
  expect(await rows.filter({ hasText: "story.two" }).count()).toBe(0);
  await page.getByRole("button", { name: "Go on" }).click();
  await rows.filter({ hasText: "story.two" }).waitFor();

  await page.getByLabel("Type or who").fill("one ADA");
  await until("others are gone", async () => (await rows.filter({ hasText: "story." }).count()) === 1);
  await page.getByRole("button", { name: "story.one" }).click();
  const drawer = page.getByRole("dialog", { name: "story.one" });
  expect(JSON.parse(await drawer.getByRole("region", { name: "As JSON" }).innerText())).toMatchObject({
    data: { amount: 12.5 },
    user: "ada",
  });
  await sound();
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: "Look back" }).click();
  await rows.filter({ hasText: "story.two" }).waitFor();
  await visit(page, `/admin/streams?view=past&tenant=${t.id}&since=2100-01-01T00:00:00Z`);
  await page.getByText("Nothing fits these filters.").waitFor();
  await sound();
});

story("what is in quarantine is looked at, judged again and removed, one or many at a time", async ({ page, sound }) => {
  const slug = unique("t");
  const name = unique("backend");
  const { key = "", id } = await ok(root.POST("/api/v1/sources", { body: { name, tenant_field: "subject" } }));
  for (const type of ["story.one", "story.two", "story.three", "story.four"]) await send(key, { type, subject: slug });
  await send(key, { type: "story.never", subject: unique("nobody") });
  await signIn(page, admin, "/admin/quarantine");
  await page.getByLabel("Source").selectOption(name);
  await page.getByLabel("Reason").selectOption("no tenant");
  const row = (type: string) => page.getByRole("row").filter({ hasText: type });
  await row("story.one").getByRole("button").click();
  const drawer = page.getByRole("dialog", { name: "Event in quarantine" });
  expect(JSON.parse(await drawer.getByRole("region", { name: "As it would be kept" }).innerText())).toMatchObject({ type: "story.one" });
  await sound();
  await drawer.getByRole("button", { name: "Judge again" }).click();
  await page.getByText("0 taken in, 1 still in quarantine.").waitFor(); // there is no such tenant yet
  await ok(
    root.POST("/api/v1/tenants", { body: { slug, name: slug, organisation: `${slug} Ltd`, external_ids: [slug], tier: "basic" } as never }),
  );

  await page.getByLabel("Choose story.one").check();
  await page.getByLabel("Choose story.two").check();
  await page.getByText("2 chosen").waitFor();
  await sound();
  await page.getByRole("button", { name: "Judge again" }).click();
  await page.getByText("2 taken in, 0 still in quarantine.").waitFor();
  await row("story.one").waitFor({ state: "hidden" });

  await page.getByLabel("Choose story.three").check();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  const sure = page.getByRole("dialog", { name: "Remove this event?" });
  await sound();
  await sure.getByRole("button", { name: "Remove for good" }).click();
  await row("story.three").waitFor({ state: "hidden" });

  await page.getByRole("button", { name: "Judge all again" }).click();
  const all = page.getByRole("dialog", { name: "Judge all again" });
  await all.getByText(name).waitFor();
  await all.getByRole("button", { name: "Judge again" }).click();
  await page.getByText("1 taken in, 1 still in quarantine.").waitFor();
  await row("story.four").waitFor({ state: "hidden" });
  expect(await row("story.never").count()).toBe(1);

  // What comes now is seen without asking.
  await send(key, { type: "story.more", subject: unique("nobody") });
  await row("story.more").waitFor();
  await ok(root.DELETE("/api/v1/sources/{id}", { params: { path: { id } } }));
});

story("the tracking plan is changed, what is wrong is told by line, and versions are compared", async ({ page, sound }) => {
  const type = unique("story.paid");
  await signIn(page, admin, "/admin/plan?edit=yes");
  const yaml = page.getByLabel("The plan, in YAML");
  await yaml.fill(`events:\n  - type: ${type}\n    fields:\n      - {name: amount, type: nr}\n  - type: ${type}\n`);
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText(`${type}.amount: its type must be one of`).waitFor();
  await page.getByText(`${type}: is there twice`).waitFor();
  await sound();
  await page.getByRole("button", { name: "Line 4" }).click();
  const selected = () => yaml.evaluate((a: HTMLTextAreaElement) => a.value.slice(a.selectionStart, a.selectionEnd));
  expect((await selected()).trim()).toBe("- {name: amount, type: nr}");
  const apply = async (fields: string) => {
    await yaml.fill(`events:\n  - type: ${type}\n    owner: billing\n    fields:\n      - {name: amount, type: number}\n${fields}`);
    await page.getByRole("button", { name: "Apply" }).click();
    const said = page.getByText(/^Version \d+ of the plan is in use\.$/).first();
    const version = (await said.innerText()).match(/\d+/)?.[0] ?? "";
    await page.getByRole("button", { name: "Change the plan" }).waitFor();
    return version;
  };
  const first = await apply("");
  await go(page, "/admin/plan?edit=yes");
  const second = await apply("      - {name: currency, type: string, pii: true}\n");

  await go(page, `/admin/plan?version=${second}`);
  await page.getByRole("button", { name: type }).click();
  const drawer = page.getByRole("dialog", { name: type });
  await drawer.getByText("says something about a person").waitFor();
  await sound();
  await page.keyboard.press("Escape");
  await go(page, `/admin/plan?version=${second}&view=changes&against=${first}`);
  await page.getByText("1 line added, 0 lines taken away").waitFor();
  await sound();
});

story("who asks the warehouse writes SQL, takes the answer away, and finds what was asked before", async ({ page, context, sound }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await signIn(page, admin, "/admin/query");
  const sql = page.getByLabel("SELECT statement");
  const run = page.getByRole("button", { name: "Run", exact: true });
  await sql.fill("SELECT nothing");
  await run.click();
  await page.getByRole("alert").waitFor();
  await sql.fill("SELECT '=1+1' AS formula, 2.5::DOUBLE AS number, NULL AS gap");
  await sql.press("Control+Enter");
  const answer = page.getByRole("region", { name: "Rows of the answer" });
  await answer.getByRole("cell", { name: "2.5" }).waitFor();
  await answer.getByRole("columnheader", { name: "number number" }).waitFor();
  await answer.getByText("no value").waitFor();
  await page.getByText("dim_tenant", { exact: true }).click();
  await sound();
  const choose = async (act: string) => {
    await page.getByRole("button", { name: "More of this answer" }).click();
    await page.getByRole("menuitem", { name: act }).click();
  };
  const [download] = await Promise.all([page.waitForEvent("download"), choose("Download as CSV")]);
  expect((await readFile(await download.path())).subarray(3).toString()).toBe("formula,number,gap\r\n'=1+1,2.5,\r\n");
  await choose("Copy as CLI command");
  await page.getByText("The command is copied.").waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    `tributary query 'SELECT '\\''=1+1'\\'' AS formula, 2.5::DOUBLE AS number, NULL AS gap'`,
  );

  // What takes long is told, and ends when it is cancelled.
  await sql.fill("SELECT count(*) FROM range(1000000) a, range(1000000) b");
  await run.click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("It was cancelled.").waitFor();

  await go(page, "/admin/query"); // it is remembered
  await page.getByRole("region", { name: "Statements" }).getByRole("button", { name: /=1\+1/ }).click();
  expect(await sql.inputValue()).toContain("=1+1");

  // A question gets a name, fields, and an end.
  const name = unique("story");
  await sql.fill("-- What was asked for.\n-- parameter word text = none -- What is said\nSELECT $word AS said");
  await page.getByRole("button", { name: "Save as a named query" }).click();
  const form = page.getByRole("dialog", { name: "Save as a named query" });
  await form.getByLabel("Name").fill(name);
  await sound();
  await form.getByRole("button", { name: "Save as a named query" }).click();
  await page.getByText(`${name} is saved as version 1.`).waitFor();
  await page.getByLabel("word").fill("something");
  await run.click();
  await answer.getByRole("cell", { name: "something" }).waitFor();
  await sound();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByLabel(`Type ${name} to confirm`).fill(name);
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("It is deleted.").waitFor();
});

story("a tenant's admin makes a source, sees its own events and asks about them; its users ask", async ({ page, another, sound }) => {
  const t = await tenant("Own");
  const other = await tenant("Not own");
  await signIn(page, t.admin, "/app/events?view=sources");
  await page.getByRole("button", { name: "New source" }).click();
  const form = page.getByRole("dialog", { name: "New source" });
  await form.getByLabel("Name").fill("shop");
  expect(await form.getByLabel("Field with the tenant").count()).toBe(0); // its own are all of its tenant
  await form.getByRole("button", { name: "New source" }).click();
  const made = page.getByRole("dialog", { name: "shop can send now" });
  const key = (await made.getByRole("region", { name: "The write key" }).innerText()).trim();
  await send(key, { type: "story.own", tenant: other.slug, subject: "basket" });
  await made.getByText("The first event has arrived: story.own.").waitFor();
  await sound();
  await made.getByRole("button", { name: "I have put it in" }).click();

  await page.getByRole("link", { name: "As they come" }).click();
  await page.getByRole("row").filter({ hasText: "story.own" }).waitFor();
  await sound();
  await page.getByRole("link", { name: "Look back" }).click();
  await page.getByRole("row").filter({ hasText: "story.own" }).waitFor();
  await send(key, { type: "story\u0001control" });
  await page.getByRole("link", { name: "Quarantine" }).click();
  await page.getByText("It has no type, or one with control characters in it.").waitFor();
  await sound();
  await page.getByRole("link", { name: "Query", exact: true }).click();
  await page.getByRole("button", { name: "activity", exact: true }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByText(/\d+ rows? in /).waitFor();
  await page.getByRole("button", { name: "Write SQL instead" }).click();
  await page.getByLabel("SELECT statement").fill("SELECT count(*) AS n, count(DISTINCT tenant) AS tenants FROM dim_tenant");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("row", { name: "1 1" }).waitFor(); // there are others
  await page.getByText("fact_event", { exact: true }).click();
  expect(await page.getByText("load_position").count()).toBe(0);
  await sound();

  const password = "a password of bob 12";
  const body = { email: `bob@${t.slug}.example`, login: "bob", role: "tenant_user", password } as never;
  await ok(t.api.POST("/api/v1/users", { body }));
  const theirs = await another();
  const own = "a password of his own 12";
  const session = await ok(nobody.POST("/api/v1/sessions", { body: { login: `${t.slug}.bob`, password, new_password: own } }));
  await signIn(theirs, { login: `${t.slug}.bob`, password: own, token: session.token }, "/app/events");
  await theirs.getByRole("button", { name: "activity", exact: true }).waitFor();
  expect(await theirs.getByRole("link", { name: "Sources" }).count()).toBe(0);
});

story("what the archive has is listed, and verified", async ({ page, sound }) => {
  const t = await tenant("Archive");
  const { key = "" } = await ok(t.api.POST("/api/v1/sources", { body: { name: "shop" } }));
  await send(key, { type: "story.archived" });
  await ok(root.POST("/api/v1/archive/flush"));
  await signIn(page, admin, `/admin/archive?tenant=${t.id}&stream=events`);
  const row = page.getByRole("row").filter({ hasText: "events" });
  await row.getByRole("button").click();
  await page
    .getByRole("dialog", { name: /^events, / })
    .getByText("Object (SHA-256)")
    .waitFor();
  await sound();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Verify" }).click();
  const dialog = page.getByRole("dialog", { name: "Verify the archive" });
  await dialog.getByRole("button", { name: "Verify" }).click();
  await dialog.getByText("All is well: 1 objects with 1 events are as they were written.").waitFor();
  await sound();
  await signIn(page, t.admin, "/app/events?view=archive&stream=events");
  await row.getByRole("button").waitFor();
  await sound();
});

story("how new a tenant's events are is seen by the provider and by the tenant", async ({ page, sound }) => {
  const t = await tenant("Fresh");
  const name = unique("fresh");
  const { key = "" } = await ok(root.POST("/api/v1/sources", { body: { name, tenant_field: "subject" } }));
  await send(key, { type: "story.fresh", subject: t.slug });
  await signIn(page, admin, "/admin/freshness");
  await page.getByLabel("Tenant's name").fill(t.name);
  const cell = page.getByRole("button", { name: `${t.name}, fact_event: fresh: as expected` });
  await cell.waitFor({ timeout: 30_000 });
  await sound();
  await cell.click();
  await page
    .getByRole("dialog", { name: `${t.name}: fact_event` })
    .getByText("fresh", { exact: true })
    .waitFor();
  await sound();
  await signIn(page, t.admin, "/app/events?view=freshness");
  await page.getByRole("row").filter({ hasText: "fact_event" }).getByText("fresh", { exact: true }).waitFor();
  await sound();
});
