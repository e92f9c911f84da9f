import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, call } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { ProblemBox } from "../../ui/states";
import { entrance } from "./entrance";
import style from "./Front.module.css";
import { keepNext } from "./next";

const t = strings.login;

/** The way to the issuer that the provider's people sign in with, where there is one. */
export function Issuer({ next }: { next: string | undefined }) {
  const { data } = useQuery(entrance);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  // Whoever comes back from the issuer by the browser's way finds this page as they left it.
  useEffect(() => {
    const shown = (event: PageTransitionEvent) => event.persisted && setBusy(false);
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, []);
  if (!data?.oidc) return null;
  const begin = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { url } = await call(api.POST("/api/v1/sessions/oidc/begin"));
      keepNext(next);
      location.assign(url);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <div className="stack">
      <p className={style.or}>{t.or}</p>
      <ProblemBox of={error} />
      <Button busy={busy} onClick={begin}>
        {t.continueWith(data.oidc)}
      </Button>
      <p className="secondary">{t.issuerHint}</p>
    </div>
  );
}
