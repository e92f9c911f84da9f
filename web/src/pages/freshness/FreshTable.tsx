import { useQuery } from "@tanstack/react-query";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { duration } from "../../ui/format";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Name, Nothing, Time } from "../../ui/values";
import { TenantLink } from "../admin/actors";
import { allSources } from "../events/queries";
import type { Freshness } from "./grid";

const t = strings.freshness;

/** The names of the sources that one knows, by id. */
export function useSourceNames(): Map<string, string> {
  const { role } = useMe();
  const all = useQuery({ ...allSources, enabled: role !== "analyst" && role !== "tenant_user" }).data ?? [];
  return new Map(all.map((s) => [s.id, s.name]));
}

/** How new some things are, a line each. */
export function FreshTable({ of, title, tenants }: { of: Freshness[]; title: string; tenants?: boolean }) {
  const names = useSourceNames();
  const unknown = useMe().role === "tenant_admin" ? t.provider : undefined; // who knows all sources of its own
  const named = (f: Freshness) => (f.kind !== "source" ? f.name : f.name === "api" ? t.api : (names.get(f.name) ?? unknown ?? f.name));
  return (
    <PlainTable
      title={title}
      rows={of}
      id={(f) => `${f.kind} ${f.name} ${f.tenant ?? ""}`}
      columns={[
        ...(tenants ? [{ id: "tenant", title: t.tenant, cell: (f: Freshness) => (f.tenant ? <TenantLink id={f.tenant} /> : t.all) }] : []),
        { id: "name", title: t.name, cell: (f) => <Name of={named(f)} /> },
        { id: "kind", title: t.kind, cell: (f) => t.kinds[f.kind] ?? f.kind },
        {
          id: "state",
          title: t.state,
          cell: (f) => (
            <span title={f.problem || t.states[f.state]}>
              <Status state={f.state} />
            </span>
          ),
        },
        { id: "last_at", title: t.last, cell: (f) => <Time at={f.last_at} /> },
        { id: "lag", title: t.lag, cell: (f) => (f.last_at ? duration(f.lag_seconds * 1000) : <Nothing />) },
        { id: "expected", title: t.expected, cell: expected },
        { id: "complete", title: t.complete, cell: (f) => <Time at={f.complete_to} /> },
      ]}
    />
  );
}

function expected(f: Freshness): string {
  if (!f.expected_seconds) return t.unknown;
  const time = duration(f.expected_seconds * 1000);
  if (f.kind !== "source") return time;
  return f.declared ? t.declared(time) : t.learned(time);
}
