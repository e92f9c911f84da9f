import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import { api, call, items } from "../../api/client";
import { exports } from "../../app/access";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button, buttonClass } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Empty, Loaded } from "../../ui/states";
import { Name, Time } from "../../ui/values";
import style from "./Settings.module.css";
import { Webhooks } from "./Webhooks";

const t = strings.settings;

/** What is set for the tenant, and what is kept of it for how long. */
export function Settings() {
  const who = useMe();
  const admin = isAdmin(who);
  const [making, setMaking] = useState(false);
  const add = (
    <Button kind="primary" onClick={() => setMaking(true)}>
      {t.newWebhook}
    </Button>
  );
  return (
    <Page title={t.title} lead={t.lead} actions={admin && add}>
      {admin && <Webhooks making={making} setMaking={setMaking} />}
      <Retention />
      <Holds />
      {exports(who) && (
        <Card title={t.export}>
          <div className="stack">
            <p className="secondary">{t.exportText}</p>
            <Copy text="tributary --token-file FILE tenant export -o export.tar" />
            <div>
              <a className={buttonClass()} href="/api/v1/tenant/export" download>
                <Download size={16} aria-hidden /> {t.exportButton}
              </a>
            </div>
          </div>
        </Card>
      )}
    </Page>
  );
}

function Retention() {
  const query = useQuery({
    queryKey: ["dataset", "list"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/datasets", { signal, params: { query: { limit: 500 } } })),
  });
  return (
    <Card title={t.retention} flush>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <Empty title={t.retentionNone} />
          ) : (
            <>
              <PlainTable
                title={t.retention}
                rows={items(list)}
                id={(d) => d.id}
                columns={[
                  { id: "dataset", title: t.dataset, cell: (d) => <Name of={d.title || d.id} /> },
                  { id: "kept", title: t.kept, cell: (d) => (d.retention_days ? t.keptFor(d.retention_days) : t.keptAlways) },
                ]}
              />
              <p className={`${style.below} secondary`}>{t.retentionText}</p>
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

function Holds() {
  const query = useQuery({
    queryKey: ["hold", "list"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/holds", { signal, params: { query: { limit: 500 } } })),
  });
  return (
    <Card title={t.holds} flush>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <p className={`${style.below} secondary`}>{t.holdsNone}</p>
          ) : (
            <PlainTable
              title={t.holds}
              rows={items(list)}
              id={(h) => h.id}
              columns={[
                { id: "dataset", title: t.holdDataset, cell: (h) => (h.dataset ? <Name of={h.dataset} /> : t.holdAll) },
                { id: "reason", title: t.reason, cell: (h) => <bdi className={style.long}>{h.reason}</bdi> },
                { id: "since", title: t.since, cell: (h) => <Time at={h.set_at} /> },
              ]}
            />
          )
        }
      </Loaded>
    </Card>
  );
}
