import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { apiKeys, living } from "../../app/keys";
import { Actor } from "../../app/people";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Checkbox, Select, TextField } from "../../ui/Field";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Empty, Loaded, Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";
import style from "./Team.module.css";

const t = strings.team;

// How many keys are shown, and then how many more.
const page = 50;

type Key = Schemas["APIKey"];

/** The tenant's API keys: made, with their secrets shown once, and revoked. */
export function ApiKeys() {
  const admin = isAdmin(useMe());
  const [asked, setAsked] = useState<Key>();
  const [making, setMaking] = useState(false);
  const [ended, setEnded] = useState(false);
  const [most, setMost] = useState(page);
  const query = useQuery(apiKeys);
  return (
    <Card title={t.apiKeys} aside={admin && <Button onClick={() => setMaking(true)}>{t.newKey}</Button>} flush>
      <Loaded query={query}>
        {({ keys }) => {
          if (keys.length === 0) return <Empty title={t.apiKeysNone} />;
          const rows = keys.filter((k) => ended || living(k));
          return (
            <>
              {rows.length < keys.length || ended ? (
                <div className={style.pad}>
                  <Checkbox label={t.showEnded(keys.filter((k) => !living(k)).length)} checked={ended} onChange={setEnded} />
                </div>
              ) : null}
              <PlainTable
                title={t.apiKeys}
                rows={rows.slice(0, most)}
                id={(k) => k.id}
                columns={[
                  { id: "name", title: t.keyName, cell: (k) => <Name of={k.name} /> },
                  { id: "hint", title: t.keyHint, cell: (k) => <code>{k.hint}</code> },
                  { id: "role", title: t.role, cell: (k) => t.roles[k.role] ?? k.role },
                  { id: "by", title: t.keyBy, cell: (k) => <Actor id={k.created_by} /> },
                  { id: "used", title: t.used, cell: (k) => (k.used_at ? <Time at={k.used_at} /> : t.neverUsed) },
                  { id: "expires", title: t.expires, cell: (k) => (k.expires_at ? <Time at={k.expires_at} /> : t.noEnd) },
                  {
                    id: "revoke",
                    acts: true,
                    title: strings.ui.table.actions,
                    cell: (k) =>
                      !living(k) ? (
                        <Status state={k.revoked_at ? "revoked" : "expired"}>{k.revoked_at ? t.revoked : t.ended}</Status>
                      ) : (
                        <span className="row">
                          {k.provider_made && (
                            <Status state="provider" tone="warn">
                              {t.byProvider}
                            </Status>
                          )}
                          {admin && <Button onClick={() => setAsked(k)}>{t.revoke}</Button>}
                        </span>
                      ),
                  },
                ]}
              />
              {rows.length > most && (
                <div className={style.pad}>
                  <Button onClick={() => setMost(most + page)}>{t.moreKeys(rows.length - most)}</Button>
                </div>
              )}
            </>
          );
        }}
      </Loaded>
      {making && <NewKey onClose={() => setMaking(false)} />}
      {asked && (
        <Confirm
          open
          onClose={() => setAsked(undefined)}
          title={t.revokeTitle(asked.name || asked.hint)}
          verb={t.revoke}
          act={async () => {
            await call(api.DELETE("/api/v1/api-keys/{id}", { params: { path: { id: asked.id } } }));
            await queries.invalidateQueries({ queryKey: ["key"] });
            told(t.revokeDone);
          }}
        >
          {t.revokeText}
        </Confirm>
      )}
    </Card>
  );
}

function NewKey({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<"tenant_user" | "tenant_admin">("tenant_user");
  const [days, setDays] = useState("");
  const [made, setMade] = useState<string>();
  const { busy, error, submit } = useSubmit(async () => {
    const until = Number(days) > 0 && { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() };
    const key = await call(api.POST("/api/v1/api-keys", { body: { name, role, ...until } }));
    await queries.invalidateQueries({ queryKey: ["key"] });
    setMade(key.key ?? "");
  });
  return (
    <Dialog open onClose={onClose} title={made ? t.keyMade : t.newKey}>
      {made ? (
        <div className="stack">
          <Note tone="warn">{t.keyOnce}</Note>
          <Copy text={made} label={t.keyMade} />
        </div>
      ) : (
        <form className="stack" onSubmit={submit}>
          <TextField label={t.keyName} hint={t.keyNameHint} value={name} onChange={setName} autoComplete="off" maxLength={100} required />
          <Select
            label={t.role}
            hint={t.rolesHint}
            value={role}
            onChange={(r) => setRole(r as typeof role)}
            options={Object.entries(t.roles).map(([value, label]) => ({ value, label }))}
          />
          <TextField
            label={t.keyDays}
            hint={t.keyDaysHint}
            optional
            type="number"
            min={1}
            max={36500}
            value={days}
            onChange={setDays}
            autoComplete="off"
          />
          <ProblemBox of={error} />
          <Button type="submit" kind="primary" busy={busy}>
            {t.make}
          </Button>
        </form>
      )}
    </Dialog>
  );
}
