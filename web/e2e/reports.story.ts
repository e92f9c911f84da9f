import { expect } from "vitest";
import { definitions, participant, send } from "./monthly";
import { admin, signIn, story, until } from "./world";

story("an admin reads what came and ran over time, as charts and as tables", async ({ page, sound }) => {
  const { dataset, means } = await definitions();
  expect((await send(await participant("Sender", means), dataset, 5)).state).toBe("accepted");
  await signIn(page, admin, "/admin/reports");
  const chart = page.getByRole("img", { name: /^Files received\. Files: from / });
  await chart.waitFor();
  await page.getByRole("table", { name: "Files received, dataset" }).getByRole("link", { name: dataset }).waitFor();
  await sound();
  // The chart can be read as a table.
  await page.getByRole("button", { name: "View as table" }).first().click();
  const today = new Date().toLocaleDateString("sv", { timeZone: "Europe/Zurich" });
  await page.getByRole("table", { name: "Files received", exact: true }).getByRole("cell", { name: today }).waitFor();
  await page.getByRole("button", { name: "View as chart" }).click();
  // Dragging across it asks for that part, and the address says so.
  // It is drawn after it is there, and until then nothing can be dragged.
  await until("a part that is asked for", async () => {
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    if (!box) throw new Error("the chart has no place");
    await page.mouse.move(box.x + box.width * 0.5, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 110, { steps: 5 });
    await page.mouse.up();
    return page.waitForURL(/from=\d{4}-\d{2}-\d{2}/, { timeout: 2000 }).then(
      () => true,
      () => false,
    );
  });
  await page.getByRole("link", { name: "12 months" }).click();
  await page.waitForURL(/each=month/);
  await chart.waitFor();
  await page.getByLabel("By").selectOption("tenant");
  await page
    .getByRole("table", { name: "Files received, tenant" })
    .getByRole("link", { name: /^Sender/ })
    .first()
    .waitFor();
  await sound();
});
