import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { textSearch } from "../pages/admin/address";
import { runSearch } from "../pages/admin-runs/drawer";
import { activitySearch } from "../pages/app-activity/search";
import { analysisSearch } from "../pages/app-analyses/search";
import { submitSearch } from "../pages/app-submit/search";
import { strings } from "../strings";
import { listSearch } from "../ui/list";
import { readPreferences } from "../ui/preferences";
import { may, startOf } from "./access";
import { inside, parseSearch, writeSearch } from "./address";
import { Crashed } from "./Crashed";
import { NotFound } from "./NotFound";
import { homeOf, whoIs } from "./session";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: ({ error }) => <Crashed error={error} /> });

// Whoever comes to the bare address goes to where they work, or signs in first.
const start = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: async () => {
    const who = await whoIs();
    if (who === "suspended") throw redirect({ to: "/app" });
    throw redirect({ to: who ? homeOf(who) : "/login" });
  },
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (s): { next?: string } => {
    const next = inside(typeof s.next === "string" ? s.next : undefined);
    return next ? { next } : {};
  },
  component: lazyRouteComponent(() => import("../pages/login/Login"), "Login"),
});

const returned = createRoute({
  getParentRoute: () => root,
  path: "/login/oidc",
  validateSearch: textSearch("state", "code", "error"),
  component: lazyRouteComponent(() => import("../pages/login/Returned"), "Returned"),
});

const forgot = createRoute({
  getParentRoute: () => root,
  path: "/forgot",
  component: lazyRouteComponent(() => import("../pages/forgot/Forgot"), "Forgot"),
});

const signup = createRoute({
  getParentRoute: () => root,
  path: "/signup",
  component: lazyRouteComponent(() => import("../pages/signup/Signup"), "Signup"),
});

const reset = createRoute({
  getParentRoute: () => root,
  path: "/reset",
  component: lazyRouteComponent(() => import("../pages/reset/Reset"), "Reset"),
});

const invite = createRoute({
  getParentRoute: () => root,
  path: "/invite",
  component: lazyRouteComponent(() => import("../pages/invite/Invite"), "Invite"),
});

// Whose things this document holds, such as files on their way: they are not for who signs in after them.
let whose: string | undefined;

// The two portals let in only who belongs there: others are sent to sign in, or to what is theirs. That of the tenants says so
// itself where a tenant is suspended.
const portal =
  (home: "/app" | "/admin") =>
  async ({ location: to }: { location: { href: string; pathname: string } }) => {
    const who = await whoIs();
    if (!who) throw redirect({ to: "/login", search: { next: to.href } });
    if (who === "suspended") {
      if (home === "/app") return;
      throw redirect({ to: "/app" });
    }
    if (whose && whose !== who.id) {
      location.reload();
      await new Promise(() => undefined);
    }
    whose = who.id;
    if (homeOf(who) !== home) throw redirect({ to: homeOf(who) });
    if (!may(who, to.pathname)) throw redirect({ to: startOf(who) });
    await readPreferences(who.id);
  };

const tenants = createRoute({
  getParentRoute: () => root,
  path: "/app",
  beforeLoad: portal("/app"),
  component: lazyRouteComponent(() => import("./portals"), "TenantPortal"),
});

const home = createRoute({
  getParentRoute: () => tenants,
  path: "/",
  component: lazyRouteComponent(() => import("../pages/app-home/Home"), "Home"),
});

const submit = createRoute({
  getParentRoute: () => tenants,
  path: "/submit",
  validateSearch: submitSearch,
  component: lazyRouteComponent(() => import("../pages/app-submit/Submit"), "Submit"),
});

const analyses = createRoute({
  getParentRoute: () => tenants,
  path: "/analyses",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../pages/app-analyses/Analyses"), "Analyses"),
});

const analysis = createRoute({
  getParentRoute: () => tenants,
  path: "/analyses/$id",
  validateSearch: analysisSearch,
  component: lazyRouteComponent(() => import("../pages/app-analyses/Analysis"), "Analysis"),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  validateSearch: runSearch,
  beforeLoad: portal("/admin"),
  component: lazyRouteComponent(() => import("./portals"), "AdminPortal"),
});

const submissions = createRoute({
  getParentRoute: () => tenants,
  path: "/submissions",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../pages/app-submissions/Submissions"), "Submissions"),
});

const submission = createRoute({
  getParentRoute: () => tenants,
  path: "/submissions/$id",
  component: lazyRouteComponent(() => import("../pages/app-submissions/Submission"), "Submission"),
});

const results = createRoute({
  getParentRoute: () => tenants,
  path: "/results",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../pages/app-results/Results"), "Results"),
});

const result = createRoute({
  getParentRoute: () => tenants,
  path: "/results/$id",
  validateSearch: (s): { measure?: string } => (typeof s.measure === "string" ? { measure: s.measure } : {}),
  component: lazyRouteComponent(() => import("../pages/app-results/Result"), "Result"),
});

const team = createRoute({
  getParentRoute: () => tenants,
  path: "/team",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("invite")(s) }),
  component: lazyRouteComponent(() => import("../pages/app-team/Team"), "Team"),
});

const activity = createRoute({
  getParentRoute: () => tenants,
  path: "/activity",
  validateSearch: activitySearch,
  component: lazyRouteComponent(() => import("../pages/app-activity/Activity"), "Activity"),
});

const settings = createRoute({
  getParentRoute: () => tenants,
  path: "/settings",
  component: lazyRouteComponent(() => import("../pages/app-settings/Settings"), "Settings"),
});

const adminTenants = createRoute({
  getParentRoute: () => admin,
  path: "/tenants",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("create")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-tenants/Tenants"), "Tenants"),
});

const adminTenant = createRoute({
  getParentRoute: () => admin,
  path: "/tenants/$id",
  component: lazyRouteComponent(() => import("../pages/admin-tenants/Tenant"), "TenantPage"),
});

const adminPeople = createRoute({
  getParentRoute: () => admin,
  path: "/people",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("create")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-platform/People"), "People"),
});

const adminOutbox = createRoute({
  getParentRoute: () => admin,
  path: "/outbox",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../pages/admin-platform/Outbox"), "Outbox"),
});

const adminAudit = createRoute({
  getParentRoute: () => admin,
  path: "/audit",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("provider", "open")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-platform/Audit"), "Audit"),
});

const adminSettings = createRoute({
  getParentRoute: () => admin,
  path: "/settings",
  validateSearch: textSearch("create"),
  component: lazyRouteComponent(() => import("../pages/admin-platform/Settings"), "Settings"),
});

const adminOverview = createRoute({
  getParentRoute: () => admin,
  path: "/",
  component: lazyRouteComponent(() => import("../pages/admin-overview/Overview"), "Overview"),
});

const adminSubmissions = createRoute({
  getParentRoute: () => admin,
  path: "/submissions",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("view", "dataset", "period", "open")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-submissions/Submissions"), "Submissions"),
});

const adminResults = createRoute({
  getParentRoute: () => admin,
  path: "/results",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("open")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-results/Results"), "Results"),
});

const adminAnalyses = createRoute({
  getParentRoute: () => admin,
  path: "/analyses",
  component: lazyRouteComponent(() => import("../pages/admin-analyses/Analyses"), "Analyses"),
});

const adminAnalysis = createRoute({
  getParentRoute: () => admin,
  path: "/analyses/$id",
  validateSearch: textSearch("version"),
  component: lazyRouteComponent(() => import("../pages/admin-analyses/Analysis"), "AnalysisPage"),
});

const adminDataset = createRoute({
  getParentRoute: () => admin,
  path: "/datasets/$id",
  validateSearch: textSearch("version"),
  component: lazyRouteComponent(() => import("../pages/admin-analyses/Dataset"), "DatasetPage"),
});

const adminRuns = createRoute({
  getParentRoute: () => admin,
  path: "/runs",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("view")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-runs/Runs"), "Runs"),
});

const adminRun = createRoute({
  getParentRoute: () => admin,
  path: "/runs/$id",
  component: lazyRouteComponent(() => import("../pages/admin-runs/Run"), "RunPage"),
});

const adminSchedules = createRoute({
  getParentRoute: () => admin,
  path: "/schedules",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("create")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-schedules/Schedules"), "Schedules"),
});

const adminSchedule = createRoute({
  getParentRoute: () => admin,
  path: "/schedules/$id",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("edit")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-schedules/Schedule"), "SchedulePage"),
});

const adminReports = createRoute({
  getParentRoute: () => admin,
  path: "/reports",
  validateSearch: textSearch("from", "to", "each", "by"),
  component: lazyRouteComponent(() => import("../pages/admin-reports/Reports"), "Reports"),
});

const ownEvents = createRoute({
  getParentRoute: () => tenants,
  path: "/events",
  validateSearch: (s) => ({
    ...listSearch(s),
    ...textSearch("view", "stream", "since", "create", "open", "reason", "source", "named", "from", "to", "state")(s),
  }),
  component: lazyRouteComponent(() => import("../pages/app-events/Events"), "Events"),
});

const adminSources = createRoute({
  getParentRoute: () => admin,
  path: "/sources",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("create", "open")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-events/Sources"), "Sources"),
});

const adminStreams = createRoute({
  getParentRoute: () => admin,
  path: "/streams",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("stream", "tenant", "view", "since")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-events/Streams"), "Streams"),
});

const adminQuarantine = createRoute({
  getParentRoute: () => admin,
  path: "/quarantine",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("reason", "source", "open")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-events/Quarantine"), "Quarantine"),
});

const adminPlan = createRoute({
  getParentRoute: () => admin,
  path: "/plan",
  validateSearch: textSearch("version", "view", "against", "edit"),
  component: lazyRouteComponent(() => import("../pages/admin-events/Plan"), "Plan"),
});

const adminQuery = createRoute({
  getParentRoute: () => admin,
  path: "/query",
  validateSearch: textSearch("named"),
  component: lazyRouteComponent(() => import("../pages/admin-events/Query"), "Query"),
});

const adminArchive = createRoute({
  getParentRoute: () => admin,
  path: "/archive",
  validateSearch: (s) => ({ ...listSearch(s), ...textSearch("tenant", "stream", "from", "to")(s) }),
  component: lazyRouteComponent(() => import("../pages/admin-events/Archive"), "Archive"),
});

const adminFreshness = createRoute({
  getParentRoute: () => admin,
  path: "/freshness",
  validateSearch: textSearch("state"),
  component: lazyRouteComponent(() => import("../pages/admin-events/Freshness"), "Freshness"),
});

const adminEvents = [adminStreams, adminSources, adminQuarantine, adminPlan, adminQuery, adminFreshness, adminArchive] as const;

const adminWork = [
  adminReports,
  adminOverview,
  adminSubmissions,
  adminResults,
  adminAnalyses,
  adminAnalysis,
  adminDataset,
  adminRuns,
  adminRun,
  adminSchedules,
  adminSchedule,
] as const;

// One's own account is the same page in both portals.
const account = lazyRouteComponent(() => import("../pages/account/Account"), "Account");
const appAccount = createRoute({ getParentRoute: () => tenants, path: "/account", component: account });
const adminAccount = createRoute({ getParentRoute: () => admin, path: "/account", component: account });

const adminPlatform = [adminTenant, adminPeople, adminOutbox, adminAudit, adminSettings] as const;

export const router = createRouter({
  routeTree: root.addChildren([
    start,
    login,
    returned,
    forgot,
    signup,
    reset,
    invite,
    tenants.addChildren([
      appAccount,
      ownEvents,
      submissions,
      submission,
      results,
      result,
      team,
      activity,
      settings,
      home,
      submit,
      analyses,
      analysis,
    ]),
    admin.addChildren([adminAccount, ...adminWork, ...adminEvents, adminTenants, ...adminPlatform]),
  ]),
  parseSearch,
  stringifySearch: writeSearch,
  defaultPreload: "intent",
  defaultErrorComponent: ({ error }) => <Crashed error={error} />,
  defaultNotFoundComponent: NotFound,
  defaultPendingMs: 300,
  defaultPendingComponent: () => (
    <p role="status" className="visually-hidden">
      {strings.ui.loading}
    </p>
  ),
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
