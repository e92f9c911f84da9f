import { type ReactNode, useEffect } from "react";
import { ThemeButton } from "../../app/ThemeButton";
import { strings } from "../../strings";
import style from "./Front.module.css";

/** A page for who is not signed in: one form in the middle. */
export function Front({ title, children, below }: { title: string; children: ReactNode; below?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · ${strings.app.name}`;
  }, [title]);
  return (
    <div className={style.front}>
      <header>
        <span className={style.brand}>
          <img src="/icon.svg" alt="" width={24} height={24} />
          {strings.app.name}
        </span>
        <ThemeButton />
      </header>
      <main className={style.card}>
        <h1>{title}</h1>
        {children}
      </main>
      {below && <footer>{below}</footer>}
    </div>
  );
}
