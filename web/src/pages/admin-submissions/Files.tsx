import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Facts } from "../../ui/Card";
import { Dialog } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Sealed } from "../../ui/Sealed";
import { Status } from "../../ui/Status";
import { Empty, Loaded, Note } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Bytes, Id, Name, Num, Time } from "../../ui/values";
import { Actor, TenantLink, tenantValue, useTenants } from "../admin/actors";
import { useAddress } from "../admin/address";

const t = strings.exchanged.files;

type Submission = Schemas["Submission"];

const states = ["received", "validating", "accepted", "rejected", "superseded", "withdrawn"];
const choice = (values: string[], words: Record<string, string>) => values.map((value) => ({ value, label: words[value] ?? value }));

function columns(open: (id: string) => void, tenants: ReturnType<typeof useTenants>): Column<Submission>[] {
  return [
    {
      id: "name",
      title: t.name,
      filter: "text",
      cell: (s) => (
        <button type="button" className="link" onClick={() => open(s.id)}>
          <Name of={s.name} />
        </button>
      ),
    },
    {
      id: "tenant_name",
      title: t.tenant,
      filter: "text",
      value: (s) => tenantValue(tenants, s.tenant, s.tenant_slug),
      cell: (s) => <TenantLink id={s.tenant} slug={s.tenant_slug} />,
    },
    {
      id: "dataset",
      title: t.dataset,
      sort: true,
      filter: "text",
      cell: (s) => (
        <Link to="/admin/datasets/$id" params={{ id: s.dataset }}>
          <Name of={s.dataset} />
        </Link>
      ),
    },
    { id: "date", title: t.date, sort: true, filter: "text", cell: (s) => <span className="num">{s.date}</span> },
    {
      id: "state",
      title: t.state,
      filter: choice(states, strings.ui.status),
      cell: (s) => (
        <span className="row tight">
          <Status state={s.state} />
          {s.after_cut_off ? <Status state="late">{t.afterCutOff}</Status> : s.late && <Status state="late" />}
        </span>
      ),
    },
    { id: "received_at", title: t.received, sort: true, cell: (s) => <Time at={s.received_at} /> },
    { id: "size", title: t.size, sort: true, filter: "number", end: true, cell: (s) => <Bytes of={s.size} /> },
    { id: "rows", title: t.rows, hidden: true, end: true, cell: (s) => <Num of={s.rows} /> },
    { id: "error_count", title: t.errors, hidden: true, end: true, cell: (s) => <Num of={s.error_count} /> },
    {
      id: "channel",
      title: t.channel,
      filter: choice(["web", "sftp", "api", "cli"], t.channels),
      cell: (s) => t.channels[s.channel] ?? s.channel,
    },
    { id: "revision", title: t.revision, hidden: true, end: true, cell: (s) => <Num of={s.revision} /> },
    { id: "submitted_by", title: t.submittedBy, hidden: true, filter: "exact", cell: (s) => <Id of={s.submitted_by} /> },
    {
      id: "tenant",
      title: strings.exchanged.slug,
      hidden: true,
      filter: "text",
      value: (s) => s.tenant_slug,
      cell: (s) => <Id of={s.tenant_slug} />,
    },
    { id: "id", title: t.id, hidden: true, filter: "exact", cell: (s) => <Id of={s.id} /> },
  ];
}

/** The files of all tenants, as metadata. */
export function Files() {
  const { open } = useSearch({ strict: false }) as { open?: string };
  const address = useAddress();
  const list = useList({
    name: "submissions",
    key: ["submission"],
    command: ["submission", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/submissions", { signal, params: { query } })),
  });
  const show = (id: string) => address({ open: id });
  return (
    <>
      <DataTable
        list={list}
        title={t.title}
        columns={columns(show, useTenants())}
        id={(s) => s.id}
        open={(s) => show(s.id)}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      {open && <FileDrawer id={open} close={() => address({ open: undefined })} />}
    </>
  );
}

/** What is known of one file. */
export function FileDrawer({ id, close }: { id: string; close: () => void }) {
  const query = useQuery({
    queryKey: ["submission", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions/{id}", { signal, params: { path: { id } } })),
  });
  return (
    <Dialog open onClose={close} title={query.data?.name ?? t.name} drawer>
      <Loaded query={query} lines={8}>
        {(s) => (
          <div className="stack">
            <Sealed>{strings.exchanged.sealedFiles}</Sealed>
            {s.state === "rejected" && s.error_count !== undefined && <Note tone="bad">{t.problems(s.error_count)}</Note>}
            {(s.notes ?? []).length > 0 && (
              <Note>
                {(s.notes ?? []).map((n) => (
                  <p key={n}>
                    <bdi>{n}</bdi>
                  </p>
                ))}
              </Note>
            )}
            <Facts
              of={[
                [t.state, <Status key="s" state={s.state} />],
                [t.tenant, <TenantLink key="t" id={s.tenant} slug={s.tenant_slug} />],
                [
                  t.dataset,
                  <Link key="d" to="/admin/datasets/$id" params={{ id: s.dataset }}>
                    <bdi>{s.dataset}</bdi>
                  </Link>,
                ],
                [t.contract, <Num key="c" of={s.dataset_version} />],
                [t.date, s.date],
                [t.received, <Time key="r" at={s.received_at} exact />],
                [t.validated, s.validated_at && <Time key="v" at={s.validated_at} exact />],
                [t.due, s.due_at && <Time key="du" at={s.due_at} exact />],
                [t.cutOff, s.cut_off_at && <Time key="co" at={s.cut_off_at} exact />],
                [t.channel, t.channels[s.channel] ?? s.channel],
                [t.submittedBy, <Actor key="b" of={s.submitted_by} />],
                [t.size, <Bytes key="z" of={s.size} />],
                [t.rows, s.rows !== undefined && <Num key="ro" of={s.rows} />],
                [t.columns, s.columns !== undefined && <Num key="cl" of={s.columns} />],
                [t.revision, <Num key="re" of={s.revision} />],
                [t.duplicate, s.duplicate_of && <Id key="dp" of={s.duplicate_of} />],
                [t.deletes, s.deletes_at && <Time key="dl" at={s.deletes_at} exact />],
                [t.deleted, s.deleted_at && <Time key="de" at={s.deleted_at} exact />],
                [t.id, <Id key="i" of={s.id} />],
                [t.commitment, <Id key="cm" of={s.commitment} />],
              ]}
            />
            {s.held && <p>{t.held}</p>}
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}
