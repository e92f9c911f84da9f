import type { Me } from "./session";

const staff = ["system_admin", "auditor"];

// A tenant's admin while the tenant is offboarded has the role "departing": it reads and exports.
const leaving = "departing";

// Pages that only some roles may see, by the start of their path. What is not here is for everybody of its portal.
const pages: Record<string, string[]> = {
  "/app/submit": ["tenant_admin", "tenant_user"],
  "/app/events": ["tenant_admin", "tenant_user"],
  "/app/team": ["tenant_admin"],
  "/app/activity": ["tenant_admin", leaving],
  "/admin/submissions": staff,
  "/admin/results": staff,
  "/admin/reports": staff,
  "/admin/tenants": staff,
  "/admin/sources": staff,
  "/admin/quarantine": ["system_admin"],
  "/admin/query": ["system_admin", "analyst"],
  "/admin/people": staff,
  "/admin/outbox": ["system_admin"],
  "/admin/audit": staff,
};

/** Whether somebody's role has anything to see on a page. */
export function may(who: Me, path: string): boolean {
  if (/^\/admin\/?$/.test(path)) return staff.includes(who.role);
  const found = Object.keys(pages).find((p) => path === p || path.startsWith(`${p}/`));
  return !found || (pages[found] ?? []).includes(who.role);
}

/** Whether somebody sends files of their tenant, takes them back, and has keys to do so. */
export function sends(who: Me): boolean {
  return may(who, "/app/submit");
}

/** Whether somebody takes everything of their tenant away with them. */
export function exports(who: Me): boolean {
  return who.role === "tenant_admin" || who.role === leaving;
}

/** The page that somebody comes to first. */
export function startOf(who: Me): "/app" | "/admin" | "/admin/runs" {
  if (who.tenant) return "/app";
  return may(who, "/admin") ? "/admin" : "/admin/runs";
}
