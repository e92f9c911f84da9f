import { type ReactNode, useEffect } from "react";
import { strings } from "../strings";
import { plain } from "../strings/apart";
import style from "./Page.module.css";

type Props = {
  title: string;
  /** What the page is below, as links. */
  above?: ReactNode;
  /** One sentence on what it is for. */
  lead?: ReactNode;
  /** Its one primary action, and what else is beside it. */
  actions?: ReactNode;
  children: ReactNode;
};

/** A page: its title, its one primary action at the top right, and its content. */
export function Page({ title, above, lead, actions, children }: Props) {
  useEffect(() => {
    document.title = `${plain(title)} · ${strings.app.name}`;
  }, [title]);
  return (
    <div className={style.page}>
      <header className={style.head}>
        <div className={style.titles}>
          {above && <nav className={style.above}>{above}</nav>}
          <h1 tabIndex={-1}>
            <bdi>{plain(title)}</bdi>
          </h1>
          {lead && <p className={style.lead}>{lead}</p>}
        </div>
        {actions && <div className={style.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}
