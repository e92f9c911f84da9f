import { expect } from "vitest";
import { admin, go, ok, root, signIn, story, unique } from "./world";

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
  const shows = async (...want: number[]) => expect.poll(slugs).toEqual(want.map((n) => `${word}-${n}`));
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
  await page.getByRole("checkbox", { name: "Organisation" }).click();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("columnheader", { name: "Organisation" }).count()).toBe(0);
  await expect.poll(async () => (await page.request.get("/api/v1/me/preferences")).text()).toContain("organisation");

  await page.reload();
  await shows(1, 2);
  expect(await page.getByRole("columnheader", { name: "Organisation" }).count()).toBe(0);
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
  await page.reload();
  expect(await page.getByLabel("Rows a page").inputValue()).toBe("25");
});
