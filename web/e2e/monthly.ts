import { ok, root, type Tenant, tenant, unique, until, url } from "./world";

/** The first day of the month before this one: a period that has closed. */
export function lastMonth(back = 1): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 10);
}

async function apply(kind: "datasets" | "analyses", yaml: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/${kind}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.TRIBUTARY_TOKEN}`, "Content-Type": "application/yaml" },
    body: yaml,
  });
  if (!response.ok) throw new Error(`apply ${kind}: ${response.status} ${await response.text()}`);
}

/** A monthly dataset of a story's own, whose periods close as soon as they have ended, and two analyses of it. */
export async function definitions(): Promise<{ dataset: string; means: string; sums: string }> {
  const dataset = unique("monthly");
  await apply(
    "datasets",
    `dataset: ${dataset}
columns:
  - {name: Month, type: date, role: business_date}
  - {name: Shop, type: text, role: participant}
  - {name: Region, type: text, required: true}
  - {name: Revenue, type: decimal, scale: 2, required: true}
cadence: monthly
due: {after_days: 0, at: "00:01", zone: UTC}
`,
  );
  const analysis = async (word: string, measure: string) => {
    const name = unique(word);
    await apply(
      "analyses",
      `analysis: ${name}
datasets: [${dataset}]
groups: [Region]
measures:
  - ${measure}
recipients: contributors
own_value: true
output: {file_name: "out-{date}-{participant}.csv", date_column: Month, date_format: YYYY-MM-DD, id_column: Shop, own_prefix: Your}
rules: {min_contributors: 3, p_percent: 10, dominance: {n: 2, k: 85}}
quorum: 3
`,
    );
    return name;
  };
  return {
    dataset,
    means: await analysis("means", "{name: Revenue, function: mean, column: Revenue, decimals: 1}"),
    sums: await analysis("sums", "{name: Revenue, function: sum, column: Revenue, decimals: 1}"),
  };
}

/** A tenant that has accepted these analyses. */
export async function participant(name: string, ...analyses: string[]): Promise<Tenant> {
  const t = await tenant(name);
  for (const id of analyses) await ok(t.api.POST("/api/v1/analyses/{id}/accept", { params: { path: { id } }, body: { version: 1 } }));
  return t;
}

/** Sends a file of a tenant's, of last month if not said, and waits for the verdict on it. */
export async function send(t: Tenant, dataset: string, value: number, name = `${t.slug}.csv`, date = lastMonth()) {
  const sent = await ok(
    t.api.POST("/api/v1/submissions", {
      params: { query: { dataset, date, name } },
      body: `Month,Shop,Region,Revenue\n${date},${t.externalId},north,${value}\n` as never,
      bodySerializer: (b: unknown) => b as string,
      headers: { "Content-Type": "application/octet-stream" },
    }),
  );
  return until(`a verdict on ${name}`, async () => {
    const s = await ok(root.GET("/api/v1/submissions/{id}", { params: { path: { id: sent.id } } }));
    return s.state !== "received" && s.state !== "validating" && s;
  });
}
