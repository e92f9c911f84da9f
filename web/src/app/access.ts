import type { Me } from "./session";

const staff = ["system_admin", "auditor"];

// Pages that only some roles may see, by the start of their path. What is not here is for everybody of its portal.
const pages: Record<string, string[]> = {
  "/app/team": ["tenant_admin"],
  "/app/activity": ["tenant_admin"],
  "/admin/submissions": staff,
  "/admin/results": staff,
  "/admin/reports": staff,
  "/admin/tenants": staff,
  "/admin/people": ["system_admin"],
  "/admin/outbox": ["system_admin"],
  "/admin/audit": staff,
};

/** Whether somebody's role has anything to see on a page. */
export function may(who: Me, path: string): boolean {
  if (/^\/admin\/?$/.test(path)) return staff.includes(who.role);
  const found = Object.keys(pages).find((p) => path === p || path.startsWith(`${p}/`));
  return !found || (pages[found] ?? []).includes(who.role);
}

/** The page that somebody comes to first. */
export function startOf(who: Me): "/app" | "/admin" | "/admin/runs" {
  if (who.tenant) return "/app";
  return may(who, "/admin") ? "/admin" : "/admin/runs";
}
