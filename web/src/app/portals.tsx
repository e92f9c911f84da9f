import { Building2 } from "lucide-react";
import { strings } from "../strings";
import type { Group } from "./nav";
import { Shell } from "./Shell";

const t = strings.app;

const tenantNav: Group[] = [];

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
