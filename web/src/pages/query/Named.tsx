import { queryOptions, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { Checkbox, Select, TextArea, TextField } from "../../ui/Field";
import { Loaded } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name } from "../../ui/values";
import style from "./Query.module.css";

const t = strings.query;

export type NamedQuery = Schemas["NamedQuery"];
type Parameter = Schemas["QueryParameter"];

/** The named queries: all, or those that a tenant may do. */
export const namedQueries = queryOptions({
  queryKey: ["query", "named"],
  queryFn: async ({ signal }) => items(await call(api.GET("/api/v1/queries/named", { signal }))),
});

const changed = () => queries.invalidateQueries({ queryKey: ["query", "named"] });

const firstLine = (text: string) => text.split("\n")[0] ?? "";

/** Those that there are, to choose one. */
export function NamedList({ chosen, choose }: { chosen: string | undefined; choose: (name: string) => void }) {
  const query = useQuery(namedQueries);
  return (
    <Card title={t.named}>
      <div className="stack">
        <p className="secondary">{t.namedHint}</p>
        <Loaded query={query}>
          {(all) =>
            all.length === 0 ? (
              <p className="secondary">{t.namedNone}</p>
            ) : (
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
              <section className={`stack ${style.side}`} aria-label={t.namedList} tabIndex={0}>
                {all.map((q) => (
                  <div key={q.id}>
                    <button type="button" className="link" aria-pressed={q.id === chosen} onClick={() => choose(q.id)}>
                      <Name of={q.id} />
                    </button>
                    <p className="secondary">
                      <bdi>{firstLine(q.description)}</bdi>
                    </p>
                  </div>
                ))}
              </section>
            )
          }
        </Loaded>
      </div>
    </Card>
  );
}

type FormProps = {
  of: NamedQuery;
  staff: boolean;
  run: (values: Record<string, string>) => void;
  /** Puts its text into the editor. */
  edit: (source: string) => void;
  /** Goes back to what is there without one. */
  back: () => void;
};

/** One of them as a form: a field for each parameter, empty for what it has by itself. */
export function NamedForm({ of, staff, run, edit, back }: FormProps) {
  const [values, setValues] = useState<Record<string, string>>({});
  const [removing, setRemoving] = useState(false);
  return (
    <Card title={of.id}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          run(Object.fromEntries(Object.entries(values).filter(([, v]) => v !== "")));
        }}
      >
        {of.description.split("\n").map((line) => (
          <p key={line}>
            <bdi>{line}</bdi>
          </p>
        ))}
        {staff && (
          <p className="secondary">
            {of.built_in ? t.builtIn : t.versionOf(of.version ?? 1)}
            {of.tenants && `; ${t.forTenants}`}
          </p>
        )}
        <div className={style.fields}>
          {(of.parameters ?? [])
            .filter((p) => staff || p.name !== "tenant") // whose rows they are is not for them to say
            .map((p) => (
              <Field key={p.name} of={p} value={values[p.name] ?? ""} onChange={(v) => setValues({ ...values, [p.name]: v })} />
            ))}
        </div>
        <div className="row">
          <Button type="submit" kind="primary">
            {t.run}
          </Button>
          <Button onClick={back}>{t.back}</Button>
          {of.source && (
            <Button kind="quiet" onClick={() => edit(of.source ?? "")}>
              {t.edit}
            </Button>
          )}
          {staff && !of.built_in && (
            <Button kind="danger" onClick={() => setRemoving(true)}>
              {t.remove}
            </Button>
          )}
        </div>
      </form>
      <Confirm
        open={removing}
        onClose={() => setRemoving(false)}
        title={t.removeTitle(of.id)}
        verb={t.remove}
        typed={of.id}
        act={async () => {
          await call(api.DELETE("/api/v1/queries/named/{id}", { params: { path: { id: of.id } } }));
          await changed();
          told(t.removed);
          back();
        }}
      >
        <p>{t.removeText}</p>
      </Confirm>
    </Card>
  );
}

function Field({ of: p, value, onChange }: { of: Parameter; value: string; onChange: (value: string) => void }) {
  const hint = [p.description, p.default === undefined ? t.needed : p.default !== "" && t.first(p.default)].filter(Boolean).join("; ");
  if (p.type === "boolean") {
    const options = [
      { value: "", label: p.default ?? "" },
      { value: "true", label: t.yes },
      { value: "false", label: t.no },
    ];
    return <Select label={p.name} hint={hint} value={value} onChange={onChange} options={options} />;
  }
  return <TextField label={p.name} hint={hint} value={value} onChange={onChange} required={p.default === undefined} autoComplete="off" />;
}

/** Saves what is in the editor under a name. What it answers is the comment that it begins with. */
export function SaveQuery({ sql, onClose, done }: { sql: string; onClose: () => void; done: (name: string) => void }) {
  const described = sql.trimStart().startsWith("--");
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [tenants, setTenants] = useState(false);
  const source = () => {
    if (described) return sql;
    const comment = [...text.trim().split("\n"), ...(tenants ? ["for tenants"] : [])].map((line) => `-- ${line}`);
    return `${comment.join("\n")}\n${sql}`;
  };
  return (
    <Confirm
      open
      onClose={onClose}
      title={t.saveTitle}
      verb={t.save}
      act={async () => {
        const made = await call(api.POST("/api/v1/queries/named", { body: { name, source: source() } }));
        await changed();
        told(t.saved(made.id, made.version ?? 1));
        done(made.id);
      }}
    >
      <div className="stack">
        <TextField label={t.saveName} hint={t.saveNameHint} value={name} onChange={setName} maxLength={64} required autoComplete="off" />
        {!described && <TextArea label={t.saveText} value={text} onChange={setText} />}
        {!described && <Checkbox label={t.saveTenants} checked={tenants} onChange={setTenants} />}
      </div>
    </Confirm>
  );
}
