import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { pageAt } from "../../app/nav";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Select } from "../../ui/Field";
import { useDatasets } from "../app-submit/Datasets";
import { useOwnTenant, usePeriods } from "./facts";
import style from "./Home.module.css";
import { apiSnippet, cliSnippet, sftpSnippet } from "./snippet";
import { byUrgency, fileName } from "./steps";

const t = strings.home.snippets;

/** How programs send the same files, with this organisation's own values. */
export function Snippets() {
  const who = useMe();
  const datasets = items(useDatasets().data);
  const periods = byUrgency(items(usePeriods().data));
  const tenant = useOwnTenant().data;
  const sftp = useQuery({ queryKey: ["sftp"], staleTime: 600_000, queryFn: ({ signal }) => call(api.GET("/api/v1/sftp", { signal })) });
  const [chosen, setChosen] = useState("");
  const dataset = datasets.find((d) => d.id === (chosen || periods[0]?.dataset)) ?? datasets[0];
  if (!dataset || !sftp.data) return null;
  const date = periods.find((p) => p.dataset === dataset.id)?.date ?? new Date().toISOString().slice(0, 10);
  const name = fileName(dataset, date, tenant?.external_ids?.[0]) ?? t.file;
  const of = { server: location.origin, host: location.hostname, login: who.login ?? "SLUG.USER", dataset: dataset.id, date, name };
  return (
    <Card title={t.title}>
      <div className="stack">
        {datasets.length > 1 && (
          <div className={style.narrow}>
            <Select
              label={t.dataset}
              value={dataset.id}
              onChange={setChosen}
              options={datasets.map((d) => ({ value: d.id, label: d.title || d.id }))}
            />
          </div>
        )}
        <div className={style.snippets}>
          <section>
            <h3>{t.sftp}</h3>
            {sftp.data.address ? (
              <>
                <p className="secondary">{t.sftpText}</p>
                <Copy label={t.sftp} text={sftpSnippet(of, sftp.data.address, dataset.file_name !== undefined)} />
                <Fingerprints of={sftp.data} />
              </>
            ) : (
              <p className="secondary">{t.noSFTP}</p>
            )}
          </section>
          <div>
            <section>
              <h3>{t.api}</h3>
              <p className="secondary">
                {t.apiText} {isAdmin(who) && <Link to={pageAt("app", "account")}>{t.makeKey}</Link>}
              </p>
              <Copy label={t.api} text={apiSnippet(of)} />
            </section>
            <section>
              <h3>{t.cli}</h3>
              <p className="secondary">{t.cliText}</p>
              <Copy label={t.cli} text={cliSnippet(of)} />
            </section>
          </div>
        </div>
      </div>
    </Card>
  );
}

function Fingerprints({ of }: { of: Schemas["SFTP"] }) {
  return (of.host_keys ?? []).map((k) => (
    <p key={k.fingerprint} className="secondary">
      {t.fingerprint} ({k.type}): <code className="id">{k.fingerprint}</code>
    </p>
  ));
}
