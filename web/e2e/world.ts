import { mkdirSync } from "node:fs";
import type Axe from "axe-core";
import source from "axe-core/axe.min.js?raw";
import createClient from "openapi-fetch";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect, test } from "vitest";
import type { components, paths } from "../src/api/schema";

const env = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the stories with go test ./test/portal`);
  return value;
};

/** The server's address. */
export const url = env("TRIBUTARY_URL");

/** The issuer that the provider's people can sign in with: another site, whose pages ask who one is. */
export const issuer = env("TRIBUTARY_ISSUER");

/** What a page is told whose session has ended: see Stage.expected. */
export const ended = /with a status of 401 /;

/** The API, as nobody. */
export const nobody = createClient<paths>({ baseUrl: url });

/** The API, as whoever has the token. */
export const as = (token: string) => createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

export type Api = ReturnType<typeof as>;

/** The API as the first system admin, who signs in to the pages as `admin`. */
export const root: Api = as(env("TRIBUTARY_TOKEN"));
export const admin: User = { login: "admin@example.com", password: env("TRIBUTARY_PASSWORD") };

/** Who signs in; with a token, without asking for one. */
export type User = { login: string; password: string; token?: string | undefined };
export type Schemas = components["schemas"];

/** The data of an answer that has to be one. */
export async function ok<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await request;
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}`);
  return data as T;
}

let count = 0;

/** A name that no other story uses. */
export const unique = (word: string) => `${word}-${Date.now().toString(36)}${count++}`;

/** A tenant of a story's own: its admin with a password that only it knows, and its API by a key. */
export type Tenant = { id: string; slug: string; name: string; externalId: string; admin: User; email: string; api: Api };

export async function tenant(name = "Story"): Promise<Tenant> {
  const slug = unique("t");
  const email = `ada@${slug}.example`;
  const made = await ok(
    root.POST("/api/v1/tenants", {
      body: { slug, name: `${name} ${slug}`, organisation: `${name} ${slug} Ltd`, external_ids: [slug], tier: "premium" } as never,
    }),
  );
  const first = "the password of the provider";
  const own = "a password of my own 1";
  await ok(root.POST("/api/v1/users", { body: { tenant: made.id, email, login: "ada", role: "tenant_admin", password: first } as never }));
  const session = await ok(root.POST("/api/v1/sessions", { body: { login: email, password: first, new_password: own } }));
  const key = await ok(as(session.token ?? "").POST("/api/v1/api-keys", { body: { name: "story", role: "tenant_admin" } as never }));
  return {
    id: made.id,
    slug,
    name: made.name,
    externalId: slug,
    admin: { login: `${slug}.ada`, password: own, token: session.token ?? "" },
    email,
    api: as(key.key ?? ""),
  };
}

/** Waits until something is so, asking again and again, for as long as a story may take. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within 30 s`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** The newest mail to somebody whose text fits. */
export async function mail(to: string, fits: RegExp): Promise<RegExpMatchArray> {
  return until(`a mail to ${to} with ${fits}`, async () => {
    const mails = (await (await fetch(`${env("TRIBUTARY_MAILS")}/?to=${encodeURIComponent(to)}`)).json()) as { text: string }[];
    return mails.map((m) => m.text.match(fits)).findLast((m) => m !== null);
  });
}

let browser: Promise<Browser> | undefined;

const launch = () =>
  chromium.launch({
    executablePath: env("TRIBUTARY_CHROMIUM"),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

process.once("beforeExit", async () => (await browser)?.close());

const screen = { width: 1280, height: 860 };

async function fresh(running: Browser): Promise<Page> {
  const context = await running.newContext({
    viewport: screen,
    colorScheme: "light",
    reducedMotion: "reduce",
    baseURL: url,
    timezoneId: "Europe/Zurich",
  });
  context.setDefaultTimeout(15_000);
  return context.newPage();
}

// Pages that stories have left as they found them. They keep what they loaded, and their process: to fetch and compile the portal
// anew for each story is a sixth of what the browser does.
const left: Page[] = [];

/** Takes what a story did off its page, and whether that could be done: else the next one has another. */
async function cleared(page: Page): Promise<boolean> {
  const context = page.context();
  if (page.isClosed() || context.pages().length > 1) return false;
  page.removeAllListeners();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await context.clearCookies();
  await context.clearPermissions();
  await page.goto("/healthz"); // of the portal's origin, and without it
  await page.evaluate(() => {
    localStorage.clear();
    sessionStorage.clear();
    window.name = "";
  });
  await page.setViewportSize(screen);
  return true;
}

/** What a story has: a page, and what else it asks for. */
export type Stage = {
  page: Page;
  context: BrowserContext;
  /** Another person's page, with its own cookies. */
  another: () => Promise<Page>;
  /** The same, of who comes for the first time: other pages may have the portal's files from an earlier story. */
  cold: () => Promise<Page>;
  /** Wants a page to be good in every way that can be measured, in both themes and on a phone: see sound. */
  sound: (page?: Page) => Promise<void>;
  /** Errors that the console may show, with the address that they are of, as for a connection that the story cuts. */
  expected: RegExp[];
};

/**
 * A story: what somebody does, on a page of its own. It fails also if the page logs an error, breaks its content security policy or
 * asks another host for anything.
 */
export function story(name: string, tell: (stage: Stage) => Promise<void>): void {
  test.concurrent(name, async () => {
    browser ??= launch();
    const running = await browser;
    const wrong: string[] = [];
    const pages: Page[] = [];
    // What the API refuses is logged by the browser as a resource that failed to load, and is no error of a page's. Only who is not
    // signed in asks for what takes that, and that is who they are; nobody asks for what their role may not.
    const expected = [/with a status of 401 .*\/api\/v1\/me$/, /with a status of (404|409|422|429|503) /];
    let good = false;
    const open = async (cold = false) => {
      const page = (cold ? undefined : left.pop()) ?? (await fresh(running));
      pages.push(page);
      page.on("console", (m) => {
        const text = `${m.text()} ${m.location().url}`;
        if (m.type() === "error" && !expected.some((e) => e.test(text))) wrong.push(text);
      });
      page.on("pageerror", (e) => wrong.push(e.stack ?? e.message));
      page.on("request", (r) => {
        if (!r.url().startsWith(url) && !(r.isNavigationRequest() && r.url().startsWith(issuer)) && !/^(data|blob):/.test(r.url()))
          wrong.push(`asked for ${r.url()}`);
      });
      return page;
    };
    const page = await open();
    try {
      await tell({ page, context: page.context(), another: () => open(), cold: () => open(true), sound: (p = page) => sound(p), expected });
      expect(wrong, "errors in the console").toEqual([]);
      good = true;
    } catch (error) {
      mkdirSync("../.cache/e2e", { recursive: true });
      await page.screenshot({ path: `../.cache/e2e/${name.replace(/\W+/g, "-")}.png`, fullPage: true }).catch(() => undefined);
      if (wrong.length > 0 && error instanceof Error) error.message += `\nin the console:\n${wrong.join("\n")}`;
      throw error;
    } finally {
      for (const p of pages)
        if (good && (await cleared(p).catch(() => false))) left.push(p);
        else await p.context().close();
    }
  });
}

/** A session of somebody's, besides those that there are. */
export async function token({ login, password }: User): Promise<string> {
  return (await ok(nobody.POST("/api/v1/sessions", { body: { login, password } }))).token ?? "";
}

/** Signs in without the sign-in page, and goes to a page of the portal; see signInHere for what people do. */
export async function signIn(page: Page, user: User, path = "/"): Promise<void> {
  user.token ??= await token(user);
  await page.context().addCookies([{ name: "tributary", value: user.token, url }]);
  await go(page, path);
}

/** Signs in on the sign-in page, and waits until the portal is there. */
export async function signInByForm(page: Page, user: User): Promise<void> {
  await page.goto("/login");
  await signInHere(page, user);
}

/** The same, on the sign-in page that one was led to. */
export async function signInHere(page: Page, user: User): Promise<void> {
  await page.getByLabel("Login").fill(user.login);
  await page.getByLabel("Password", { exact: true }).fill(user.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await arrived(page);
}

/** Loads a page of a portal, and waits until its frame is there and takes keys; see visit for going on from there. */
export async function go(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await arrived(page);
}

/** Waits until the frame of a portal is there, also behind a drawer. */
export const arrived = (page: Page) => page.locator("nav[aria-label=Menu]").waitFor({ state: "attached" });

/** Waits until a page has fetched what it shows. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("main [role=status][aria-label], table[aria-busy=true]") === null);
}

const standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** Goes to a page as a link does, which loads nothing anew, and waits until it has fetched what it shows. */
export async function visit(page: Page, path: string): Promise<void> {
  await page.evaluate((href) => window.__TSR_ROUTER__?.navigate({ href } as never), path);
  await page.getByRole("heading", { level: 1, includeHidden: true }).waitFor({ state: "attached" });
  await settled(page);
}

// Two looks see both themes and both widths; each takes axe a good part of a second.
const looks = [
  { width: 1280, height: 860, dark: false },
  { width: 390, height: 844, dark: true },
];

/**
 * Wants of a page, wide and light, and on a phone and dark: nothing that axe finds (WCAG 2.2 AA), nothing wider than the screen, one
 * heading of the first level and a title.
 */
export async function sound(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor({ state: "attached" });
  await settled(page);
  const before = page.viewportSize();
  const theme = await page.evaluate(() => document.documentElement.dataset.theme);
  for (const { width, height, dark } of looks) {
    await page.setViewportSize({ width, height });
    await page.evaluate((d) => {
      document.documentElement.dataset.theme = d ? "dark" : "light";
    }, dark);
    const where = `${new URL(page.url()).pathname} at ${width}${dark ? ", dark" : ""}`;
    const found = await violations(page);
    if (found.length > 0) throw new Error(`${where}: ${found.join("\n")}`);
    const { wide, headings, title } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      headings: document.querySelectorAll("h1").length,
      title: document.title,
    }));
    expect(wide, `${where}: wider than the screen by`).toBeLessThanOrEqual(0);
    expect(headings, `${where}: headings of the first level`).toBe(1);
    expect(title, where).not.toBe("Tributary");
  }
  if (before) await page.setViewportSize(before);
  await page.evaluate((t) => {
    document.documentElement.dataset.theme = t;
  }, theme);
}

/** What axe finds. */
export async function violations(page: Page): Promise<string[]> {
  // By the debugger and not by a script element, which the page's policy refuses.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(source);
  return page.evaluate(async (runOnly) => {
    const axe = (window as unknown as { axe: typeof Axe }).axe;
    // Without a preload, which fetches every style sheet again, for rules about sound and turned screens that are not among these.
    const result = await axe.run(document, { runOnly, resultTypes: ["violations"], preload: false });
    return result.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}: ${n.target.join(" ")} ${n.failureSummary ?? ""}`));
  }, standards);
}
