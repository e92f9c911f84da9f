import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { sends } from "../../app/access";
import { queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button, buttonClass } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Confirm } from "../../ui/Dialog";
import { TextArea, TextField } from "../../ui/Field";
import { Loaded, Note } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";
import style from "./account.module.css";
import { OwnPassword } from "./Password";
import { sftpCommand } from "./sftp";

const t = strings.account.ssh;

const key = ["key", "ssh"];

function alive(k: { revoked_at?: string | undefined; expires_at?: string | undefined }): boolean {
  return !k.revoked_at && !(k.expires_at && Date.parse(k.expires_at) < Date.now());
}

/** The keys that sign one in over SFTP, and how to. */
export function SSHKeys({ login }: { login: string }) {
  const query = useQuery({ queryKey: key, queryFn: ({ signal }) => call(api.GET("/api/v1/me/ssh-keys", { signal })) });
  const sender = sends(useMe());
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<Schemas["SSHKey"]>();
  const changed = () => queries.invalidateQueries({ queryKey: key });
  return (
    <Card title={t.title} aside={sender && <Button onClick={() => setAdding(true)}>{t.add}</Button>}>
      <div className="stack">
        <p className="secondary">{t.text}</p>
        <Loaded query={query}>
          {(list) => {
            const living = items(list).filter(alive);
            if (living.length === 0) return <p>{t.none}</p>;
            return (
              <ul className={style.list}>
                {living.map((k) => (
                  <li key={k.id}>
                    <div className={style.what}>
                      <h3>
                        <Name of={k.name} />
                      </h3>
                      <p className={style.more}>
                        <code>{k.fingerprint}</code>
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
            );
          }}
        </Loaded>
        {sender && <Connect login={login} />}
      </div>
      {adding && (
        <Add
          onClose={() => setAdding(false)}
          onDone={() => {
            told(t.isAdded);
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
          await call(api.DELETE("/api/v1/me/ssh-keys/{id}", { params: { path: { id: revoking?.id ?? "" } } }));
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

/** When a key was made and used, and when it ends. */
export function Uses({ of: k }: { of: Pick<Schemas["SSHKey"], "created_at" | "used_at" | "expires_at" | "provider_made"> }) {
  return (
    <>
      <span>
        {t.added} <Time at={k.created_at} />
      </span>
      <span>
        {k.used_at ? (
          <>
            {t.used} <Time at={k.used_at} />
          </>
        ) : (
          t.never
        )}
      </span>
      {k.expires_at && (
        <span>
          {t.ends} <Time at={k.expires_at} />
        </span>
      )}
      {k.provider_made && <span>{t.provider}</span>}
    </>
  );
}

function Connect({ login }: { login: string }) {
  const query = useQuery({
    queryKey: ["sftp"],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => call(api.GET("/api/v1/sftp", { signal })),
  });
  if (!query.data?.address) return null;
  return (
    <section className="stack" aria-label={t.connect}>
      <Copy label={t.command} text={sftpCommand(query.data.address, location.hostname, login)} />
      <div>
        <p className="secondary">{t.host}</p>
        {(query.data.host_keys ?? []).map((k) => (
          <p key={k.fingerprint} className={style.more}>
            <span>{k.type}</span>
            <code>{k.fingerprint}</code>
          </p>
        ))}
      </div>
    </section>
  );
}

function Add({ onClose, onDone }: { onClose: () => void; onDone: () => Promise<unknown> }) {
  const [name, setName] = useState("");
  const [line, setLine] = useState("");
  const [expires, setExpires] = useState("");
  const [password, setPassword] = useState("");
  const [wrong, setWrong] = useState<string>();
  const read = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > 16384) {
      setWrong(t.tooLong);
      return;
    }
    write((await file.text()).trim());
    if (!name) setName(file.name.replace(/\.pub$/, "").slice(0, 100));
  };
  const write = (text: string) => {
    const secret = text.includes("PRIVATE KEY");
    setWrong(secret ? t.private : undefined);
    setLine(secret ? "" : text);
  };
  const add = async () => {
    await call(
      api.POST("/api/v1/me/ssh-keys", {
        body: { name, public_key: line, password, ...(expires && { expires_at: new Date(`${expires}T23:59:59`).toISOString() }) },
      }),
    );
    await onDone();
  };
  return (
    <Confirm open onClose={onClose} title={t.addTitle} verb={t.add} act={add}>
      <div className="stack">
        <TextField label={t.name} hint={t.nameHint} value={name} onChange={setName} maxLength={100} required autoFocus />
        <TextArea label={t.key} hint={t.keyHint} error={wrong} value={line} onChange={write} rows={3} />
        <label className={`${buttonClass()} ${style.file}`}>
          {t.choose}
          <input type="file" accept=".pub,text/plain" onChange={(e) => void read(e.target.files?.[0])} />
        </label>
        {wrong && <Note tone="bad">{wrong}</Note>}
        <TextField label={t.expires} optional type="date" value={expires} onChange={setExpires} />
        <OwnPassword value={password} onChange={setPassword} />
      </div>
    </Confirm>
  );
}
