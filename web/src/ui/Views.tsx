import { useNavigate, useRouter } from "@tanstack/react-router";
import type { MouseEvent } from "react";
import style from "./Views.module.css";

type View = { label: string; current: boolean; search: Record<string, unknown> };

/** The ways to look at what a page is about; each has its own address. */
export function Views({ label, views }: { label: string; views: View[] }) {
  const router = useRouter();
  const navigate = useNavigate();
  const to = (v: View) => ({ to: ".", search: v.search }) as never;
  const follow = (event: MouseEvent, v: View) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    void navigate(to(v));
  };
  return (
    <nav className={style.views} aria-label={label}>
      {views.map((v) => (
        <a
          key={v.label}
          href={router.buildLocation(to(v)).href}
          className={style.view}
          aria-current={v.current ? "page" : undefined}
          onClick={(event) => follow(event, v)}
        >
          {v.label}
        </a>
      ))}
    </nav>
  );
}
