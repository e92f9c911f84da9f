import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { PlainTable } from "../../ui/PlainTable";
import { save } from "../../ui/save";
import { told } from "../../ui/Toasts";
import { Num, Time } from "../../ui/values";
import { Actor } from "../admin/actors";
import { offboarding } from "./queries";

const t = strings.tenants.end;

/** How a tenant's end goes, with the receipt; nothing while there is none. */
export function Ending({ of: x, admin }: { of: Schemas["Tenant"]; admin: boolean }) {
  const { data: end } = useQuery({ ...offboarding(x.id), enabled: x.state !== "active" && x.state !== "onboarding" });
  const [asked, setAsked] = useState<"keep" | "hasten">();
  if (!end || x.state === "suspended") return null;
  const path = { params: { path: { id: x.id } } };
  const done = async (text: string) => {
    await queries.invalidateQueries({ queryKey: ["tenant"] });
    told(text);
  };
  return (
    <Card title={t.title}>
      <div className="stack">
        <Facts
          of={[
            [t.requested, <Time key="r" at={end.requested_at} exact />],
            [t.by, <Actor key="b" of={end.requested_by} />],
            [t.erase, <Time key="e" at={end.erase_after} exact />],
            [t.exported, end.exported_at && <Time key="x" at={end.exported_at} />],
            [t.held, end.held && <bdi key="h">{end.held}</bdi>],
            [t.finished, end.finished_at && <Time key="f" at={end.finished_at} exact />],
          ]}
        />
        {end.receipt && end.receipt.length > 0 && (
          <PlainTable
            title={t.title}
            rows={end.receipt}
            id={(l, at) => `${l.store}${at}`}
            columns={[
              { id: "store", title: t.store, cell: (l) => l.store },
              { id: "method", title: t.method, cell: (l) => l.method },
              { id: "count", title: t.count, end: true, cell: (l) => <Num of={l.count} /> },
            ]}
          />
        )}
        <div className="row">
          {end.signed && (
            <Button onClick={() => save(`offboarding-${x.slug}.json`, JSON.stringify(end, null, 2), "application/json")}>
              {t.receipt}
            </Button>
          )}
          {admin && !end.finished_at && (
            <>
              <Button onClick={() => setAsked("keep")}>{t.keep}</Button>
              <Button kind="danger" onClick={() => setAsked("hasten")}>
                {t.hasten}
              </Button>
            </>
          )}
        </div>
      </div>
      <Confirm
        open={asked === "keep"}
        onClose={() => setAsked(undefined)}
        title={t.keepTitle(x.name)}
        verb={t.keep}
        act={async () => {
          await call(api.DELETE("/api/v1/tenants/{id}/offboard", path));
          await done(t.kept);
        }}
      >
        {t.keepText}
      </Confirm>
      <Confirm
        open={asked === "hasten"}
        onClose={() => setAsked(undefined)}
        title={t.hastenTitle(x.name)}
        verb={t.hasten}
        typed={x.slug}
        act={async () => {
          await call(api.POST("/api/v1/tenants/{id}/offboard/hasten", path));
          await done(t.hastened);
        }}
      >
        {t.hastenText}
      </Confirm>
    </Card>
  );
}
