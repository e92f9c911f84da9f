import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { apiKeys, living } from "../../app/keys";
import { isAdmin, type Me, queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Confirm } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { Loaded, Note } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name } from "../../ui/values";
import style from "./account.module.css";
import { Uses } from "./SSHKeys";

const t = strings.account.api;
const roles = strings.account.you.roles;

/** Keys for programs: an admin's to make, of its tenant or of the provider. */
export function APIKeys({ who }: { who: Me }) {
  if (isAdmin(who)) return <Keys who={who} />;
  return (
    <Card title={t.title}>
      <p className="secondary">{who.tenant ? t.notYours : t.notStaff}</p>
    </Card>
  );
}

function Keys({ who }: { who: Me }) {
  const query = useQuery(apiKeys);
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Schemas["APIKey"]>();
  const [revoking, setRevoking] = useState<Schemas["APIKey"]>();
  const changed = () => queries.invalidateQueries({ queryKey: ["key", "api"] });
  return (
    <Card title={t.title} aside={<Button onClick={() => setAdding(true)}>{t.add}</Button>}>
      <div className="stack">
        <p className="secondary">{t.text(who.tenant_slug ?? t.provider)}</p>
        {made && <Made of={made} onKept={() => setMade(undefined)} />}
        <Loaded query={query}>
          {({ keys, more }) => {
            const usable = keys.filter(living);
            return (
              <>
                {usable.length === 0 && <p>{t.none}</p>}
                <ul className={style.list}>
                  {usable.map((k) => (
                    <li key={k.id}>
                      <div className={style.what}>
                        <h3>
                          <Name of={k.name} />
                        </h3>
                        <p className={style.more}>
                          <span>{roles[k.role] ?? k.role}</span>
                          <span>
                            {t.ending} <code>…{k.hint}</code>
                          </span>
                        </p>
                        <p className={style.more}>
                          <Uses of={k} />
                        </p>
                      </div>
                      <Button aria-label={t.revokeOne(k.name)} onClick={() => setRevoking(k)}>
                        {t.revoke}
                      </Button>
                    </li>
                  ))}
                </ul>
                {more && <p className="secondary">{t.more}</p>}
              </>
            );
          }}
        </Loaded>
      </div>
      {adding && (
        <Add
          who={who}
          onClose={() => setAdding(false)}
          onDone={(k) => {
            setMade(k);
            return changed();
          }}
        />
      )}
      <Confirm
        open={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title={t.revokeTitle}
        verb={t.revoke}
        act={async () => {
          await call(api.DELETE("/api/v1/api-keys/{id}", { params: { path: { id: revoking?.id ?? "" } } }));
          if (made?.id === revoking?.id) setMade(undefined);
          told(t.isRevoked);
          await changed();
        }}
      >
        <p>
          <Name of={revoking?.name} />
        </p>
        <p>{t.revokeText}</p>
      </Confirm>
    </Card>
  );
}

function Made({ of, onKept }: { of: Schemas["APIKey"]; onKept: () => void }) {
  const secret = of.key ?? "";
  return (
    <section className="stack" aria-label={t.made}>
      <Note tone="warn">
        <h3>{t.made}</h3>
        <p>{t.madeText}</p>
      </Note>
      <Copy label={t.key} text={secret} />
      <div>
        <p className="secondary">{t.curl}</p>
        <Copy label="curl" text={`curl -H 'Authorization: Bearer ${secret}' ${location.origin}/api/v1/me`} />
      </div>
      <div>
        <p className="secondary">{t.cli}</p>
        <Copy label="tributary" text={`TRIBUTARY_TOKEN=${secret} tributary --server ${location.origin} me`} />
      </div>
      <div className="row">
        <Button kind="primary" onClick={onKept}>
          {t.done}
        </Button>
      </div>
    </section>
  );
}

function Add({ who, onClose, onDone }: { who: Me; onClose: () => void; onDone: (made: Schemas["APIKey"]) => Promise<unknown> }) {
  const choices = who.tenant ? ["tenant_user", "tenant_admin"] : ["auditor", "analyst", "system_admin"];
  const [name, setName] = useState("");
  const [role, setRole] = useState(choices[0] ?? "");
  const [term, setTerm] = useState("90");
  const make = async () => {
    const ends = term && new Date(Date.now() + Number(term) * 86_400_000).toISOString();
    const body = { name, role: role as Schemas["NewAPIKey"]["role"], ...(ends && { expires_at: ends }) };
    await onDone(await call(api.POST("/api/v1/api-keys", { body })));
  };
  return (
    <Confirm open onClose={onClose} title={t.addTitle} verb={t.add} act={make}>
      <div className="stack">
        <TextField label={t.name} hint={t.nameHint} value={name} onChange={setName} maxLength={100} required autoFocus />
        <Select
          label={t.role}
          value={role}
          onChange={setRole}
          options={choices.map((value) => ({ value, label: roles[value] ?? value }))}
        />
        <Select
          label={t.expires}
          value={term}
          onChange={setTerm}
          options={["30", "90", "365", ""].map((value) => ({ value, label: t.terms[value] ?? value }))}
        />
      </div>
    </Confirm>
  );
}
