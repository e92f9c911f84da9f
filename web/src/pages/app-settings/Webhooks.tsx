import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Checkbox, TextField } from "../../ui/Field";
import { Menu } from "../../ui/Menu";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";
import { Deliveries } from "./Deliveries";
import style from "./Settings.module.css";

const t = strings.settings;

type Hook = Schemas["Webhook"];
type Asked = { what: "rotate" | "remove" | "deliveries"; hook: Hook };

const changed = () => queries.invalidateQueries({ queryKey: ["webhook"] });

/** Where the tenant's programs are told. */
export function Webhooks({ making, setMaking }: { making: boolean; setMaking: (on: boolean) => void }) {
  const [asked, setAsked] = useState<Asked>();
  const [secret, setSecret] = useState<string>();
  const [error, setError] = useState<unknown>();
  const query = useQuery({ queryKey: ["webhook", "list"], queryFn: ({ signal }) => call(api.GET("/api/v1/webhooks", { signal })) });
  const attempt = (act: () => Promise<unknown>, text: string) => {
    setError(undefined);
    act()
      .then(changed)
      .then(() => told(text))
      .catch(setError);
  };
  const close = () => setAsked(undefined);
  return (
    <Card title={t.webhooks} flush>
      <p className={`${style.below} secondary`}>{t.webhooksText}</p>
      <ProblemBox of={error} dismiss={() => setError(undefined)} />
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <p className={`${style.below} secondary`}>{t.webhooksNone}</p>
          ) : (
            <PlainTable
              title={t.webhooks}
              rows={items(list)}
              id={(w) => w.id}
              columns={[
                { id: "url", title: t.url, cell: (w) => <Name of={w.url} /> },
                { id: "kinds", title: t.kinds, cell: (w) => (w.kinds ?? []).map((k) => t.kindNames[k] ?? k).join(", ") || t.everything },
                { id: "state", title: t.state, cell: (w) => <State of={w} /> },
                {
                  id: "acts",
                  title: strings.ui.table.actions,
                  cell: (w) => <Acts of={w} attempt={attempt} ask={(what) => setAsked({ what, hook: w })} />,
                },
              ]}
            />
          )
        }
      </Loaded>
      {making && (
        <NewWebhook
          onClose={() => setMaking(false)}
          made={(s) => {
            setMaking(false);
            setSecret(s);
          }}
        />
      )}
      <Dialog open={secret !== undefined} onClose={() => setSecret(undefined)} title={t.secretTitle}>
        <div className="stack">
          <Note tone="warn">{t.secretOnce}</Note>
          <Copy text={secret ?? ""} label={t.secretTitle} />
        </div>
      </Dialog>
      <Confirm
        open={asked?.what === "rotate"}
        onClose={close}
        title={t.rotateTitle}
        verb={t.rotate}
        act={async () => {
          const w = await call(
            api.PATCH("/api/v1/webhooks/{id}", { params: { path: { id: asked?.hook.id ?? "" } }, body: { rotate_secret: true } }),
          );
          await changed();
          setSecret(w.secret);
        }}
      >
        {t.rotateText}
      </Confirm>
      <Confirm
        open={asked?.what === "remove"}
        onClose={close}
        title={t.removeTitle}
        verb={t.remove}
        act={async () => {
          await call(api.DELETE("/api/v1/webhooks/{id}", { params: { path: { id: asked?.hook.id ?? "" } } }));
          await changed();
          told(t.removed);
        }}
      >
        {t.removeText}
      </Confirm>
      {asked?.what === "deliveries" && <Deliveries of={asked.hook} onClose={close} />}
    </Card>
  );
}

function State({ of: w }: { of: Hook }) {
  return (
    <span className="row" title={w.reason}>
      <Status state={w.state} />
      {w.failing_since && (
        <span className="secondary">
          {t.failing} <Time at={w.failing_since} />
        </span>
      )}
    </span>
  );
}

function Acts({
  of: w,
  attempt,
  ask,
}: {
  of: Hook;
  attempt: (act: () => Promise<unknown>, text: string) => void;
  ask: (what: Asked["what"]) => void;
}) {
  const path = { params: { path: { id: w.id } } };
  const set = (state: "active" | "disabled") => () => call(api.PATCH("/api/v1/webhooks/{id}", { ...path, body: { state } }));
  return (
    <Menu
      label={`${strings.ui.table.actions}: ${w.url}`}
      items={[
        { label: t.deliveries, act: () => ask("deliveries") },
        { label: t.test, act: () => attempt(() => call(api.POST("/api/v1/webhooks/{id}/test", path)), t.tested) },
        { label: t.rotate, act: () => ask("rotate") },
        w.state === "active"
          ? { label: t.disable, act: () => attempt(set("disabled"), t.disabled) }
          : { label: t.enable, act: () => attempt(set("active"), t.enabled) },
        { label: t.remove, danger: true, act: () => ask("remove") },
      ]}
    />
  );
}

function NewWebhook({ onClose, made }: { onClose: () => void; made: (secret: string) => void }) {
  const [url, setUrl] = useState("");
  const [kinds, setKinds] = useState<string[]>([]);
  const { busy, error, submit } = useSubmit(async () => {
    const w = await call(api.POST("/api/v1/webhooks", { body: { url, kinds } }));
    await changed();
    made(w.secret ?? "");
  });
  return (
    <Dialog open onClose={onClose} title={t.newWebhook}>
      <form className="stack" onSubmit={submit}>
        <TextField label={t.url} hint={t.urlHint} type="url" value={url} onChange={setUrl} autoComplete="off" required />
        <fieldset className={style.kinds}>
          <legend>{t.kinds}</legend>
          {Object.entries(t.kindNames).map(([kind, name]) => (
            <Checkbox
              key={kind}
              label={name}
              checked={kinds.includes(kind)}
              onChange={(on) => setKinds(on ? [...kinds, kind] : kinds.filter((k) => k !== kind))}
            />
          ))}
          <p className="secondary">{t.kindsHint}</p>
        </fieldset>
        <ProblemBox of={error} />
        <Button type="submit" kind="primary" busy={busy}>
          {t.make}
        </Button>
      </form>
    </Dialog>
  );
}
