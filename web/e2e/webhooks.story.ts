import type { Page } from "playwright-core";
import { expect } from "vitest";
import { admin, signIn, story, tenant, unique } from "./world";

/** Makes a webhook, sends a test, replaces its secret, turns it off and on, and deletes it. */
async function life(page: Page, sound: () => Promise<void>): Promise<void> {
  const address = `https://hooks.example/${unique("hook")}`;
  await page.getByRole("button", { name: "New webhook" }).click();
  const form = page.getByRole("dialog", { name: "New webhook" });
  await form.getByLabel("Address").fill("https://127.0.0.1/inside");
  await form.getByRole("button", { name: "Make" }).click();
  await form.getByRole("alert").waitFor();
  await form.getByLabel("Address").fill(address);
  await form.getByLabel("a file was rejected").check();
  await sound();
  await form.getByRole("button", { name: "Make" }).click();
  const shown = page.getByRole("dialog", { name: "The webhook's secret" });
  const secret = (await shown.getByRole("region", { name: "The webhook's secret" }).innerText()).trim();
  expect(secret).toMatch(/^whsec_/);
  await page.keyboard.press("Escape");
  await shown.waitFor({ state: "hidden" });
  expect(await page.getByText(secret).count()).toBe(0);

  const row = page.getByRole("row", { name: address });
  await row.getByText("a file was rejected").waitFor();
  const act = async (name: string) => {
    await row.getByRole("button", { name: /Actions/ }).click();
    await page.getByRole("menuitem", { name, exact: true }).click();
  };
  await act("Send a test");
  await page.getByText("A test message is on its way.").waitFor();
  await act("Messages");
  const messages = page.getByRole("dialog", { name: "Messages to this webhook" });
  await messages.getByRole("table").getByRole("cell").first().waitFor();
  await sound();
  await page.keyboard.press("Escape");
  await messages.waitFor({ state: "hidden" });

  await act("New secret");
  await page.getByRole("dialog", { name: "Make a new secret?" }).getByRole("button", { name: "New secret" }).click();
  const again = (await shown.getByRole("region", { name: "The webhook's secret" }).innerText()).trim();
  expect(again).not.toBe(secret);
  await page.keyboard.press("Escape");
  await shown.waitFor({ state: "hidden" });

  await act("Turn off");
  await row.getByText("disabled", { exact: true }).waitFor();
  await act("Turn on");
  await row.getByText("active", { exact: true }).waitFor();
  await act("Delete");
  await page.getByRole("dialog", { name: "Delete this webhook?" }).getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "hidden" });
}

story("a tenant's admin makes a webhook, tests it, turns it off and deletes it", async ({ page, sound }) => {
  const t = await tenant("Webhooks");
  await signIn(page, t.admin, "/app/settings");
  await life(page, sound);
});

story("so does the provider's", async ({ page, sound }) => {
  await signIn(page, admin, "/admin/settings");
  await life(page, sound);
});
