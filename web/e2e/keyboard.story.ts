import { expect } from "vitest";
import { admin, signIn, story, tenant, until, violations } from "./world";

story("everything is reached from the keyboard", async ({ page, sound }) => {
  const t = await tenant("Keyboard");
  await signIn(page, admin, "/admin/tenants");
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Search and go" });
  await palette.waitFor();
  await sound();
  await page.keyboard.type("light or");
  await page.keyboard.press("Enter");
  await palette.waitFor({ state: "hidden" });
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
  expect(await violations(page), "the frame, wide and dark").toEqual([]);
  await page.keyboard.press("t");
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("light");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await sound();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor({ state: "hidden" });
  await page.getByRole("searchbox").waitFor();
  await page.keyboard.press("/");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("type"))).toBe("search");
  await page.keyboard.type("t?g"); // in a field these are letters
  expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).value)).toBe("t?g");

  // Whoever follows a link goes on at the heading of the page that it leads to.
  const heading = () => page.evaluate(() => document.activeElement?.matches("h1") && document.activeElement.textContent);
  await page.getByRole("searchbox").fill("");
  await page.getByRole("link", { name: t.name }).click();
  await until("the heading of a link in the page", async () => (await heading()) === t.name);
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await until("the heading of a link in the menu", async () => (await heading()) === "Runs");
  await page.keyboard.type("gt");
  await until("the heading after keys", async () => (await heading()) === "Tenants");

  // The palette finds things by name, and does what there is an address for.
  await page.keyboard.press("Control+k");
  await page.keyboard.type(t.slug);
  await palette.getByRole("option", { name: t.name }).waitFor();
  await sound();
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/admin/tenants/${t.id}`);
  await until("the heading of what was found", async () => (await heading()) === t.name);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("analyses run");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Run analyses" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("nothing is called so");
  await palette.getByText("Nothing is called like that.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { level: 1 }).focus();
  await page.keyboard.type("gu");
  await page.waitForURL("**/admin/people");
});
