import { ok, root, type Tenant, tenant, unique, until, url } from "./world";

export const date = "2026-01-05";

/** Names that want to be more than text. */
export const hostile = {
  script: "<script>window.hacked=1</script>",
  markup: '"><img src=x onerror=window.hacked=2>&amp;<b>',
  rightToLeft: "שלום (רווח) abc",
  long: "W".repeat(300),
  file: `<img src=x onerror=window.hacked=3>שלום-${"x".repeat(180)}.csv`,
};

async function apply(path: string, yaml: string): Promise<void> {
  const r = await fetch(`${url}/api/v1${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.TRIBUTARY_TOKEN}`, "Content-Type": "application/yaml" },
    body: yaml,
  });
  if (!r.ok) throw new Error(`${path}: ${r.status} ${await r.text()}`);
}

/** Sends a file as a program would, and waits for its verdict. */
export async function send(t: Tenant, dataset: string, name: string, text: string) {
  const sent = await ok(
    t.api.POST("/api/v1/submissions", {
      params: { query: { dataset, date, name } },
      body: text as never,
      bodySerializer: (b: unknown) => b as string,
      headers: { "Content-Type": "application/octet-stream" },
    }),
  );
  return until(`a verdict on ${name}`, async () => {
    const s = await ok(t.api.GET("/api/v1/submissions/{id}", { params: { path: { id: sent.id } } }));
    return s.state !== "received" && s.state !== "validating" && s;
  });
}

const quoted = (s: string) => `"${s.replaceAll('"', '""')}"`;

/** A file of these values: a line for each tag. */
export const file = (t: Tenant, values: Record<string, number>) =>
  ["Date,Client,Tag,Value", ...Object.entries(values).map(([tag, v]) => `20260105,${t.externalId},${quoted(tag)},${v}`), ""].join("\n");

/** A dataset and an analysis of a story's own, which two tenants of different organisations accept. */
export async function exchange(): Promise<{ a: Tenant; b: Tenant; dataset: string; analysis: string }> {
  const dataset = unique("numbers");
  const analysis = unique("means");
  await apply(
    "/datasets",
    `dataset: ${dataset}
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: Client, type: text, role: participant}
  - {name: Tag, type: text, required: true, max_length: 400}
  - {name: Value, type: decimal, scale: 2, required: true}
unique: [Tag]
`,
  );
  await apply(
    "/analyses",
    `analysis: ${analysis}
datasets: [${dataset}]
groups: [Tag]
measures:
  - {name: Value, function: mean, column: Value, decimals: 1}
recipients: contributors
own_value: true
output: {file_name: "output-{date}-{participant}.csv", date_column: Date, date_format: YYYYMMDD, id_column: YourId, own_prefix: Your}
rules: {min_contributors: 2, p_percent: 0, dominance: off}
quorum: 2
`,
  );
  const [a, b] = [await tenant("First"), await tenant("Second")];
  for (const t of [a, b])
    await ok(t.api.POST("/api/v1/analyses/{id}/accept", { params: { path: { id: analysis } }, body: { version: 1 } }));
  return { a, b, dataset, analysis };
}

/** A run of both tenants' files, and the result that the first one got. */
export async function released(values: Record<string, number>, name = "first.csv") {
  const world = await exchange();
  const submission = await send(world.a, world.dataset, name, file(world.a, values));
  await send(world.b, world.dataset, "second.csv", file(world.b, Object.fromEntries(Object.entries(values).map(([k, v]) => [k, v + 2]))));
  await ok(root.POST("/api/v1/runs", { body: { analyses: [world.analysis], date } }));
  const result = await until("a result", async () => {
    const found = await ok(world.a.api.GET("/api/v1/results", { params: { query: { analysis: world.analysis } } }));
    return found.items?.[0];
  });
  return { ...world, submission, result };
}
