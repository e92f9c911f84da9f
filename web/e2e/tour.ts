import type { Page } from "playwright-core";
import { hostileWorld } from "./hostile";
import { lastMonth } from "./monthly";
import { mail } from "./world";

export type World = Awaited<ReturnType<typeof hostileWorld>>;
/** An address, and what is done there. */
export type Stop = [path: string, then?: (page: Page) => Promise<unknown>];

let world: Promise<World> | undefined;
/** The world of the tour; it is made once. */
export const made = () => (world ??= hostileWorld());

// Looks for the world's names from wherever one is.
const search = async (page: Page) => {
  await page.keyboard.press("Control+k");
  await page.getByRole("option").first().waitFor();
  await page.keyboard.type("hacked");
  await page
    .getByRole("option", { name: /hacked/ })
    .first()
    .waitFor();
};

const press = (name: string | RegExp) => (page: Page) => page.getByRole("button", { name }).first().click();

/** Every route of the portals by its pattern, and where it shows the world's names. */
export const tour: Record<string, (w: World) => Stop[]> = {
  "/": () => [],
  "/login": () => [["/login?next=/app/<script>window.hacked=1</script>"]],
  "/login/oidc": () => [["/login/oidc?state=<script>&error=<script>window.hacked=1</script>"]],
  "/forgot": () => [["/forgot"]],
  "/signup": (w) => [
    ["/signup"],
    [
      "/signup",
      async (page) => {
        const email = `carol@${w.a.slug}.example`;
        await page.getByLabel("Email at work").fill(email);
        await page.getByRole("button", { name: "Mail me a code" }).click();
        const [, code = ""] = await mail(email, / {4}([0-9]{6})\r?\n/);
        await page.getByLabel("Code").fill(code);
        await page.getByRole("button", { name: "Go on" }).click();
        await page.getByText("You join").waitFor();
      },
    ],
  ],
  "/reset": (w) => [[w.reset]],
  "/invite": (w) => [[w.invitation]],
  "/app": () => [["/app"], ["/app", search]],
  "/app/account": () => [["/app/account"]],
  "/app/submissions": () => [["/app/submissions"], [`/app/submissions?filter=name:contains:${encodeURIComponent("‮<img src=x>שלום")}`]],
  "/app/submissions/$id": (w) => [
    [`/app/submissions/${w.submission.id}`, press("Show the first rows")],
    [`/app/submissions/${w.rejected.id}`, press("Show the first rows")],
  ],
  "/app/results": () => [["/app/results"]],
  "/app/results/$id": (w) => [[`/app/results/${w.result.id}`]],
  "/app/team": () => [
    ["/app/team"],
    [
      "/app/team",
      async (page) => {
        await page
          .getByRole("row", { name: /eve@/ })
          .getByRole("button", { name: /Actions/ })
          .click();
        await page.getByRole("menuitem", { name: "Deactivate" }).click();
        await page.getByRole("dialog").waitFor();
      },
    ],
  ],
  "/app/activity": () => [["/app/activity"]],
  "/app/events": (w) => [
    ["/app/events", press(/window.hacked/)],
    ["/app/events?view=past", press(/window.hacked/)],
    ["/app/events?view=sources"],
    [`/app/events?view=sources&open=${w.own}`],
    [`/app/events?view=quarantine&source=${w.own}`, press(/tracking plan/)],
    ["/app/events?view=query&named=activity"],
    ["/app/events?view=freshness"],
    ["/app/events?view=archive"],
  ],
  "/app/settings": () => [["/app/settings"]],
  "/app/submit": (w) => [
    [
      `/app/submit?dataset=${w.dataset}`,
      async (page) => {
        const chosen = { name: `‮${w.submission.name}`, mimeType: "text/csv", buffer: Buffer.from("a") };
        await page.locator("input[data-choose]").setInputFiles(chosen);
        await page.getByRole("listitem", { name: chosen.name.slice(1, 10) }).waitFor();
      },
    ],
  ],
  "/app/analyses": () => [["/app/analyses"]],
  "/app/analyses/$id": (w) => [[`/app/analyses/${w.analysis}`]],
  "/admin": () => [["/admin"], ["/admin", search]],
  "/admin/account": () => [["/admin/account"]],
  "/admin/reports": (w) => [["/admin/reports"], [`/admin/reports?by=tenant&from=${lastMonth()}&each=week&x=${w.a.slug}`]],
  "/admin/submissions": (w) => [
    ["/admin/submissions"],
    [`/admin/submissions?view=periods&dataset=${w.dataset}`],
    [`/admin/submissions?view=periods&dataset=${w.dataset}&period=${w.a.id}+${lastMonth()}`],
    [`/admin/submissions?open=${w.submission.id}`],
  ],
  "/admin/results": (w) => [["/admin/results"], [`/admin/results?open=${w.result.id}`]],
  "/admin/analyses": () => [["/admin/analyses"], ["/admin/analyses?run=yes"]],
  "/admin/analyses/$id": (w) => [[`/admin/analyses/${w.analysis}`]],
  "/admin/datasets/$id": (w) => [[`/admin/datasets/${w.dataset}`]],
  "/admin/runs": () => [["/admin/runs"], ["/admin/runs?view=dates"]],
  "/admin/runs/$id": (w) => [[`/admin/runs/${w.run}`]],
  "/admin/schedules": () => [["/admin/schedules"], ["/admin/schedules?create=yes"]],
  "/admin/schedules/$id": (w) => [[`/admin/schedules/${w.schedule}`], [`/admin/schedules/${w.schedule}?edit=yes`]],
  "/admin/streams": (w) => [[`/admin/streams?tenant=${w.a.id}`], [`/admin/streams?tenant=${w.a.id}&view=past`, press(/window.hacked/)]],
  "/admin/sources": (w) => [["/admin/sources"], [`/admin/sources?open=${w.source}`], ["/admin/sources?create=yes"]],
  "/admin/quarantine": (w) => [["/admin/quarantine"], [`/admin/quarantine?source=${w.source}`, press(/names no tenant/)]],
  "/admin/plan": (w) => [
    [`/admin/plan?version=${w.plan}`, press(/window.hacked/)],
    [`/admin/plan?version=${w.plan}&view=changes`],
    [`/admin/plan?version=${w.plan}&view=yaml`],
    ["/admin/plan?edit=yes"],
  ],
  "/admin/freshness": () => [["/admin/freshness"], ["/admin/freshness?state=fresh"]],
  "/admin/archive": (w) => [["/admin/archive"], [`/admin/archive?tenant=${w.a.id}`]],
  "/admin/query": (w) => [
    ["/admin/query?named=activity"],
    [
      "/admin/query",
      async (page) => {
        await page.getByLabel("SELECT statement").fill(`SELECT '${w.name.replaceAll("'", "''")}' AS "${"‮<img src=x>שלום"}"`);
        await page.getByRole("button", { name: "Run", exact: true }).click();
        await page.getByRole("region", { name: "Rows of the answer" }).waitFor();
      },
    ],
  ],
  "/admin/tenants": () => [["/admin/tenants"]],
  "/admin/tenants/$id": (w) => [
    [`/admin/tenants/${w.a.id}`],
    [
      `/admin/tenants/${w.a.id}`,
      async (page) => {
        await page.getByRole("button", { name: "Actions", exact: true }).click();
        await page.getByRole("menuitem", { name: "Offboard" }).click();
        await page.getByRole("dialog").waitFor();
      },
    ],
  ],
  "/admin/people": () => [["/admin/people"]],
  "/admin/outbox": () => [["/admin/outbox"]],
  "/admin/audit": (w) => [["/admin/audit"], [`/admin/audit?tenant=${w.a.id}`]],
  "/admin/settings": () => [["/admin/settings"]],
};
