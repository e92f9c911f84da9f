import { expect } from "vitest";
import { definitions, lastMonth, participant, send } from "./monthly";
import { admin, ok, root, signIn, story } from "./world";

const script = `<script>window.hacked=1</script><img src=x onerror="window.hacked=2">`;
const mirrored = `${script} שלום ${"long".repeat(25)}`;
const long = `a${"W".repeat(190)}`;

story("names that want to be more than text are text on the provider's pages of work", async ({ page, sound }) => {
  const { dataset, means } = await definitions();
  const tenants = [];
  for (const [i, name] of [mirrored, long, "Plain", "Other"].entries()) {
    const t = await participant(["Script", "Long", "Plain", "Other"][i] ?? "", means);
    await ok(root.PATCH("/api/v1/tenants/{id}", { params: { path: { id: t.id } }, body: { name } }));
    const file = i === 0 ? `${"<img src=x onerror=window.hacked=3>"}שלום.csv` : i === 1 ? `${"x".repeat(250)}.csv` : "plain.csv";
    expect((await send(t, dataset, 10 + i, file)).state).toBe("accepted");
    tenants.push(t);
  }
  const made = await ok(root.POST("/api/v1/runs", { body: { analyses: [means], date: lastMonth() } }));
  const run = made.items?.[0]?.id ?? "";
  await signIn(page, admin);
  const look = async (path: string, text: string) => {
    await page.goto(path); // behind an open drawer there is no menu to wait for
    await page.getByText(text, { exact: false }).first().waitFor();
    await sound();
    expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined();
  };
  await look(`/admin/runs/${run}`, "It succeeded");
  await page.getByText("onerror").first().waitFor();
  await look(`/admin/submissions`, "onerror");
  await look(`/admin/submissions?view=periods&dataset=${dataset}`, "onerror");
  await look(`/admin/submissions?view=periods&dataset=${dataset}&period=${tenants[0]?.id}+${lastMonth()}`, "All tenants");
  await look("/admin/results", "out-");
  await look(`/admin/analyses/${means}`, "onerror");
  await look("/admin", "Needs attention");
  const file = (await ok(root.GET("/api/v1/submissions", { params: { query: { dataset, tenant: tenants[1]?.id ?? "" } } }))).items?.[0]?.id;
  await look(`/admin/submissions?open=${file}`, "xxxxx");
});
