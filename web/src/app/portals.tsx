import { useQuery } from "@tanstack/react-query";
import {
  Archive,
  Building2,
  Cable,
  CalendarClock,
  ChartColumn,
  ChartNoAxesColumn,
  Database,
  FileInput,
  FileOutput,
  FileStack,
  Gauge,
  Handshake,
  House,
  LayoutDashboard,
  ListChecks,
  Mail,
  Play,
  ScrollText,
  Settings,
  ShieldAlert,
  Sigma,
  Upload,
  Users,
  Waves,
} from "lucide-react";
import { lazy, Suspense } from "react";
import { useRunDrawer } from "../pages/admin-runs/drawer";
import { strings } from "../strings";
import type { Action, Group } from "./nav";
import { Shell } from "./Shell";
import { Suspended } from "./Suspended";
import { isAdmin, me, suspended, useMe } from "./session";

const t = strings.app;

// Fetched when it is first opened.
const RunDrawer = lazy(() => import("../pages/admin-runs/RunDrawer"));

export const tenantNav: Group[] = [
  {
    entries: [
      { to: "/app", name: strings.home.title, icon: House, key: "h" },
      { to: "/app/submit", name: strings.submit.title, icon: Upload, key: "f" },
    ],
  },
  {
    name: t.groups.work,
    entries: [
      { to: "/app/submissions", name: strings.submissions.title, icon: FileStack, key: "s" },
      { to: "/app/results", name: strings.results.title, icon: ChartColumn, key: "r" },
      { to: "/app/analyses", name: strings.participation.title, icon: Handshake, key: "p" },
      { to: "/app/events", name: strings.events.title, icon: Waves, key: "e" },
    ],
  },
  {
    name: t.groups.people,
    entries: [
      { to: "/app/team", name: strings.team.title, icon: Users, key: "t" },
      { to: "/app/activity", name: strings.activity.title, icon: ScrollText, key: "y" },
      { to: "/app/settings", name: strings.settings.title, icon: Settings, key: "," },
    ],
  },
];

const tenantActions: Action[] = [
  { name: strings.team.inviteTitle, to: "/app/team?invite=yes", admin: true },
  { name: strings.events.sources.create, to: "/app/events?view=sources&create=yes", admin: true },
];

export const adminNav: Group[] = [
  { entries: [{ to: "/admin", name: strings.overview.title, icon: LayoutDashboard, key: "o" }] },
  {
    name: t.groups.work,
    entries: [
      { to: "/admin/submissions", name: strings.exchanged.files.title, icon: FileInput, key: "s" },
      { to: "/admin/analyses", name: strings.analyses.title, icon: Sigma, key: "a" },
      { to: "/admin/runs", name: strings.runs.title, icon: Play, key: "r" },
      { to: "/admin/schedules", name: strings.schedules.title, icon: CalendarClock, key: "d" },
      { to: "/admin/results", name: strings.exchanged.results.title, icon: FileOutput, key: "e" },
      { to: "/admin/reports", name: strings.reports.title, icon: ChartNoAxesColumn, key: "p" },
    ],
  },
  {
    name: t.groups.events,
    entries: [
      { to: "/admin/streams", name: strings.events.streams.title, icon: Waves, key: "w" },
      { to: "/admin/sources", name: strings.events.sources.title, icon: Cable, key: "c" },
      { to: "/admin/quarantine", name: strings.events.quarantine.title, icon: ShieldAlert, key: "k" },
      { to: "/admin/plan", name: strings.plan.title, icon: ListChecks, key: "n" },
      { to: "/admin/query", name: strings.query.title, icon: Database, key: "q" },
      { to: "/admin/freshness", name: strings.freshness.title, icon: Gauge, key: "f" },
      { to: "/admin/archive", name: strings.archive.title, icon: Archive, key: "v" },
    ],
  },
  { name: t.groups.tenants, entries: [{ to: "/admin/tenants", name: strings.tenants.title, icon: Building2, key: "t" }] },
  {
    name: t.groups.platform,
    entries: [
      { to: "/admin/people", name: strings.platform.people.title, icon: Users, key: "u" },
      { to: "/admin/outbox", name: strings.platform.outbox.title, icon: Mail, key: "m" },
      { to: "/admin/audit", name: strings.platform.audit.title, icon: ScrollText, key: "l" },
      { to: "/admin/settings", name: strings.platform.settings.title, icon: Settings, key: "," },
    ],
  },
];

const adminActions: Action[] = [
  { name: strings.runs.start, to: "/admin/runs?run=-", admin: true },
  { name: strings.tenants.create, to: "/admin/tenants?create=yes", admin: true },
  { name: strings.schedules.create, to: "/admin/schedules?create=yes", admin: true },
  { name: strings.events.sources.create, to: "/admin/sources?create=yes", admin: true },
  { name: strings.team.inviteTitle, to: "/admin/people?create=yes", admin: true },
  { name: strings.platform.settings.newWebhook, to: "/admin/settings?create=webhook", admin: true },
];

/** Where a tenant's people work, unless it is suspended. */
export function TenantPortal() {
  const { error } = useQuery({ ...me, retryOnMount: false });
  if (suspended(error)) return <Suspended why={error.message} />;
  return <Shell groups={tenantNav} actions={tenantActions} account="/app/account" />;
}

/** Where the provider's people work. */
export function AdminPortal() {
  const drawer = useRunDrawer();
  const admin = isAdmin(useMe());
  return (
    <>
      <Shell groups={adminNav} actions={adminActions} account="/admin/account" />
      <Suspense>{admin && drawer.shown && <RunDrawer />}</Suspense>
    </>
  );
}
