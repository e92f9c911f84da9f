import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { Status } from "../../ui/Status";
import { Loaded, ProblemBox } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Time } from "../../ui/values";
import style from "./account.module.css";
import { programOf } from "./agent";

const t = strings.account.sessions;

/** Where one is signed in. */
export function Sessions() {
  const query = useQuery({ queryKey: ["session"], queryFn: ({ signal }) => call(api.GET("/api/v1/sessions", { signal })) });
  const [all, setAll] = useState(false);
  const [busy, setBusy] = useState("");
  const [error, setError] = useState<unknown>();
  const changed = () => queries.invalidateQueries({ queryKey: ["session"] });
  const end = async (id: string) => {
    setBusy(id);
    setError(undefined);
    try {
      await call(api.DELETE("/api/v1/sessions/{id}", { params: { path: { id } } }));
      told(t.ended);
    } catch (e) {
      setError(e);
    }
    await changed();
    setBusy("");
  };
  const others = items(query.data).some((s) => !s.current);
  return (
    <Card title={t.title} aside={others && <Button onClick={() => setAll(true)}>{t.endOthers}</Button>}>
      <div className="stack">
        <p className="secondary">{t.text}</p>
        <ProblemBox of={error} dismiss={() => setError(undefined)} />
        <Loaded query={query}>
          {(list) => (
            <ul className={style.list}>
              {items(list).map((s) => (
                <li key={s.id}>
                  <div className={style.what}>
                    <h3 title={s.agent}>
                      <bdi>{programOf(s.agent)}</bdi>
                      {s.current && <Status state="ok">{t.current}</Status>}
                    </h3>
                    <p className={style.more}>
                      <span>
                        {t.from} <span className="num">{s.address}</span>
                      </span>
                      <span>
                        {t.used} <Time at={s.used_at} />
                      </span>
                      <span>
                        {t.began} <Time at={s.created_at} />
                      </span>
                    </p>
                  </div>
                  {!s.current && (
                    <Button aria-label={t.endOne(programOf(s.agent))} busy={busy === s.id} onClick={() => end(s.id)}>
                      {t.end}
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </div>
      <Confirm
        open={all}
        onClose={() => setAll(false)}
        title={t.endOthersTitle}
        verb={t.endOthers}
        act={async () => {
          await call(api.DELETE("/api/v1/sessions"));
          told(t.endedAll);
          await changed();
        }}
      >
        <p>{t.endOthersText}</p>
      </Confirm>
    </Card>
  );
}
