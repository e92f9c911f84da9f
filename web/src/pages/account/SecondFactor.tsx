import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Confirm, Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { Num, Time } from "../../ui/values";
import style from "./account.module.css";
import { OwnPassword } from "./Password";
import { QRCode } from "./QRCode";

const t = strings.account.factor;

const key = ["user", "totp"];

function changed() {
  return queries.invalidateQueries({ queryKey: key });
}

/** The second factor: turning it on and off, and its recovery codes, which stay on the page until they are kept. */
export function SecondFactor() {
  const query = useQuery({ queryKey: key, queryFn: ({ signal }) => call(api.GET("/api/v1/me/totp", { signal })) });
  const [asked, setAsked] = useState<"on" | "off" | "codes">();
  const [codes, setCodes] = useState<string[]>();
  const close = () => setAsked(undefined);
  const keep = (made: Schemas["RecoveryCodes"]) => {
    setCodes(made.codes ?? []);
    close();
    return changed();
  };
  return (
    <Card title={t.title} aside={query.data && <Status state={query.data.on ? "ok" : "off"}>{query.data.on ? t.on : t.off}</Status>}>
      <Loaded query={query}>
        {(now) => (
          <div className="stack">
            <p className="secondary">{now.on ? t.onText : t.offText}</p>
            {codes && <Codes of={codes} onKept={() => setCodes(undefined)} />}
            {now.on && !codes && (
              <Facts
                of={[
                  [t.since, <Time key="since" at={now.since} />],
                  [t.left, <Num key="left" of={now.recovery_codes} />],
                ]}
              />
            )}
            {now.on && !codes && now.recovery_codes < 4 && <Note tone="warn">{t.few}</Note>}
            {!now.on && (
              <div className="row">
                <Button onClick={() => setAsked("on")}>{t.turnOn}</Button>
              </div>
            )}
            {now.on && !codes && (
              <div className="row">
                <Button onClick={() => setAsked("codes")}>{t.fresh}</Button>
                <Button onClick={() => setAsked("off")}>{t.turnOff}</Button>
              </div>
            )}
          </div>
        )}
      </Loaded>
      {asked === "on" && (
        <TurnOn
          onClose={close}
          onDone={(made) => {
            told(t.isOn);
            void queries.invalidateQueries({ queryKey: ["session"] });
            return keep(made);
          }}
        />
      )}
      {asked === "off" && (
        <WithCode
          title={t.offTitle}
          text={t.offWarning}
          verb={t.turnOff}
          onClose={close}
          act={async (body) => {
            await call(api.POST("/api/v1/me/totp/off", { body }));
            setCodes(undefined);
            told(t.isOff);
            await changed();
          }}
        />
      )}
      {asked === "codes" && (
        <WithCode
          title={t.freshTitle}
          text={t.freshWarning}
          verb={t.fresh}
          onClose={close}
          act={async (body) => keep(await call(api.POST("/api/v1/me/totp/recovery-codes", { body })))}
        />
      )}
    </Card>
  );
}

function Codes({ of, onKept }: { of: string[]; onKept: () => void }) {
  const [file] = useState(() => URL.createObjectURL(new Blob([`${of.join("\n")}\n`], { type: "text/plain" })));
  return (
    <section className="stack" aria-label={t.codesTitle}>
      <Note tone="warn">
        <h3>{t.codesTitle}</h3>
        <p>{t.codesText}</p>
      </Note>
      <ul className={style.codes} aria-label={t.codes}>
        {of.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className="row">
        <Button kind="primary" onClick={onKept}>
          {t.kept}
        </Button>
        <a href={file} download={t.file}>
          {t.download}
        </a>
      </div>
    </section>
  );
}

function TurnOn({ onClose, onDone }: { onClose: () => void; onDone: (made: Schemas["RecoveryCodes"]) => Promise<unknown> }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [made, setMade] = useState<Schemas["NewTOTP"]>();
  const { busy, error, submit } = useSubmit(async () => {
    if (made) await onDone(await call(api.POST("/api/v1/me/totp/confirm", { body: { code } })));
    else setMade(await call(api.POST("/api/v1/me/totp", { body: { password } })));
  });
  return (
    <Dialog open onClose={onClose} title={t.startTitle}>
      <form className="stack" onSubmit={submit}>
        {made ? (
          <>
            <p>{t.scan}</p>
            <QRCode text={made.url} label={t.picture} />
            <div>
              <p className="secondary">{t.type}</p>
              <Copy text={made.secret} label={t.secret} />
            </div>
            <CodeField label={t.code} hint={t.codeHint} value={code} onChange={setCode} />
          </>
        ) : (
          <OwnPassword value={password} onChange={setPassword} />
        )}
        <ProblemBox of={error} />
        <div className={style.foot}>
          <Button onClick={onClose}>{strings.ui.cancel}</Button>
          <Button type="submit" kind="primary" busy={busy}>
            {made ? t.turnOn : t.continue}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

type WithCodeProps = {
  title: string;
  text: string;
  verb: string;
  onClose: () => void;
  act: (body: Schemas["PasswordAndCode"]) => Promise<unknown>;
};

function WithCode({ title, text, verb, onClose, act }: WithCodeProps) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  return (
    <Confirm open onClose={onClose} title={title} verb={verb} act={() => act({ password, code })}>
      <div className="stack">
        <p>{text}</p>
        <OwnPassword value={password} onChange={setPassword} />
        <CodeField label={t.anyCode} value={code} onChange={setCode} />
      </div>
    </Confirm>
  );
}

function CodeField({ label, hint, value, onChange }: { label: string; hint?: string; value: string; onChange: (value: string) => void }) {
  return <TextField label={label} hint={hint} value={value} onChange={onChange} autoComplete="one-time-code" minLength={6} required />;
}
