import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { Actor } from "../../app/people";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded, ProblemBox } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";
import style from "./Team.module.css";

const t = strings.team;

type Domain = Schemas["Domain"];

const changed = () => queries.invalidateQueries({ queryKey: ["user", "domains"] });

/** The domains whose people sign up by themselves. */
export function Domains() {
  const [domain, setDomain] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [ending, setEnding] = useState<Domain>();
  const query = useQuery({
    queryKey: ["user", "domains"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/domains", { signal, params: { query: { limit: 500 } } })),
  });
  const approve = async (name: string) => {
    setBusy(true);
    setError(undefined);
    try {
      await call(api.POST("/api/v1/domains", { body: { domain: name } }));
      await changed();
      setDomain("");
      told(t.approved);
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void approve(domain);
  };
  return (
    <Card title={t.domains} flush>
      <div className={`${style.pad} stack`}>
        <p className="secondary">{t.domainsText}</p>
        <form className={style.line} onSubmit={submit}>
          <TextField label={t.domain} hint={t.domainHint} value={domain} onChange={setDomain} autoComplete="off" minLength={3} required />
          <Button type="submit" busy={busy}>
            {t.approve}
          </Button>
        </form>
        <ProblemBox of={error} dismiss={() => setError(undefined)} />
      </div>
      <Loaded query={query}>
        {(list) =>
          items(list).length > 0 && (
            <PlainTable
              title={t.domains}
              rows={items(list)}
              id={(d) => d.id}
              columns={[
                { id: "domain", title: t.domain, cell: (d) => <Name of={d.domain} /> },
                {
                  id: "state",
                  title: t.columns.state,
                  cell: (d) => (
                    <Status state={d.state} tone={d.state === "approved" ? "ok" : "info"}>
                      {t.domainStates[d.state] ?? d.state}
                    </Status>
                  ),
                },
                { id: "by", title: t.approvedBy, cell: (d) => <Actor id={d.approved_by ?? d.vouched_by} /> },
                { id: "at", title: t.since, cell: (d) => <Time at={d.approved_at ?? d.vouched_at ?? d.created_at} /> },
                {
                  id: "acts",
                  acts: true,
                  title: strings.ui.table.actions,
                  cell: (d) => (
                    <span className="row">
                      {d.state === "vouched" && <Button onClick={() => void approve(d.domain)}>{t.approve}</Button>}
                      <Button onClick={() => setEnding(d)}>{t.end}</Button>
                    </span>
                  ),
                },
              ]}
            />
          )
        }
      </Loaded>
      {ending && (
        <Confirm
          open
          onClose={() => setEnding(undefined)}
          title={t.endTitle(ending.domain)}
          verb={t.end}
          act={async () => {
            await call(api.DELETE("/api/v1/domains/{id}", { params: { path: { id: ending.id } } }));
            await changed();
            told(t.changed);
          }}
        >
          {t.endText}
        </Confirm>
      )}
    </Card>
  );
}
