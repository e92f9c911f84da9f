import { expect } from "vitest";
import { definitions, lastMonth, participant, send } from "./monthly";
import { admin, ok, root, signIn, story, visit } from "./world";

story("an admin runs two analyses now and watches them finish", async ({ page, sound }) => {
  const { dataset, means, sums } = await definitions();
  for (const [i, name] of ["One", "Two", "Three", "Four"].entries()) {
    const t = await participant(name, means, sums);
    expect((await send(t, dataset, 100 + i)).state).toBe("accepted");
  }
  await signIn(page, admin, "/admin");
  await sound();
  await page.getByRole("button", { name: "Run analyses" }).click();
  const drawer = page.getByRole("dialog", { name: "Run analyses" });
  await drawer.getByRole("checkbox", { name: new RegExp(means) }).check();
  await drawer.getByRole("checkbox", { name: new RegExp(sums) }).check();
  await drawer.getByRole("combobox", { name: "Period" }).selectOption(lastMonth());
  await drawer.getByRole("button", { name: "Dry run" }).click();
  await drawer.getByRole("region", { name: "Dry run" }).getByText("enough take part").nth(1).waitFor();
  await sound();
  await drawer.getByRole("button", { name: "Run 2 analyses" }).click();
  // Nothing is pressed from here on: the server tells the page.
  const started = drawer.getByRole("list", { name: "Started" }).getByRole("listitem");
  await started.filter({ hasText: means }).getByText("succeeded").waitFor();
  await started.filter({ hasText: sums }).getByText("succeeded").waitFor();
  await sound();
  await started.filter({ hasText: sums }).getByRole("link").click();
  await page.getByText("It succeeded: 4 values went to 4 recipients.").waitFor();
  await page.getByText("Nothing was hidden").waitFor();
  await page
    .getByLabel(/^Log of/)
    .getByText("sandbox: ")
    .waitFor();
  const file = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download all" }).click();
  expect((await file).suggestedFilename()).toMatch(/^run_.*\.log$/);
  await sound();
  await visit(page, "/admin/runs?view=dates");
  await page.getByRole("table", { name: lastMonth() }).getByRole("link", { name: sums }).waitFor();
  await sound();
});

story("a run that did not run explains itself, and is run again", async ({ page, sound }) => {
  const { means } = await definitions();
  const made = await ok(root.POST("/api/v1/runs", { body: { analyses: [means], date: lastMonth() } }));
  const id = made.items?.[0]?.id ?? "";
  await signIn(page, admin, `/admin/runs/${id}`);
  await page.getByText(/^It (did not run|failed)/).waitFor();
  await page.getByText("participants", { exact: false }).first().waitFor();
  await sound();
  await visit(page, "/admin");
  await page.getByRole("link", { name: `${means} for ${lastMonth()}` }).click();
  await page.getByRole("button", { name: "Run again" }).click();
  await page.waitForURL((u) => u.pathname.startsWith("/admin/runs/run_") && !u.pathname.endsWith(id));
  await page.getByText(/^It (did not run|failed)/).waitFor();
});
