import type { Page } from "playwright-core";
import { go, signIn, story, type User } from "./world";

// The pictures that the documentation shows, of a demo: test/portal/images_test.go has them made.
const { dir, tenant, staff } = JSON.parse(process.env.TRIBUTARY_IMAGES ?? "{}") as { dir: string; tenant: User; staff: User };

/** Shows a page as it is when everything has come and nothing moves. */
async function shoot(page: Page, name: string): Promise<void> {
  await page.locator("main h1").waitFor();
  await page.locator("main :is(table, [role=img], dl, svg)").first().waitFor();
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  await page.evaluate(() => document.fonts.ready);
  for (const [theme, other] of [
    ["light", "Dark theme"],
    ["dark", "Light theme"],
  ]) {
    await page.mouse.move(0, 0);
    await page.screenshot({ path: `${dir}/${name}-${theme}.png`, animations: "disabled", caret: "hide" });
    await page.getByRole("button", { name: other }).click();
  }
}

const at = async (page: Page, who: User) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ reducedMotion: "reduce", colorScheme: "light" });
  await signIn(page, who);
};

story("pictures are made of a tenant's pages", async ({ page }) => {
  await at(page, tenant);
  await go(page, "/app");
  await page
    .getByRole("link", { name: /^revenue-benchmark/ })
    .first()
    .waitFor();
  await shoot(page, "home");
  await page
    .getByRole("link", { name: /^revenue-benchmark/ })
    .first()
    .click();
  await page.getByText("Your own value").first().waitFor();
  await shoot(page, "result");
});

story("pictures are made of the provider's pages", async ({ page }) => {
  await at(page, staff);
  await go(page, "/admin");
  await page.getByText("Needs attention").waitFor();
  await shoot(page, "overview");
});
