import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";

const t = strings.tenants.domains;

type Domain = Schemas["Domain"];

/** The domains whose people sign up to a tenant by themselves, and those that the provider knows to be its. */
export function Domains({ tenant, admin }: { tenant: string; admin: boolean /** Whether one may vouch and end. */ }) {
  const [vouching, setVouching] = useState(false);
  const [domain, setDomain] = useState("");
  const [ending, setEnding] = useState<Domain>();
  const query = useQuery({
    queryKey: ["user", "domains", tenant],
    queryFn: ({ signal }) => call(api.GET("/api/v1/domains", { signal, params: { query: { tenant, limit: 500 } } })),
  });
  const done = async () => {
    await queries.invalidateQueries({ queryKey: ["user", "domains"] });
    told(t.done);
  };
  return (
    <Card title={t.title} aside={admin && <Button onClick={() => setVouching(true)}>{t.vouch}</Button>} flush>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <p className="inset secondary">{t.none}</p>
          ) : (
            <PlainTable
              title={t.title}
              rows={items(list)}
              id={(d) => d.id}
              columns={[
                { id: "domain", title: t.domain, cell: (d) => <Name of={d.domain} /> },
                {
                  id: "state",
                  title: strings.tenants.state,
                  cell: (d) => (
                    <Status state={d.state} tone={d.state === "approved" ? "ok" : "info"}>
                      {t.states[d.state] ?? d.state}
                    </Status>
                  ),
                },
                { id: "since", title: t.since, cell: (d) => <Time at={d.approved_at ?? d.vouched_at ?? d.created_at} /> },
                ...(admin
                  ? [
                      {
                        id: "act",
                        acts: true,
                        title: strings.ui.table.actions,
                        cell: (d: Domain) => <Button onClick={() => setEnding(d)}>{t.end}</Button>,
                      },
                    ]
                  : []),
              ]}
            />
          )
        }
      </Loaded>
      <Confirm
        open={vouching}
        onClose={() => setVouching(false)}
        title={t.vouchTitle}
        verb={t.vouch}
        act={async () => {
          await call(api.POST("/api/v1/domains", { body: { tenant, domain } }));
          setDomain("");
          await done();
        }}
      >
        <div className="stack">
          <p>{t.vouchText}</p>
          <TextField label={t.domain} hint={t.domainHint} value={domain} onChange={setDomain} autoComplete="off" minLength={3} required />
        </div>
      </Confirm>
      {ending && (
        <Confirm
          open
          onClose={() => setEnding(undefined)}
          title={strings.team.endTitle(ending.domain)}
          verb={t.end}
          act={async () => {
            await call(api.DELETE("/api/v1/domains/{id}", { params: { path: { id: ending.id } } }));
            await done();
          }}
        >
          {strings.team.endText}
        </Confirm>
      )}
    </Card>
  );
}
