import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { plain } from "../../strings/apart";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Empty, Loaded, Note } from "../../ui/states";
import { Views } from "../../ui/Views";
import { Id, Name, Num, Time } from "../../ui/values";
import { Actor } from "../admin/actors";
import { useAddress } from "../admin/address";
import { Difference } from "./Difference";
import { EditPlan } from "./EditPlan";
import { plan, plans } from "./plans";

const t = strings.plan;

type Shown = Schemas["Plan"];
type PlannedType = Schemas["PlannedType"];

/** The tracking plan: its versions, what is in each, what differs, and a new one. */
export function Plan() {
  const { version, view, edit } = useSearch({ from: "/admin/plan" });
  const address = useAddress();
  const admin = isAdmin(useMe());
  const current = useQuery(plan("current"));
  const asked = useQuery({ ...plan(version ?? "current"), enabled: version !== undefined });
  const query = version === undefined ? current : asked;
  const changes = admin && edit === undefined && current.data !== undefined;
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        changes && (
          <Button kind="primary" onClick={() => address({ edit: "yes" })}>
            {current.data ? t.change : t.first}
          </Button>
        )
      }
    >
      {edit !== undefined && admin && current.data !== undefined ? (
        <EditPlan current={current.data} close={() => address({ edit: undefined, version: undefined })} />
      ) : (
        <Loaded query={query} lines={8}>
          {(shown) => (shown ? <One of={shown} current={current.data?.version} view={view} /> : <Empty title={t.none}>{t.noneHint}</Empty>)}
        </Loaded>
      )}
    </Page>
  );
}

function One({ of, current, view = "events" }: { of: Shown; current: number | undefined; view: string | undefined }) {
  const address = useAddress();
  const all = useQuery(plans).data ?? [];
  const at = of.version === current ? {} : { version: of.id };
  const to = (name: "events" | "changes" | "yaml") => ({
    label: t.views[name],
    current: view === name,
    search: { ...at, ...(name !== "events" && { view: name }) },
  });
  return (
    <>
      {current !== undefined && of.version !== current && <Note tone="warn">{t.old(current)}</Note>}
      <div className="row filters">
        <Select
          label={t.version}
          value={of.id}
          onChange={(id) => address({ version: Number(id) === current ? undefined : id })}
          options={(all.length > 0 ? all : [of]).map((p) => ({ value: p.id, label: t.versionOf(p.version, p.version === current) }))}
        />
      </div>
      <Views label={t.views.label} views={[to("events"), to("changes"), to("yaml")]} />
      {view === "yaml" ? (
        <Card title={t.views.yaml}>
          <Copy text={of.source ?? ""} label={t.edit} />
        </Card>
      ) : view === "changes" ? (
        <Changes of={of} all={all} />
      ) : (
        <Types of={of.types ?? []} />
      )}
      <Card>
        <Facts
          of={[
            [t.applied, <Time key="a" at={of.created_at} exact />],
            [t.appliedBy, <Actor key="b" of={of.created_by} />],
            [t.hash, <Id key="h" of={of.hash} />],
            [t.command, <code key="c">tributary plan apply -f FILE.yaml</code>],
          ]}
        />
      </Card>
    </>
  );
}

function Changes({ of, all }: { of: Shown; all: Shown[] }) {
  const { against } = useSearch({ from: "/admin/plan" });
  const address = useAddress();
  const others = all.filter((p) => p.version !== of.version);
  const before = others.find((p) => p.id === against) ?? others.find((p) => p.version < of.version) ?? others[0];
  const other = useQuery({ ...plan(before?.id ?? ""), enabled: before !== undefined });
  if (!before) return <p className="secondary">{t.nothingBefore}</p>;
  return (
    <Card title={t.views.changes}>
      <div className="stack">
        <div className="row filters">
          <Select
            label={t.against}
            value={before.id}
            onChange={(id) => address({ against: id })}
            options={others.map((p) => ({ value: p.id, label: t.versionOf(p.version, false) }))}
          />
        </div>
        <Loaded query={other}>{(o) => <Difference before={o?.source ?? ""} after={of.source ?? ""} />}</Loaded>
      </div>
    </Card>
  );
}

function Types({ of }: { of: PlannedType[] }) {
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState<PlannedType>();
  const text = typed.trim().toLowerCase();
  const fitting = of.filter((x) =>
    [x.type, x.owner, x.description, ...(x.fields ?? []).map((f) => f.name)].some((word) => word?.toLowerCase().includes(text)),
  );
  return (
    <>
      <div className="row filters">
        <TextField label={t.search} type="search" value={typed} onChange={setTyped} data-filter />
      </div>
      <Card title={t.views.events} flush>
        {fitting.length === 0 ? (
          <p className="inset secondary">{t.noneFits}</p>
        ) : (
          <PlainTable
            title={t.views.events}
            rows={fitting}
            id={(x) => x.type}
            open={setOpen}
            columns={[
              {
                id: "type",
                title: t.event,
                cell: (x) => (
                  <button type="button" className="link" onClick={() => setOpen(x)}>
                    <Name of={x.type} />
                  </button>
                ),
              },
              { id: "description", title: t.description, cell: (x) => <bdi className="wraps">{x.description}</bdi> },
              { id: "owner", title: t.owner, cell: (x) => <Name of={x.owner} /> },
              { id: "fields", title: t.fields, end: true, cell: (x) => <Num of={x.fields?.length ?? 0} /> },
            ]}
          />
        )}
      </Card>
      <Dialog open={open !== undefined} onClose={() => setOpen(undefined)} title={open?.type ?? ""} drawer>
        {open && <TypeFacts of={open} />}
      </Dialog>
    </>
  );
}

function TypeFacts({ of }: { of: PlannedType }) {
  return (
    <div className="stack">
      {of.description && (
        <p>
          <bdi>{of.description}</bdi>
        </p>
      )}
      {of.owner && <Facts of={[[t.owner, <Name key="o" of={of.owner} />]]} />}
      {(of.fields ?? []).length === 0 ? (
        <p className="secondary">{t.noFields}</p>
      ) : (
        <PlainTable
          title={plain(`${t.fields}: ${of.type}`)}
          rows={of.fields ?? []}
          id={(f) => f.name}
          columns={[
            { id: "name", title: t.field, cell: (f) => <Name of={f.name} /> },
            { id: "type", title: t.type, cell: (f) => f.type },
            { id: "required", title: t.required, cell: (f) => (f.required ? t.yes : t.no) },
            {
              id: "about",
              title: t.about,
              cell: (f) => (
                <bdi className="wraps">
                  {[f.description, f.allowed && t.allowed(f.allowed.join(", ")), f.max_length && t.maxLength(f.max_length), f.pii && t.pii]
                    .filter(Boolean)
                    .join("; ")}
                </bdi>
              ),
            },
          ]}
        />
      )}
    </div>
  );
}
