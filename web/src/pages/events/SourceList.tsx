import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Facts } from "../../ui/Card";
import { Confirm, Dialog } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Name, Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { freshness } from "../freshness/queries";
import { HowTo } from "./HowTo";
import { Maker } from "./Maker";
import { NewSource } from "./NewSource";

const t = strings.events.sources;

type Source = Schemas["Source"];

const stateOf = (s: Source) => (s.revoked_at ? "revoked" : "active");

function columns(staff: boolean, newest: Map<string, string>, open: (id: string) => void): Column<Source>[] {
  return [
    {
      id: "name",
      title: t.name,
      cell: (s) => (
        <button type="button" className="link" onClick={() => open(s.id)}>
          <Name of={s.name} />
        </button>
      ),
    },
    { id: "state", title: t.state, value: (s) => t.states[stateOf(s)], cell: (s) => <Status state={stateOf(s)} /> },
    ...(staff ? [{ id: "tenant_field", title: t.field, cell: (s: Source) => <code>{s.tenant_field}</code> }] : []),
    {
      id: "strict",
      title: t.plan,
      value: (s) => plansOf(s),
      cell: plansOf,
    },
    { id: "newest", title: t.newest, value: (s) => newest.get(s.id), cell: (s) => <Newest at={newest.get(s.id)} /> },
    { id: "hint", title: t.hint, cell: (s) => <code>…{s.hint}</code> },
    { id: "created_at", title: t.created, cell: (s) => <Time at={s.created_at} /> },
    { id: "created_by", title: t.createdBy, hidden: true, cell: (s) => <Maker of={s.created_by} /> },
    { id: "revoked_at", title: t.revoked, hidden: true, cell: (s) => <Time at={s.revoked_at} /> },
    { id: "id", title: t.id, hidden: true, cell: (s) => <Id of={s.id} /> },
  ];
}

function Newest({ at }: { at: string | undefined }) {
  return at ? <Time at={at} /> : <span className="secondary">{t.never}</span>;
}

/** When the newest event of each source came, by the sources' ids. */
function useNewest(): Map<string, string> {
  const all = useQuery(freshness).data ?? [];
  const found = new Map<string, string>();
  for (const { kind, name, last_at = "" } of all) if (kind === "source" && last_at > (found.get(name) ?? "")) found.set(name, last_at);
  return found;
}

const plansOf = (s: Source) => (s.strict ? t.plans.strict : t.plans.lenient);

/** The sources of one's tenant, or of the provider: made, looked at and revoked. */
export function SourceList({ making, setMaking }: { making: boolean; setMaking: (on: boolean) => void }) {
  const who = useMe();
  const admin = isAdmin(who);
  const { open } = useSearch({ strict: false }) as { open?: string };
  const address = useAddress();
  const [revoking, setRevoking] = useState<Source>();
  const list = useList({
    name: "sources",
    key: ["key", "source"],
    command: ["source", "list"],
    fetch: ({ limit, after }, signal) =>
      call(api.GET("/api/v1/sources", { signal, params: { query: { limit, ...(after && { after }) } } })),
  });
  const show = (id: string) => address({ open: id });
  const opened = items(list.query.data).find((s) => s.id === open);
  return (
    <>
      <DataTable
        list={list}
        title={t.title}
        columns={columns(!who.tenant, useNewest(), show)}
        id={(s) => s.id}
        open={(s) => show(s.id)}
        noSearch
        empty={<Empty title={t.empty}>{admin ? t.emptyHint : t.emptyRead}</Empty>}
      />
      <Dialog open={opened !== undefined} onClose={() => address({ open: undefined })} title={opened?.name ?? ""} drawer>
        {opened && (
          <div className="stack">
            <Facts
              of={[
                [t.state, <Status key="s" state={stateOf(opened)} />],
                [t.field, opened.tenant_field && <code key="f">{opened.tenant_field}</code>],
                [t.plan, plansOf(opened)],
                [t.hint, <code key="h">…{opened.hint}</code>],
                [t.created, <Time key="c" at={opened.created_at} exact />],
                [t.createdBy, <Maker key="b" of={opened.created_by} />],
                [t.revoked, opened.revoked_at && <Time key="r" at={opened.revoked_at} exact />],
                [t.id, <Id key="i" of={opened.id} />],
              ]}
            />
            {!opened.revoked_at && <HowTo />}
            {admin && !opened.revoked_at && (
              <div>
                <Button kind="danger" onClick={() => setRevoking(opened)}>
                  {t.revoke}
                </Button>
              </div>
            )}
          </div>
        )}
      </Dialog>
      <Confirm
        open={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title={t.revokeTitle(revoking?.name ?? "")}
        verb={t.revoke}
        act={async () => {
          await call(api.DELETE("/api/v1/sources/{id}", { params: { path: { id: revoking?.id ?? "" } } }));
          await queries.invalidateQueries({ queryKey: ["key", "source"] });
          told(t.revokeDone);
        }}
      >
        <p>{t.revokeText}</p>
      </Confirm>
      {making && admin && <NewSource staff={!who.tenant} onClose={() => setMaking(false)} />}
    </>
  );
}
