import type { Page } from "playwright-core";
import { expect } from "vitest";
import { send as sendEvent } from "./events";
import { lastMonth } from "./monthly";
import { mail, nobody, ok, root, type Tenant, tenant, unique, until, url } from "./world";

/** Names that want to be more than text. */
export const hostile = {
  script: "<script>window.hacked=1</script>",
  markup: '"><img src=x onerror=window.hacked=2>&amp;<b>',
  override: "a\u2069\u202Egnp.exe", // ends the isolation that it is in, and turns what follows around
  unseen: "ze\u200Bro\u2060wid\u200Dth\uFEFF",
  composed: `👩‍👩‍👧‍👦e${"\u0301".repeat(20)}`,
  rightToLeft: "שלום (رواح) abc",
  line: "two\nlines",
  long: "W".repeat(500),
};

/** All of them in a name of at most so many bytes, without those that its kind refuses. */
export function name(bytes: number, ...refused: (keyof typeof hostile)[]): string {
  const words = Object.entries(hostile).filter(([k]) => !refused.includes(k as keyof typeof hostile));
  let out = "";
  for (const character of words.map(([, w]) => w).join(" ")) {
    if (Buffer.byteLength(out + character) > bytes) break;
    out += character;
  }
  return out.trim();
}

async function apply(path: string, yaml: unknown): Promise<{ version?: number }> {
  const r = await fetch(`${url}/api/v1${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.TRIBUTARY_TOKEN}`, "Content-Type": "application/yaml" },
    body: JSON.stringify(yaml), // which is YAML
  });
  if (!r.ok) throw new Error(`${path}: ${r.status} ${await r.text()}`);
  return (await r.json()) as { version?: number };
}

/** Sends a file of last month's, and waits for its verdict. */
export async function send(t: Tenant, dataset: string, name: string, text: string) {
  const sent = await ok(
    t.api.POST("/api/v1/submissions", {
      params: { query: { dataset, date: lastMonth(), name } },
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

/** A world in which whatever people and programs may name is named so. */
export async function hostileWorld() {
  const dataset = unique("hostile");
  const analysis = unique("hostile");
  const schedule = unique("hostile");
  await apply("/datasets", {
    dataset,
    title: name(100, "override", "unseen", "line"),
    description: name(900, "unseen"),
    columns: [
      { name: "Date", type: "date", format: "YYYYMMDD", role: "business_date" },
      { name: "Client", type: "text", role: "participant" },
      { name: "Tag", type: "text", required: true, max_length: 1000, description: name(400, "unseen") },
      { name: "L".repeat(64), type: "text" },
      { name: "שלום é", type: "decimal", scale: 2, required: true },
    ],
    unique: ["Tag"],
    cadence: "monthly",
    due: { after_days: 5, at: "12:00", zone: "UTC", grace: "2d" },
  });
  await apply("/analyses", {
    analysis,
    title: name(100, "override", "unseen", "line", "composed"),
    description: name(900, "override", "unseen", "composed"),
    datasets: [dataset],
    groups: ["Tag"],
    measures: [{ name: "שלום é", function: "mean", column: "שלום é", decimals: 1 }],
    recipients: "contributors",
    own_value: true,
    output: {
      file_name: "output-{date}-{participant}.csv",
      date_column: "Date",
      date_format: "YYYYMMDD",
      id_column: "Id",
      own_prefix: "Your",
    },
    rules: { min_contributors: 2, p_percent: 0, dominance: "off" },
    quorum: 2,
  });
  const [a, b] = [await tenant("First"), await tenant("Second")] as [Tenant, Tenant];
  const fileName = name(240, "override", "line").replaceAll("/", "-");
  const called = name(200, "override", "line");
  await ok(root.PATCH("/api/v1/tenants/{id}", { params: { path: { id: a.id } }, body: { name: called } }));
  await ok(root.PATCH("/api/v1/tenants/{id}", { params: { path: { id: b.id } }, body: { name: hostile.long.slice(0, 200) } }));
  for (const t of [a, b])
    await ok(t.api.POST("/api/v1/analyses/{id}/accept", { params: { path: { id: analysis } }, body: { version: 1 } }));

  // Files: their names, their columns and what is in them.
  const tags = Object.values(hostile).map((h) => h.slice(0, 300));
  const values = (plus: number) =>
    [
      `Date,Client,Tag,שלום é,${"L".repeat(64)}`,
      ...tags.map(
        (tag, i) => `${lastMonth().replaceAll("-", "")},${plus ? b.externalId : a.externalId},${quoted(tag)},${i + plus},${quoted(tag)}`,
      ),
      "",
    ].join("\n");
  const submission = await send(a, dataset, fileName, values(0));
  if (submission.state !== "accepted") throw new Error(JSON.stringify(submission.problems));
  await send(b, dataset, `${"x".repeat(230)}.csv`, values(2));
  const rejected = await send(a, dataset, `no ${fileName}`, `Date,${tags.map(quoted).join(",")}\n20260105,1,2,3,4,5,6,7,8\n`);
  expect(rejected.state).toBe("rejected");
  const made = await ok(root.POST("/api/v1/runs", { body: { analyses: [analysis], date: lastMonth() } }));
  const result = await until(
    "a result",
    async () => (await ok(a.api.GET("/api/v1/results", { params: { query: { analysis } } }))).items?.[0],
  );

  // People, keys, reasons, and what else is named.
  const person = await ok(
    a.api.POST("/api/v1/users", {
      body: { email: `eve@${a.slug}.example`, login: "eve", name: name(200), role: "tenant_user", password: "a password of eve" } as never,
    }),
  );
  await ok(a.api.POST("/api/v1/invitations", { body: { email: `bob@${a.slug}.example`, name: name(200), role: "tenant_user" } }));
  await ok(a.api.POST("/api/v1/api-keys", { body: { name: name(100), role: "tenant_user" } as never }));
  await ok(a.api.POST("/api/v1/webhooks", { body: { url: `https://hooks.example/${"x".repeat(300)}?<script>=שלום` } }));
  const [invitation] = await mail(`bob@${a.slug}.example`, /\/invite\S*trl_[a-z0-9]+/);
  await ok(nobody.POST("/api/v1/password-resets", { body: { login: `${a.slug}.eve` } }));
  const [reset] = await mail(`eve@${a.slug}.example`, /\/reset\S*trl_[a-z0-9]+/);
  await ok(root.POST("/api/v1/domains", { body: { tenant: a.id, domain: `${a.slug}.example` } }));
  await ok(a.api.POST("/api/v1/domains", { body: { domain: `${a.slug}.example` } }));
  await ok(root.POST("/api/v1/holds", { body: { tenant: a.id, reason: name(500) } }));
  await ok(root.POST("/api/v1/schedules", { body: { id: schedule, analyses: [analysis], cron: "@monthly", date_offset_days: 1 } }));
  await ok(
    root.POST("/api/v1/users", {
      body: { email: `${unique("eve")}@example.com`, name: name(200), role: "auditor", password: "a password of eve" } as never,
    }),
  );

  // Events: their sources, their types, and what is in them.
  const source = await ok(root.POST("/api/v1/sources", { body: { name: name(100), tenant_field: "subject" } }));
  const own = await ok(a.api.POST("/api/v1/sources", { body: { name: name(100), strict: true } }));
  const event = { type: name(200, "line"), user: name(200), data: { [name(80)]: name(900), ...hostile } };
  for (const [key = "", subject] of [
    [source.key, a.slug],
    [source.key, name(200)],
    [own.key, name(200)],
  ] as const)
    await sendEvent(key, { ...event, subject });
  const field = { name: name(80, "line").replaceAll(".", ""), type: "string", allowed: tags, description: name(300) };
  const plan = await apply("/plans", { events: [{ type: name(200, "line"), description: name(500), owner: name(100), fields: [field] }] });
  return {
    a,
    b,
    plan: plan.version ?? 0,
    source: source.id,
    own: own.id,
    dataset,
    analysis,
    schedule,
    submission,
    rejected,
    result,
    person,
    run: made.items?.[0]?.id ?? "",
    tags,
    name: called,
    invitation,
    reset,
  };
}

/** What is wrong with how a page shows such names; see the rules in it. */
export async function betrayed(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wrong: string[] = [];
    const hacked = (window as unknown as { hacked?: number }).hacked;
    if (hacked) wrong.push(`a script ran: ${hacked}`);
    for (const e of document.querySelectorAll("script:not([src]), img[src=x], [onerror], main b"))
      wrong.push(`an element: ${e.outerHTML.slice(0, 80)}`);
    // What turns the direction around is nowhere but in what is apart from its surroundings.
    const held = /\u2068[^\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*\u2069/g;
    const turning = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
    if (turning.test(document.title.replace(held, ""))) wrong.push(`the title: ${document.title}`);
    for (const e of document.querySelectorAll("[title], [aria-label], [alt], [placeholder]"))
      for (const a of ["title", "aria-label", "alt", "placeholder"])
        if (turning.test((e.getAttribute(a) ?? "").replace(held, ""))) wrong.push(`${a} of ${e.outerHTML.slice(0, 120)}`);
    const letters = /[\u0590-\u06ff]/;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const text = (node.textContent ?? "").replace(held, "");
      if (!turning.test(text) && !letters.test(text)) continue;
      for (let e = node.parentElement; e; e = e.parentElement) {
        const css = getComputedStyle(e);
        const apart = css.display !== "inline" && css.display !== "contents";
        if (apart && e.textContent?.replace(held, "").trim() === text.trim()) break;
        if (!apart && !turning.test(text) && css.unicodeBidi.startsWith("isolate")) break;
        if (apart || e === document.body) {
          wrong.push(`not apart: ${text.slice(0, 40)} in ${e.tagName} ${e.className} ${e.textContent?.slice(0, 100)}`);
          break;
        }
      }
    }
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 0) {
      const who = [...document.querySelectorAll("body *")]
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
        .map((e) => `${e.tagName}.${e.className}`);
      wrong.push(`wider than the screen by ${wide}: ${who.slice(0, 6)}`);
    }
    return wrong;
  });
}
