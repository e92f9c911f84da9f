import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { released } from "./released";
import { signIn, story, url, visit } from "./world";

story("a tenant looks at a result, and what it downloads is what was sealed for it", async ({ page, sound }) => {
  const { a, result } = await released({ alpha: 10, beta: 20 });
  await signIn(page, a.admin, "/app/results");
  await page.getByRole("cell", { name: "new" }).waitFor();
  await sound();
  // By keyboard: the first row, and in.
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/app/results/${result.id}`);
  await page.getByRole("img", { name: /Value: you and the others/ }).waitFor();
  await sound();
  const picture = page.getByRole("region", { name: "Value: you and the others" }).first();
  await picture.getByRole("button", { name: "View as table" }).click();
  await picture.getByRole("row", { name: "alpha 10.0 11.0" }).waitFor();
  await page
    .getByRole("link", { name: result.name })
    .or(page.getByRole("heading", { name: result.name }))
    .first()
    .waitFor();

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download CSV" }).click()]);
  expect(download.suggestedFilename()).toBe(`${result.name}.csv`);
  const bytes = await readFile(await download.path());
  const sealed = await a.api.GET("/api/v1/results/{id}/content", {
    params: { path: { id: result.id }, query: { format: "csv" } },
    parseAs: "arrayBuffer",
  });
  expect(bytes.equals(Buffer.from(sealed.data as unknown as ArrayBuffer))).toBe(true);

  // It is not new any more, and its own file is named.
  await visit(page, "/app/results");
  await page.getByRole("row").nth(1).waitFor();
  expect(await page.getByRole("cell", { name: "new", exact: true }).count()).toBe(0);
  await page.goto(`${url}/app/results/${result.id}`);
  await page.getByRole("link", { name: result.inputs?.[0]?.dataset ?? /numbers/ }).click();
  await page.waitForURL("**/app/submissions/*");
});
