import { expect } from "vitest";
import { hostile, released, send } from "./released";
import { go, ok, root, signIn, story } from "./world";

story("names that want to be more than text are text, on every page that shows them", async ({ page, sound }) => {
  const tags = [hostile.script, hostile.markup, hostile.rightToLeft, hostile.long];
  const { a, dataset, submission, result } = await released(Object.fromEntries(tags.map((t, i) => [t, i + 1])), hostile.file);
  const rejected = await send(
    a,
    dataset,
    `bad ${hostile.file}`.slice(0, 200),
    `Date,${hostile.script},"${hostile.markup.replaceAll('"', '""')}",${hostile.long}\n1,2,3,4\n`,
  );
  expect(rejected.state).toBe("rejected");
  page.on("dialog", (d) => {
    throw new Error(`a dialog opened: ${d.message()}`);
  });
  await signIn(page, a.admin);
  const shows = async (path: string, ...texts: (string | RegExp)[]) => {
    await go(page, path);
    for (const text of texts) await page.getByText(text).first().waitFor({ state: "attached" });
    expect(await page.evaluate(() => (window as { hacked?: number }).hacked), path).toBeUndefined();
    expect(await page.locator("main script, main img").count(), path).toBe(0);
  };
  await shows("/app/submissions", hostile.file);
  await sound();
  await shows(`/app/submissions/${submission.id}`, hostile.file);
  await page.getByRole("button", { name: "Show the first rows" }).click();
  for (const tag of tags)
    await page
      .getByRole("cell", { name: tag.slice(0, 100) })
      .first()
      .waitFor();
  await sound();
  await shows(`/app/submissions/${rejected.id}`, /<script>/);
  await sound();
  await shows("/app/results", result.name);
  await shows(`/app/results/${result.id}`, ...tags);
  await sound();
});

story("so are those of people, holds and what was done", async ({ page, sound }) => {
  const { a } = await released({ alpha: 1 }, hostile.file);
  await ok(
    a.api.POST("/api/v1/users", {
      body: { email: `eve@${a.slug}.example`, name: `${hostile.script}${hostile.long}`.slice(0, 200), role: "tenant_user" } as never,
    }),
  );
  await ok(root.POST("/api/v1/holds", { body: { tenant: a.id, reason: (hostile.markup + hostile.long).slice(0, 400) } }));
  await signIn(page, a.admin);
  const clean = async () => {
    expect(await page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined();
    expect(await page.locator("main script, main img").count()).toBe(0);
    await sound();
  };
  await go(page, "/app/team");
  await page.getByRole("cell", { name: hostile.script }).first().waitFor();
  await clean();
  await go(page, "/app/activity");
  await page
    .getByText(/onerror=window/)
    .first()
    .waitFor({ state: "attached" });
  await clean();
  await go(page, "/app/settings");
  await page.getByText(/onerror=window/).waitFor();
  await clean();
});
