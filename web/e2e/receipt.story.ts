import { expect } from "vitest";
import { file, released, send } from "./released";
import { signIn, story, until, visit } from "./world";

story("a tenant checks its receipt in the browser, and withdraws the file", async ({ page, sound }) => {
  const { a, dataset, submission, result } = await released({ alpha: 1, beta: 2 });
  await signIn(page, a.admin, `/app/submissions/${submission.id}`);
  const receipt = page.getByRole("article");
  await receipt.getByText("Checked in this browser").waitFor();
  expect(await receipt.getByText("right", { exact: true }).count()).toBe(4);
  await receipt.getByRole("link", { name: result.name }).waitFor();
  await sound();
  const choose = (text: string) =>
    receipt
      .getByLabel("Check against the file on your disk")
      .setInputFiles({ name: "mine.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
  await choose(file(a, { alpha: 1, beta: 2 }));
  await receipt.getByText("The file that you chose has this SHA-256.").waitFor();
  expect(await receipt.getByText("right", { exact: true }).count()).toBe(5);
  await choose(file(a, { alpha: 1, beta: 3 }));
  await receipt.getByText("wrong", { exact: true }).waitFor();

  // A newer file takes its place, and is withdrawn.
  const second = await send(a, dataset, "corrected.csv", file(a, { alpha: 1 }));
  await visit(page, "/app/submissions");
  await page.getByRole("cell", { name: "superseded" }).waitFor();
  await sound();
  await page.getByRole("link", { name: "corrected.csv" }).click();
  await page.waitForURL(`**/app/submissions/${second.id}`);
  await page.getByRole("row", { name: /first\.csv/ }).waitFor(); // its older version
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("menuitem", { name: "Withdraw" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
  await page.getByText("The file is withdrawn.").waitFor();
  await page.getByText("It was taken back: no later run reads it.").waitFor();
  await until("it is withdrawn", async () => {
    const s = await a.api.GET("/api/v1/submissions/{id}", { params: { path: { id: second.id } } });
    return s.data?.state === "withdrawn";
  });
});
