import { Link, Navigate, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { api, call } from "../../api/client";
import { router } from "../../app/router";
import { homeOf, me, queries } from "../../app/session";
import { strings } from "../../strings";
import { buttonClass } from "../../ui/Button";
import { ProblemBox } from "../../ui/states";
import { Front } from "./Front";
import { takeNext } from "./next";

const t = strings.login;

/** The page that an issuer sends people back to: it exchanges what they come with for a session, once. */
export function Returned() {
  const found = useSearch({ from: "/login/oidc" });
  const [{ state, code, error: refusal }] = useState(found);
  const navigate = useNavigate();
  const begun = useRef(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (begun.current || !state) return;
    begun.current = true;
    const finish = async () => {
      const next = takeNext();
      try {
        await call(api.POST("/api/v1/sessions/oidc", { body: { state, ...(code && { code }), ...(refusal && { error: refusal }) } }));
        queries.clear();
        const who = await queries.fetchQuery(me);
        if (next) router.history.replace(next);
        else await navigate({ to: who ? homeOf(who) : "/login", replace: true });
      } catch (e) {
        setError(e);
        await navigate({ to: "/login/oidc", replace: true }); // the code is of no more use, and need not stay in sight
      }
    };
    void finish();
  }, [state, code, refusal, navigate]);
  if (!state) return <Navigate to="/login" replace />;
  return (
    <Front title={t.title}>
      {error ? (
        <>
          <ProblemBox of={error} />
          <Link to="/login" className={buttonClass("primary")}>
            {t.again}
          </Link>
        </>
      ) : (
        <p role="status">{t.finishing}</p>
      )}
    </Front>
  );
}
