import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Checkbox } from "../../ui/Field";
import { Loaded, ProblemBox } from "../../ui/states";
import style from "./account.module.css";

const t = strings.account.mails;

const key = ["user", "notices"];

/** Which mails one gets. */
export function Mails() {
  const query = useQuery({ queryKey: key, queryFn: ({ signal }) => call(api.GET("/api/v1/me/notices", { signal })) });
  const [busy, setBusy] = useState("");
  const [error, setError] = useState<unknown>();
  const turn = async (id: string, on: boolean) => {
    setBusy(id);
    setError(undefined);
    try {
      await call(api.PATCH("/api/v1/me/notices/{id}", { params: { path: { id } }, body: { on } }));
    } catch (e) {
      setError(e);
    }
    await queries.invalidateQueries({ queryKey: key });
    setBusy("");
  };
  return (
    <Card title={t.title}>
      <div className="stack">
        <p className="secondary">{t.text}</p>
        <ProblemBox of={error} dismiss={() => setError(undefined)} />
        <Loaded query={query}>
          {(list) => (
            <div className={style.switches}>
              {items(list).map((s) => (
                <Checkbox
                  key={s.id}
                  label={t.kinds[s.id] ?? s.id}
                  hint={s.fixed ? t.fixed : undefined}
                  checked={s.on}
                  disabled={s.fixed || busy === s.id}
                  onChange={(on) => void turn(s.id, on)}
                />
              ))}
            </div>
          )}
        </Loaded>
      </div>
    </Card>
  );
}
