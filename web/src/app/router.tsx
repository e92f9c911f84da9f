import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { strings } from "../strings";
import { listSearch } from "../ui/list";
import { inside, parseSearch, writeSearch } from "./address";
import { Crashed } from "./Crashed";
import { NotFound } from "./NotFound";
import { homeOf, me, queries } from "./session";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: ({ error }) => <Crashed error={error} /> });

// Whoever comes to the bare address goes to where they work, or signs in first.
const start = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: async () => {
    const who = await queries.ensureQueryData(me);
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

// The two portals let in only who belongs there: others are sent to sign in, or to their own.
const portal = (home: "/app" | "/admin") => async () => {
  const who = await queries.ensureQueryData(me);
  if (!who) throw redirect({ to: "/login", search: { next: location.pathname + location.search } });
  if (homeOf(who) !== home) throw redirect({ to: homeOf(who) });
};

const tenants = createRoute({
  getParentRoute: () => root,
  path: "/app",
  beforeLoad: portal("/app"),
  component: lazyRouteComponent(() => import("./portals"), "TenantPortal"),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
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

const adminTenants = createRoute({
  getParentRoute: () => admin,
  path: "/tenants",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../pages/admin-tenants/Tenants"), "Tenants"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    start,
    login,
    tenants.addChildren([submissions, submission, results, result]),
    admin.addChildren([adminTenants]),
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
