import { Building2, ChartColumn, FileStack } from "lucide-react";
import { strings } from "../strings";
import type { Group } from "./nav";
import { Shell } from "./Shell";

const t = strings.app;

const tenantNav: Group[] = [
  {
    name: t.groups.work,
    entries: [
      { to: "/app/submissions", name: strings.submissions.title, icon: FileStack, key: "s" },
      { to: "/app/results", name: strings.results.title, icon: ChartColumn, key: "r" },
    ],
  },
];

const adminNav: Group[] = [
  { name: t.groups.customers, entries: [{ to: "/admin/tenants", name: strings.tenants.title, icon: Building2, key: "t" }] },
];

/** Where a tenant's people work. */
export function TenantPortal() {
  return <Shell groups={tenantNav} account="/app/account" />;
}

/** Where the provider's people work. */
export function AdminPortal() {
  return <Shell groups={adminNav} account="/admin/account" />;
}
