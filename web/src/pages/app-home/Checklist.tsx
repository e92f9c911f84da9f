import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, Circle } from "lucide-react";
import { api, call, items, type Schemas } from "../../api/client";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { usePreference } from "../../ui/preferences";
import style from "./Home.module.css";
import { type Step, steps } from "./steps";

const t = strings.home.checklist;

/** The first steps until the first result is downloaded. They tick by what was done, however that was. */
export function Checklist({
  submissions,
  results,
}: {
  submissions: Schemas["ListSubmission"] | undefined;
  results: Schemas["ListResult"] | undefined;
}) {
  const who = useMe();
  const admin = isAdmin(who);
  const [hidden, setHidden] = usePreference(`checklist.${who.tenant}`, false);
  const wanted = !hidden;
  const sshKeys = useQuery({
    queryKey: ["key", "ssh", "own"],
    enabled: wanted && who.kind === "session",
    queryFn: ({ signal }) => call(api.GET("/api/v1/me/ssh-keys", { signal })),
  });
  const apiKeys = useQuery({
    queryKey: ["key", "api", "first"],
    enabled: wanted && admin,
    queryFn: ({ signal }) => call(api.GET("/api/v1/api-keys", { signal, params: { query: { limit: 50 } } })),
  });
  const analyses = useQuery({
    queryKey: ["analysis", "list", "all"],
    enabled: wanted,
    queryFn: ({ signal }) => call(api.GET("/api/v1/analyses", { signal, params: { query: { limit: 200 } } })),
  });
  const accepted = useQuery({
    queryKey: ["submission", "list", "accepted"],
    enabled: wanted,
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions", { signal, params: { query: { limit: 1, state: "accepted" } } })),
  });
  if (hidden || !submissions || !results || !analyses.data || !accepted.data || (admin && !apiKeys.data) || sshKeys.isLoading) return null;
  const live = (k: { revoked_at?: string; provider_made: boolean }) => !k.revoked_at && !k.provider_made;
  const all = steps({
    keys: items(sshKeys.data).filter(live).length + items(apiKeys.data).filter(live).length,
    analyses: items(analyses.data),
    sent: items(submissions).length > 0,
    accepted: items(accepted.data).length > 0,
    results: items(results),
  });
  if (all.every((s) => s.done)) return null;
  const words = (id: Step["id"]) => (id === "key" && !admin ? t.keyUser : t[id]);
  const open = all.find((s) => !s.done);
  const to = { key: "/app/account", accept: "/app/analyses", send: "/app/submit", accepted: "/app/submissions", result: "/app/results" };
  return (
    <Card
      title={t.title}
      aside={
        <Button kind="quiet" onClick={() => setHidden(true)}>
          {t.hide}
        </Button>
      }
    >
      <p className="secondary">{t.progress(all.filter((s) => s.done).length, all.length)}</p>
      <ol className={style.steps}>
        {all.map((s) => (
          <li key={s.id} className={s.done ? style.ticked : undefined}>
            {s.done ? <Check size={18} aria-hidden /> : <Circle size={18} aria-hidden />}
            <span className="visually-hidden">{s.done ? t.done : t.open}: </span>
            <span>
              {s.done ? words(s.id) : <Link to={to[s.id]}>{words(s.id)}</Link>}
              {s === open && <small>{s.id === "accept" && !admin ? t.acceptHintUser : t[`${s.id}Hint`]}</small>}
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
