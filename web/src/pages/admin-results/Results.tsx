import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Facts } from "../../ui/Card";
import { Confirm, Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Sealed } from "../../ui/Sealed";
import { Status } from "../../ui/Status";
import { Empty, Loaded, Note } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Name, Num, Time } from "../../ui/values";
import { TenantLink, tenantValue, useTenants } from "../admin/actors";
import { useAddress } from "../admin/address";
import { RunButton } from "../admin-runs/RunButton";

const t = strings.exchanged.results;

type Result = Schemas["Result"];

function columns(open: (id: string) => void, tenants: ReturnType<typeof useTenants>): Column<Result>[] {
  return [
    {
      id: "name",
      title: t.name,
      filter: "text",
      cell: (r) => (
        <button type="button" className="link" onClick={() => open(r.id)}>
          <Name of={r.name} />
        </button>
      ),
    },
    {
      id: "tenant_name",
      title: t.tenant,
      filter: "text",
      value: (r) => tenantValue(tenants, r.tenant, r.tenant_slug),
      cell: (r) => <TenantLink id={r.tenant} slug={r.tenant_slug} />,
    },
    {
      id: "analysis",
      title: t.analysis,
      sort: true,
      filter: "text",
      cell: (r) => (
        <Link to="/admin/analyses/$id" params={{ id: r.analysis }}>
          <Name of={r.analysis} />
        </Link>
      ),
    },
    { id: "date", title: t.date, sort: true, filter: "text", cell: (r) => <span className="num">{r.date}</span> },
    {
      id: "state",
      title: t.state,
      filter: ["available", "recalled", "deleted"].map((value) => ({ value, label: strings.ui.status[value] ?? value })),
      cell: (r) => <Status state={r.state} />,
    },
    { id: "created_at", title: t.created, sort: true, cell: (r) => <Time at={r.created_at} /> },
    { id: "downloaded_at", title: t.downloaded, cell: (r) => <Time at={r.downloaded_at} /> },
    { id: "rows", title: t.rows, filter: "number", end: true, cell: (r) => <Num of={r.rows} /> },
    { id: "suppressed", title: t.suppressed, end: true, cell: (r) => <Num of={r.suppressed} /> },
    {
      id: "run",
      title: t.run,
      hidden: true,
      filter: "exact",
      cell: (r) => (
        <Link to="/admin/runs/$id" params={{ id: r.run }}>
          <Id of={r.run} />
        </Link>
      ),
    },
    { id: "release", title: t.release, hidden: true, filter: "exact", cell: (r) => <Id of={r.release} /> },
    {
      id: "tenant",
      title: strings.exchanged.slug,
      hidden: true,
      filter: "text",
      value: (r) => r.tenant_slug,
      cell: (r) => <Id of={r.tenant_slug} />,
    },
    { id: "id", title: t.id, hidden: true, filter: "exact", cell: (r) => <Id of={r.id} /> },
  ];
}

/** What runs gave to tenants: metadata only. */
export function Results() {
  const { open } = useSearch({ strict: false }) as { open?: string };
  const address = useAddress();
  const list = useList({
    name: "results",
    key: ["result"],
    command: ["result", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/results", { signal, params: { query } })),
  });
  const show = (id: string) => address({ open: id });
  return (
    <Page title={t.title} actions={<RunButton />}>
      <Sealed>{strings.exchanged.sealedResults}</Sealed>
      <DataTable
        list={list}
        title={t.title}
        columns={columns(show, useTenants())}
        id={(r) => r.id}
        open={(r) => show(r.id)}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      {open && <ResultDrawer id={open} close={() => address({ open: undefined })} />}
    </Page>
  );
}

function ResultDrawer({ id, close }: { id: string; close: () => void }) {
  const query = useQuery({
    queryKey: ["result", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/results/{id}", { signal, params: { path: { id } } })),
  });
  return (
    <Dialog open onClose={close} title={query.data?.name ?? t.name} drawer>
      <Loaded query={query} lines={8}>
        {(r) => (
          <div className="stack">
            <Sealed>{strings.exchanged.sealedResults}</Sealed>
            {r.recalled_at && (
              <Note tone="bad">
                {t.recalledWhy} <Time at={r.recalled_at} />: <bdi>{r.recall_reason}</bdi>
              </Note>
            )}
            {r.mark && (
              <Note tone="warn">
                <bdi>{r.mark}</bdi>
              </Note>
            )}
            <Facts
              of={[
                [t.state, <Status key="s" state={r.state} />],
                [t.tenant, <TenantLink key="t" id={r.tenant} slug={r.tenant_slug} />],
                [
                  t.analysis,
                  <Link key="a" to="/admin/analyses/$id" params={{ id: r.analysis }}>
                    <bdi>{r.analysis}</bdi>
                  </Link>,
                ],
                [t.date, r.date],
                [t.created, <Time key="c" at={r.created_at} exact />],
                [t.downloaded, <Time key="d" at={r.downloaded_at} exact />],
                [t.rows, <Num key="ro" of={r.rows} />],
                [t.suppressed, <Num key="su" of={r.suppressed} />],
                [t.organisations, t.verified(r.organisations_verified, r.organisations)],
                [
                  t.run,
                  <Link key="r" to="/admin/runs/$id" params={{ id: r.run }}>
                    <Id of={r.run} />
                  </Link>,
                ],
                [t.release, <Id key="re" of={r.release} />],
                [t.deletes, r.deletes_at && <Time key="de" at={r.deletes_at} exact />],
                [t.id, <Id key="i" of={r.id} />],
              ]}
            />
            {r.state === "available" && <Recall of={r} />}
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}

function Recall({ of }: { of: Result }) {
  const [asks, setAsks] = useState(false);
  const [reason, setReason] = useState("");
  if (useMe().role !== "system_admin") return null;
  return (
    <div>
      <Button kind="danger" onClick={() => setAsks(true)}>
        {t.recall}
      </Button>
      <Confirm
        open={asks}
        onClose={() => setAsks(false)}
        title={t.recallTitle}
        verb={t.recall}
        typed={of.analysis}
        act={async () => {
          await call(api.POST("/api/v1/results/{id}/recall", { params: { path: { id: of.id } }, body: { reason } }));
          told(t.recalled);
          await queries.invalidateQueries({ queryKey: ["result"] });
          await queries.invalidateQueries({ queryKey: ["run"] });
        }}
      >
        <div className="stack">
          <p>{t.recallText}</p>
          <TextField label={t.reason} value={reason} onChange={setReason} required />
        </div>
      </Confirm>
    </div>
  );
}
