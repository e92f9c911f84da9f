import { strings } from "../strings";
import { Button } from "../ui/Button";
import style from "./Shell.module.css";

const t = strings.app;

/** The frame around what broke. */
export function Crashed({ error }: { error: unknown }) {
  return (
    <main className={style.crashed}>
      <h1>{t.crashed.title}</h1>
      <p>{t.crashed.text}</p>
      <pre>{error instanceof Error ? error.message : String(error)}</pre>
      <Button kind="primary" onClick={() => location.reload()}>
        {t.crashed.reload}
      </Button>
    </main>
  );
}
