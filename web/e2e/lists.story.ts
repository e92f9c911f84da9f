import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { exchange, file, send } from "./released";
import { admin, go, ok, root, signIn, story, tenant, unique, until, visit } from "./world";

story("a list is searched, filtered and sorted, and looks the same after a reload", async ({ page, sound }) => {
  const word = unique("list");
  for (const [n, tier] of ["basic", "premium", "premium"].entries()) {
    const slug = `${word}-${n}`;
    await ok(
      root.POST("/api/v1/tenants", {
        body: { slug, name: `Lists ${slug} <b>${"ABC"[n]}</b>`, organisation: `Lists ${slug} Ltd`, external_ids: [slug], tier } as never,
      }),
    );
  }
  const slugs = async () => page.locator("tbody tr code").allInnerTexts();
  const shows = async (...want: number[]) =>
    until(`${want}`, async () => (await slugs()).join() === want.map((n) => `${word}-${n}`).join());
  await signIn(page, admin, "/admin/tenants");
  await page.getByRole("searchbox").fill(word.toUpperCase());
  await shows(2, 1, 0);
  await page
    .getByRole("button", { name: "Sort by Slug" })
    .or(page.getByRole("button", { name: "Slug" }))
    .first()
    .click();
  await shows(2, 1, 0);
  await page.getByRole("columnheader", { name: "Slug" }).getByRole("button").click();
  await shows(0, 1, 2);

  await page.getByRole("button", { name: "Filter", exact: true }).click();
  const form = page.getByRole("dialog", { name: "Add filter" });
  await form.getByLabel("Column", { exact: true }).selectOption("tier");
  await form.getByLabel("Operator").selectOption("not");
  await form.getByLabel("Value").selectOption("basic");
  await sound();
  await form.getByRole("button", { name: "Apply" }).click();
  await shows(1, 2);

  await page.getByRole("button", { name: "Columns", exact: true }).click();
  await page.getByRole("checkbox", { name: "Last file" }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("columnheader", { name: "Last file" }).waitFor({ state: "hidden" });
  await until("the choice is saved", async () =>
    (await (await page.request.get("/api/v1/me/preferences")).text()).includes("last_submission"),
  );

  await page.reload();
  await shows(1, 2);
  expect(await page.getByRole("columnheader", { name: "Last file" }).count()).toBe(0);
  expect(await page.getByRole("columnheader", { name: "Slug" }).getAttribute("aria-sort")).toBe("ascending");
  expect(await page.getByRole("searchbox").inputValue()).toBe(word.toUpperCase());
  await sound();

  await page.getByRole("button", { name: "Remove the filter on Tier" }).click();
  await shows(0, 1, 2);
  await go(page, `/admin/tenants?search=${word}&sort=slug&limit=2`); // an address says it all
  await shows(0, 1);
  await page.getByRole("button", { name: "Next page" }).click();
  await shows(2);
  await page.getByRole("button", { name: "Previous page" }).click();
  await shows(0, 1);
  await page.getByLabel("Rows a page").selectOption("25");
  await shows(0, 1, 2);
  await until("the size is saved", async () => /:\s*25\b/.test(await (await page.request.get("/api/v1/me/preferences")).text()));
  await page.reload();
  expect(await page.getByLabel("Rows a page").inputValue()).toBe("25");
});

story("how tenants are is seen at a glance, and as it changes", async ({ page, sound }) => {
  const { a, b, dataset } = await exchange();
  const asleep = unique("asleep");
  await ok(
    root.POST("/api/v1/tenants", {
      body: { slug: asleep, name: `Asleep ${asleep}`, organisation: `${asleep} Ltd`, external_ids: [asleep], tier: "basic" } as never,
    }),
  );
  await ok(root.POST("/api/v1/tenants/{id}/suspend", { params: { path: { id: b.id } }, body: { reason: "unpaid" } }));
  await signIn(page, admin);
  const shows = async (slug: string, words: string) => {
    await visit(page, `/admin/tenants?search=${slug}`);
    await page.getByRole("row").filter({ hasText: slug }).getByText(words, { exact: true }).waitFor();
  };
  await shows(asleep, "not started");
  await shows(b.slug, "not in use");
  await shows(a.slug, "well");
  await send(a, dataset, "bad.csv", file(a, { x: 1 }).replace(",1", ",one"));
  await page.getByText("1 file rejected").waitFor(); // the server told
  await sound();
  await page.getByRole("link", { name: a.name }).click();
  const card = page.getByRole("region", { name: "Health" });
  await card.getByText("1 file rejected").waitFor();
  await card.getByText("Files rejected in 30 days").waitFor();
  await sound();
});

story("a list goes away as a file, or as a command", async ({ page, context, sound }) => {
  const { slug } = await tenant("=1+1 List");
  const other = await tenant("Other");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await signIn(page, admin);
  await go(
    page,
    `/admin/tenants?search=${slug.slice(0, -1)}&sort=-name&filter=name:not:${encodeURIComponent(other.name)}&filter=tier:is:premium`,
  );
  await page.getByRole("cell", { name: `=1+1 List ${slug}` }).waitFor();
  const choose = async (act: string) => {
    await page.getByRole("button", { name: "More of this list" }).click();
    await page.getByRole("menuitem", { name: act }).click();
  };
  const [download] = await Promise.all([page.waitForEvent("download"), choose("Download as CSV")]);
  expect(download.suggestedFilename()).toMatch(/^tenants-\d{4}-\d\d-\d\d\.csv$/);
  const bytes = await readFile(await download.path());
  expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
  const [head, first, ...rest] = bytes.subarray(3).toString().split("\r\n");
  expect(head).toMatch(/^Name,Health,State,/);
  expect(first).toMatch(new RegExp(`^'=1\\+1 List ${slug},well,active,`));
  expect(rest).toEqual([""]);
  await page.getByText("Saved: 1 row.").waitFor();

  await choose("Copy as CLI command");
  await page.getByText("The command is copied.").waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    `tributary tenant list --health --search=${slug.slice(0, -1)} --filter='name:not:${other.name}' --filter=tier:is:premium --sort=-name`,
  );

  // While pages come it says how many, and can be left alone.
  let asked = 0;
  await page.route("**/api/v1/tenants?*limit=500*", async (route) => {
    if (asked++ > 0) return; // the second page never comes
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), next: "more" } });
  });
  await choose("Download as CSV");
  const saving = page.getByRole("dialog", { name: "Download as CSV" });
  await saving.getByText("1 row").waitFor();
  await sound();
  await saving.getByRole("button", { name: "Cancel" }).click();
  await saving.waitFor({ state: "hidden" });
  expect(asked).toBe(2);
});
