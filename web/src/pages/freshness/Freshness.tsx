import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { command } from "../../ui/command";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { Matrix } from "../../ui/Matrix";
import { Empty, Loaded, Note } from "../../ui/states";
import { TenantLink, useTenantNames } from "../admin/actors";
import { useAddress } from "../admin/address";
import { FreshTable, useSourceNames } from "./FreshTable";
import { type Freshness as Fresh, grid, worst } from "./grid";
import { freshness } from "./queries";

const t = strings.freshness;

const states = Object.keys(t.states);

/** How new what tenants send is, and what is made of it; a tenant sees its own. */
export function Freshness() {
  const staff = !useMe().tenant;
  const { state = "" } = useSearch({ strict: false }) as { state?: string };
  const address = useAddress();
  const query = useQuery(freshness);
  return (
    <>
      <div className="row filters">
        <Select
          label={t.state}
          value={states.includes(state) ? state : ""}
          onChange={(s) => address({ state: s || undefined })}
          options={[{ value: "", label: t.everyState }, ...states.map((value) => ({ value, label: `${value}: ${t.states[value]}` }))]}
        />
      </div>
      <Loaded query={query} lines={8}>
        {(all) => {
          if (all.length === 0) return <Empty title={t.none}>{t.noneHint}</Empty>;
          const wanted = state ? all.filter((f) => f.state === state) : all;
          if (wanted.length === 0) return <p className="secondary">{t.noneFits}</p>;
          return staff ? (
            <>
              {wanted
                .flatMap((f) => f.problem ?? [])
                .map((p) => (
                  <Note key={p} tone="bad">
                    <bdi>{p}</bdi>
                  </Note>
                ))}
              <Together of={wanted.filter((f) => !f.tenant)} />
              <ByTenant of={wanted} />
            </>
          ) : (
            <Card flush>
              <FreshTable of={wanted} title={t.title} />
            </Card>
          );
        }}
      </Loaded>
      <Card title={t.command}>
        <Copy label="tributary freshness" text={command(["freshness", ...(state ? [`--state=${state}`] : [])])} />
      </Card>
    </>
  );
}

function Together({ of }: { of: Fresh[] }) {
  if (of.length === 0) return null;
  return (
    <Card title={t.all} flush>
      <FreshTable of={of} title={t.all} />
    </Card>
  );
}

function ByTenant({ of }: { of: Fresh[] }) {
  const names = useTenantNames();
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState<{ title: string; of: Fresh[] }>();
  const g = grid(of, useSourceNames(), t);
  if (g.tenants.length === 0) return null;
  const nameOf = (id: string) => names.get(id) ?? id;
  const text = typed.trim().toLowerCase();
  const shown = g.tenants.filter((id) => nameOf(id).toLowerCase().includes(text)).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  return (
    <Card title={t.matrix}>
      <div className="stack">
        <div className="row filters">
          <TextField label={t.findTenant} type="search" value={typed} onChange={setTyped} data-filter />
        </div>
        <Matrix
          title={t.matrix}
          corner={t.tenant}
          rows={shown.slice(0, mostRows).map((id) => ({ id, name: nameOf(id), head: <TenantLink id={id} /> }))}
          columns={g.columns.map((c) => ({ id: c.id, name: c.label, head: <bdi className="name">{c.label}</bdi> }))}
          cell={(row, column) => {
            const found = g.at(row, column);
            const state = worst(found);
            return found.length > 0 ? { state, title: `${strings.ui.status[state] ?? state}: ${t.states[state] ?? ""}` } : undefined;
          }}
          open={(row, column) =>
            setOpen({ title: t.of(nameOf(row), g.columns.find((c) => c.id === column)?.label ?? column), of: g.at(row, column) })
          }
        />
        {shown.length > mostRows && <p className="secondary">{t.drawn(mostRows, shown.length)}</p>}
      </div>
      <Dialog open={open !== undefined} onClose={() => setOpen(undefined)} title={open?.title ?? ""} drawer>
        {open && <FreshTable of={open.of} title={open.title} />}
      </Dialog>
    </Card>
  );
}

/** How many tenants are drawn at once. */
const mostRows = 200;
