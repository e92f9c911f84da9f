import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { apply, means, sales } from "./contracts";
import { ended, ok, signIn, signInHere, story, tenant, unique, until, visit } from "./world";

const month = "2026-03-01";

/** Drops files on a page, as from a folder. */
const drop = async (page: Page, files: { name: string; text: string }[]) => {
  await page.locator("[data-choose]").waitFor({ state: "attached" });
  await page.evaluate((all) => {
    const dataTransfer = new DataTransfer();
    for (const f of all) dataTransfer.items.add(new File([f.text], f.name));
    for (const kind of ["dragenter", "dragover", "drop"])
      document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }, files);
};

story("from the first sign-in to the first verdict, with a good file and a bad one", async ({ page, sound }) => {
  const t = await tenant("Submitting");
  const dataset = unique("sales");
  await apply("datasets", sales(dataset));
  await ok(
    t.api.POST("/api/v1/users", {
      body: { email: `bo@${t.slug}.example`, login: "bo", role: "tenant_user", password: "a password of Bo 1" } as never,
    }),
  );
  const analysis = unique("means");
  await apply("analyses", means(analysis, dataset));
  await ok(t.api.POST("/api/v1/analyses/{id}/accept", { params: { path: { id: analysis } }, body: {} }));
  await signIn(page, { login: `${t.slug}.bo`, password: "a password of Bo 1" });
  await page.getByRole("heading", { name: "First steps" }).waitFor();
  await page.getByText("1 of 5 done").waitFor();
  await page
    .getByRole("row", { name: new RegExp(`Sales of ${dataset}`) })
    .first()
    .waitFor();
  await sound();
  await page.getByRole("link", { name: "Send files" }).first().click();
  await page.waitForURL("**/app/submit");
  await page.getByRole("heading", { level: 1, name: "Send files" }).waitFor();
  const good = `${dataset}-${month}-${t.externalId}.csv`;
  const hostile = "<img src=x onerror=alert(1)>";
  await drop(page, [
    { name: good, text: `Month;Shop;Product;Revenue\n${month};${t.externalId};bread;12,50\n${month};${t.externalId};rolls;3,00\n` },
    {
      name: "bad.csv",
      text: `Month;Shop;Product;Revenue\n${month};${t.externalId};${hostile};many\n${month};${t.externalId};rolls;-1,00\n`,
    },
  ]);
  const row = (name: string) => page.getByRole("listitem", { name });
  await row(good).getByText("ready", { exact: true }).waitFor();
  await row("bad.csv").getByText("say what it is for").waitFor();
  await sound();
  await row("bad.csv").getByLabel("Dataset").selectOption(dataset);
  await row("bad.csv").getByLabel("Business date").fill("2026-04-01");
  await row("bad.csv").getByText("does not have the form of this dataset").waitFor();
  await row("bad.csv").getByRole("button", { name: "Remove bad.csv" }).click();
  const bad = `${dataset}-2026-04-01-${t.externalId}.csv`;
  await drop(page, [
    {
      name: bad,
      text: `Month;Shop;Product;Revenue\n2026-04-01;${t.externalId};${hostile};many\n2026-04-01;${t.externalId};rolls;-1,00\n`,
    },
  ]);
  await page.getByRole("button", { name: "Send 2 files" }).click();
  await row(good).getByText("2 rows and 4 columns were read.").waitFor();
  await row(bad).getByText("2 things are wrong with it.").waitFor();
  await row(bad)
    .getByRole("cell", { name: /"many"/ })
    .waitFor();
  await row(bad).getByRole("button", { name: "First rows" }).click();
  const preview = row(bad).getByRole("region", { name: `First rows of ${bad}` });
  await preview.getByText(hostile).waitFor();
  expect(await preview.getByText("(refused)").count()).toBe(2);
  await row(good).getByRole("button", { name: "First rows" }).click();
  await row(good).getByText("As the file was read.").waitFor();
  await row(good)
    .getByRole("region", { name: /First rows/ })
    .getByText("12.50")
    .waitFor();
  await sound();
  await visit(page, "/app");
  await page.getByText("3 of 4 done").waitFor();
  await page.getByRole("button", { name: "Hide for good" }).click();
  await page.reload();
  await page.getByRole("heading", { name: "Last files" }).waitFor();
  expect(await page.getByRole("heading", { name: "First steps" }).count()).toBe(0);
});

story("a large file goes on after a pause, a lost connection and a reload", async ({ page, context, sound, expected }) => {
  expected.push(/net::ERR_INTERNET_DISCONNECTED|net::ERR_FAILED|net::ERR_NETWORK/);
  const t = await tenant("Resuming");
  const dataset = unique("large");
  await apply("datasets", sales(dataset));
  const name = `${dataset}-${month}-${t.externalId}.csv`;
  const folder = mkdtempSync(join(tmpdir(), "story-"));
  try {
    const file = join(folder, name);
    const lines = Array.from({ length: 12_000 }, (_, n) => `${month};${t.externalId};${`${n}-`.padEnd(900, "x")};1,00`);
    writeFileSync(file, `Month;Shop;Product;Revenue\n${lines.join("\n")}\n`);
    const bytes = readFileSync(file);
    await signIn(page, t.admin, "/app/submit");
    const slow = await context.newCDPSession(page);
    const speed = (uploadThroughput: number, offline = false) =>
      slow.send("Network.emulateNetworkConditions", { offline, latency: 5, downloadThroughput: -1, uploadThroughput });
    await slow.send("Network.enable");
    await speed(2_000_000);
    const row = page.getByRole("listitem", { name });
    const arrived = async () => (await ok(t.api.GET("/api/v1/uploads"))).items?.[0]?.offset ?? 0;
    const shown = async () => Number(await row.getByRole("progressbar").getAttribute("value"));
    await page.locator("input[data-choose]").setInputFiles(file);
    await page.getByRole("button", { name: "Send 1 file" }).click();
    await until("the first bytes", async () => (await shown()) > 500_000);
    await row.getByRole("button", { name: "Pause" }).click();
    await row.getByText("paused").waitFor();
    const paused = await until("what had arrived", arrived);
    await sound();
    await speed(2_000_000, true); // which leaves what is under way alone, so it is while it is paused
    await row.getByRole("button", { name: "Go on" }).click();
    await row.getByText("connection lost").waitFor();
    await speed(2_000_000);
    await row.getByText("sending", { exact: true }).waitFor();
    await until("more bytes", async () => (await shown()) > paused + 500_000);
    page.on("dialog", (d) => void d.accept()); // it asks before it is left
    await page.reload();
    await page.getByRole("heading", { name: "Not finished" }).waitFor();
    const kept = await until("what had arrived", arrived);
    expect(kept).toBeGreaterThan(paused);
    expect(kept).toBeLessThan(bytes.length);
    await sound();
    const other = join(folder, "other.csv");
    writeFileSync(other, "no");
    const again = row.locator("input[type=file]");
    await again.setInputFiles(other);
    await row.getByText("That is another file.").waitFor();
    await speed(-1);
    await again.setInputFiles(file);
    await row.getByText("12,000 rows and 4 columns were read.").waitFor({ timeout: 30_000 });
    const sent = (await ok(t.api.GET("/api/v1/submissions"))).items?.[0];
    const whole = await ok(t.api.GET("/api/v1/submissions/{id}", { params: { path: { id: sent?.id ?? "" } } }));
    expect(whole.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(Object.keys(await page.evaluate(() => ({ ...localStorage }))).filter((k) => k.startsWith("upload."))).toEqual([]);
    await slow.detach(); // and with it ends what it slows down
  } finally {
    rmSync(folder, { recursive: true });
  }
});

story("after the session has ended an upload goes on once one has signed in again", async ({ page, expected }) => {
  expected.push(ended);
  const t = await tenant("Returning");
  const dataset = unique("again");
  await apply("datasets", sales(dataset));
  await signIn(page, t.admin, "/app/submit");
  const name = `${dataset}-${month}-${t.externalId}.csv`;
  await drop(page, [{ name, text: `Month;Shop;Product;Revenue\n${month};${t.externalId};bread;12,50\n` }]);
  const row = page.getByRole("listitem", { name });
  await row.getByText("ready", { exact: true }).waitFor();
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Send 1 file" }).click();
  await signInHere(page, t.admin);
  await row.getByText("1 rows and 4 columns were read.").waitFor();
});
