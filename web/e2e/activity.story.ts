import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { exchange, file, send } from "./released";
import { signIn, story } from "./world";

story("a tenant's admin reads what was done, and verifies the whole log in the browser", async ({ page, sound }) => {
  const { a, dataset } = await exchange();
  const sent = await send(a, dataset, "one.csv", file(a, { alpha: 1 }));
  await signIn(page, a.admin, "/app/activity");
  await page.getByRole("cell", { name: "submission.receive" }).waitFor();
  await page.getByRole("button", { name: "Verify the whole chain" }).click();
  await page.getByText(/All \d+ entries are as they were written/).waitFor();
  await sound();
  const entries = (await a.api.GET("/api/v1/audit", { params: { query: { subject: sent.id } } })).data?.items ?? [];
  expect(entries.some((e) => e.verb === "submission.receive")).toBe(true);

  // One entry, and an address that shows it again.
  await page.getByRole("row", { name: /submission\.receive/ }).click();
  await page.getByRole("dialog").getByText("one.csv").waitFor();
  expect(new URL(page.url()).searchParams.get("entry")).toBeTruthy();
  await page.keyboard.press("Escape");

  // Who did it is chosen by name.
  await page
    .getByRole("button", { name: /filter/i })
    .first()
    .click();
  const filter = page.getByRole("dialog");
  await filter.getByLabel("Column").selectOption("Who");
  await filter.getByLabel("Value").selectOption(a.email);
  await filter.getByRole("button", { name: "Apply" }).click();
  await page.getByText(`Who is ${a.email}`).waitFor();
  await page.getByRole("cell", { name: "submission.receive" }).waitFor({ state: "hidden" }); // a key did that
  await page.getByRole("cell", { name: "apikey.create" }).waitFor();
  await page.getByRole("button", { name: /Remove/ }).click();
  await page.getByRole("cell", { name: "submission.receive" }).waitFor();

  await page.getByRole("button", { name: "More of this list" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "Download as CSV" }).click()]);
  const text = (await readFile(await download.path())).toString();
  expect(text).toMatch(/^\ufeffWhen,Who,What,On what,Outcome,Details\r\n/);
  expect(text).toContain(sent.id);
});

story("a log that was changed on the way is not called whole", async ({ page }) => {
  const { a } = await exchange();
  await page.route("**/api/v1/audit/raw*", async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { items: { seq: number; outcome: string }[] };
    for (const r of body.items) if (r.seq === 2) r.outcome = "denied";
    await route.fulfill({ response: answer, json: body });
  });
  await signIn(page, a.admin, "/app/activity");
  await page.getByRole("button", { name: "Verify the whole chain" }).click();
  await page.getByText("Entry 2: its hash is not the hash of what it says: it was changed.").waitFor();
});
