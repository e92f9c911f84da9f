import { expect } from "vitest";
import { definitions, lastMonth, participant, send } from "./monthly";
import { admin, signIn, story } from "./world";

story("an admin sees who is missing, reopens the period and closes it again", async ({ page, sound }) => {
  const { dataset, means } = await definitions();
  const [absent, there] = [await participant("Absent", means), await participant("There", means)];
  expect((await send(there, dataset, 5)).state).toBe("accepted");
  // Who has sent once owes each period from then on.
  expect((await send(absent, dataset, 6, "before.csv", lastMonth(2))).state).toBe("accepted");
  const label = lastMonth().slice(0, 7);
  await signIn(page, admin, `/admin/submissions?view=periods&dataset=${dataset}`);
  const grid = page.getByRole("grid", { name: `Tenants by period of ${dataset}` });
  const cell = grid.getByRole("button", { name: `${absent.name}, ${label}: missing` });
  await cell.waitFor();
  await sound();
  // By keyboard: the arrows move in the grid, Enter opens.
  await cell.focus();
  await page.keyboard.press("ArrowDown");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(`${there.name}, ${label}: late`);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("dialog", { name: `Period ${label}` });
  await drawer.getByLabel("Reason").fill("Their system was down");
  await sound();
  await drawer.getByRole("button", { name: "Reopen" }).click();
  await drawer.getByText("Their system was down").waitFor();
  await drawer.getByRole("button", { name: "Close again" }).click();
  await page.getByRole("dialog", { name: "Close this period again?" }).getByRole("button", { name: "Close again" }).click();
  await drawer.getByRole("button", { name: "Reopen" }).waitFor();
  await sound();
  await drawer.getByRole("button", { name: "Close", exact: true }).click();
  // What another sends shows by itself.
  expect((await send(absent, dataset, 7)).state).toBe("accepted");
  await grid.getByRole("button", { name: `${absent.name}, ${label}: late` }).waitFor();
});
