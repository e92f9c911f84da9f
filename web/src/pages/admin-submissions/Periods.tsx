import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { untilPeriod } from "../../app/moments";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Select, TextField } from "../../ui/Field";
import { Matrix } from "../../ui/Matrix";
import { Loaded } from "../../ui/states";
import { Name, Time } from "../../ui/values";
import { TenantLink, useTenantNames } from "../admin/actors";
import { useAddress } from "../admin/address";
import { allDatasets } from "../admin-analyses/queries";
import { grid } from "./matrix";
import { PeriodDrawer } from "./PeriodDrawer";

const t = strings.exchanged.periods;

const most = 12; // periods side by side
const enough = 5000; // states of tenants in periods

/** For one dataset: who stands how in which period. */
export function Periods() {
  const { dataset, period } = useSearch({ strict: false }) as { dataset?: string; period?: string };
  const address = useAddress();
  const datasets = useQuery(allDatasets);
  const chosen = dataset ?? datasets.data?.[0]?.id;
  const [typed, setTyped] = useState("");
  const filter = useDeferredValue(typed.trim().toLowerCase());
  const names = useTenantNames();
  const query = useQuery({
    queryKey: ["period", "matrix", chosen],
    enabled: chosen !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const found: Schemas["Period"][] = [];
      let after: string | undefined;
      do {
        const page = await call(
          api.GET("/api/v1/periods", { signal, params: { query: { dataset: chosen ?? "", limit: 500, ...(after && { after }) } } }),
        );
        found.push(...items(page));
        after = page.next;
      } while (after && found.length < enough);
      return { states: found, more: after !== undefined };
    },
    refetchInterval: (q) => untilPeriod(q.state.data && { items: q.state.data.states }),
  });
  if (datasets.data?.length === 0) return <p className="secondary">{t.noDatasets}</p>;
  const [tenant, date] = (period ?? "").split(" ");
  return (
    <>
      <div className="row filters">
        <Select
          label={t.dataset}
          value={chosen ?? ""}
          onChange={(d) => address({ dataset: d, period: undefined })}
          options={(datasets.data ?? []).map((d) => ({ value: d.id, label: d.title || d.id }))}
        />
        <TextField label={t.filter} value={typed} onChange={setTyped} type="search" />
      </div>
      <Loaded query={query} lines={8}>
        {({ states, more }) => {
          if (states.length === 0) return <p className="secondary">{t.none}</p>;
          const wanted = filter
            ? states.filter((s) => `${s.tenant_slug} ${names.get(s.tenant) ?? ""}`.toLowerCase().includes(filter))
            : states;
          const g = grid(wanted, names, most);
          return (
            <>
              {more && <p className="secondary">{t.more}</p>}
              <Card title={t.title(chosen ?? "")}>
                <Matrix
                  title={t.title(chosen ?? "")}
                  corner={t.tenant}
                  rows={g.tenants.map((x) => ({ id: x.id, name: names.get(x.id) ?? x.slug, head: <TenantLink id={x.id} slug={x.slug} /> }))}
                  columns={g.periods.map((p) => ({ id: p.date, name: p.label, head: p.label }))}
                  cell={(row, column) => {
                    const p = g.at(row, column);
                    return p && { state: p.state, title: strings.ui.status[p.state] ?? p.state };
                  }}
                  open={(row, column) => address({ period: `${row} ${column}` })}
                />
              </Card>
              <Missing of={g.missing} />
            </>
          );
        }}
      </Loaded>
      {chosen && tenant && date && (
        <PeriodDrawer dataset={chosen} date={date} tenant={tenant} close={() => address({ period: undefined })} />
      )}
    </>
  );
}

function Missing({ of }: { of: { date: string; label: string; tenants: Schemas["Period"][] }[] }) {
  return (
    <Card title={t.missing}>
      <p className="secondary">{of.length === 0 ? t.missingNone : t.missingHint}</p>
      <dl className="stack">
        {of.map((p) => (
          <div key={p.date} className="stack tight">
            <dt>
              <strong className="num">{p.label}</strong>{" "}
              <span className="secondary">
                {t.cutOff} <Time at={p.tenants[0]?.cut_off_at} />
              </span>
            </dt>
            <dd className="row">
              {p.tenants.map((x) => (
                <Link
                  key={x.tenant}
                  to="."
                  search={((before: Record<string, unknown>) => ({ ...before, period: `${x.tenant} ${x.date}` })) as never}
                >
                  <MissingName id={x.tenant} slug={x.tenant_slug} />
                </Link>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function MissingName({ id, slug }: { id: string; slug: string }) {
  return <Name of={useTenantNames().get(id) ?? slug} />;
}
