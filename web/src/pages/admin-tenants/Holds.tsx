import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { TextArea, TextField } from "../../ui/Field";
import { PlainTable } from "../../ui/PlainTable";
import { Loaded } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Time } from "../../ui/values";

const t = strings.tenants.holds;

/** What of a tenant must not be deleted. */
export function Holds({ tenant, admin }: { tenant: string; admin: boolean }) {
  const [setting, setSetting] = useState(false);
  const [release, setRelease] = useState<string>();
  const [dataset, setDataset] = useState("");
  const [reason, setReason] = useState("");
  const query = useQuery({
    queryKey: ["hold", tenant],
    queryFn: ({ signal }) => call(api.GET("/api/v1/holds", { signal, params: { query: { tenant, limit: 500 } } })),
  });
  const done = async () => {
    await queries.invalidateQueries({ queryKey: ["hold"] });
    told(t.done);
  };
  return (
    <Card title={t.title} aside={admin && <Button onClick={() => setSetting(true)}>{t.set}</Button>} flush>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <p className="inset secondary">{t.none}</p>
          ) : (
            <PlainTable
              title={t.title}
              rows={items(list)}
              id={(h) => h.id}
              columns={[
                { id: "dataset", title: t.dataset, cell: (h) => h.dataset ?? t.all },
                { id: "reason", title: t.reason, cell: (h) => <bdi>{h.reason}</bdi> },
                { id: "since", title: t.since, cell: (h) => <Time at={h.set_at} /> },
                ...(admin
                  ? [
                      {
                        id: "act",
                        acts: true,
                        title: strings.ui.table.actions,
                        cell: (h: Schemas["Hold"]) => <Button onClick={() => setRelease(h.id)}>{t.release}</Button>,
                      },
                    ]
                  : []),
              ]}
            />
          )
        }
      </Loaded>
      <Confirm
        open={setting}
        onClose={() => setSetting(false)}
        title={t.set}
        verb={t.set}
        act={async () => {
          await call(api.POST("/api/v1/holds", { body: { tenant, reason, ...(dataset && { dataset }) } }));
          setReason("");
          setDataset("");
          await done();
        }}
      >
        <div className="stack">
          <TextField label={t.dataset} hint={t.datasetHint} value={dataset} onChange={setDataset} optional />
          <TextArea label={t.reason} hint={t.reasonHint} value={reason} onChange={setReason} />
        </div>
      </Confirm>
      <Confirm
        open={release !== undefined}
        onClose={() => setRelease(undefined)}
        title={t.releaseTitle}
        verb={t.release}
        act={async () => {
          await call(api.POST("/api/v1/holds/{id}/release", { params: { path: { id: release ?? "" } } }));
          await done();
        }}
      >
        {t.releaseText}
      </Confirm>
    </Card>
  );
}
