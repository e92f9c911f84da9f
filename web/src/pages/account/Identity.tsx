import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { Status } from "../../ui/Status";
import { Loaded } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";
import { entrance } from "../login/entrance";

const t = strings.account.identity;

/** Who one is at the issuer, for the provider's people where they can sign in with one. */
export function Identity() {
  const query = useQuery({ queryKey: ["user", "identity"], queryFn: ({ signal }) => call(api.GET("/api/v1/me/identity", { signal })) });
  const { data: here } = useQuery(entrance);
  const [asked, setAsked] = useState(false);
  if (!here?.oidc && !query.data?.linked) return null;
  return (
    <Card
      title={t.title(here?.oidc)}
      aside={query.data && <Status state={query.data.linked ? "ok" : "off"}>{query.data.linked ? t.linked : t.unlinked}</Status>}
    >
      <Loaded query={query}>
        {(now) => (
          <div className="stack">
            <p className="secondary">{now.linked ? t.linkedText : t.unlinkedText}</p>
            {now.linked && (
              <>
                <IdentityFacts of={now} />
                <div className="row">
                  <Button onClick={() => setAsked(true)}>{t.unlink}</Button>
                </div>
              </>
            )}
          </div>
        )}
      </Loaded>
      <Confirm
        open={asked}
        onClose={() => setAsked(false)}
        title={t.unlinkTitle}
        verb={t.unlink}
        act={async () => {
          await call(api.DELETE("/api/v1/me/identity"));
          told(t.isUnlinked);
          await queries.invalidateQueries({ queryKey: ["user"] });
          await queries.invalidateQueries({ queryKey: ["session"] });
        }}
      >
        <p>{t.unlinkText}</p>
      </Confirm>
    </Card>
  );
}

export function IdentityFacts({ of: i }: { of: Schemas["Identity"] }) {
  return (
    <Facts
      of={[
        [t.issuer, <Name key="issuer" of={i.issuer} />],
        [t.subject, <Name key="subject" of={i.subject} />],
        [t.email, <Name key="email" of={i.email} />],
        [t.since, <Time key="since" at={i.linked_at} />],
      ]}
    />
  );
}
