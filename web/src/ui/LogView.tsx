import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { strings } from "../strings";
import { Button } from "./Button";
import { moment } from "./format";
import style from "./LogView.module.css";

const t = strings.ui.log;

export type Line = { seq: number; at: string; level: string; message: string };

/** How many lines stand in the page; all are in the file to download. */
export const shownLines = 5000;

type Props = { label: string; lines: Line[]; download: () => Promise<Line[]>; name: string };

/** A log that may still grow. It follows its end while one is there and has nothing selected. */
export function LogView({ label, lines, download, name }: Props) {
  const box = useRef<HTMLElement>(null);
  const [follow, setFollow] = useState(true);
  const [busy, setBusy] = useState(false);
  const shown = lines.slice(-shownLines);
  const last = lines.at(-1)?.seq;
  // biome-ignore lint/correctness/useExhaustiveDependencies: when lines have come
  useLayoutEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [last, follow]);
  useEffect(() => {
    const selected = () => {
      const s = getSelection();
      if (s && !s.isCollapsed && s.anchorNode && box.current?.contains(s.anchorNode)) setFollow(false);
    };
    document.addEventListener("selectionchange", selected);
    return () => document.removeEventListener("selectionchange", selected);
  }, []);
  const scrolled = useCallback(() => {
    const b = box.current;
    if (!b) return;
    const s = getSelection();
    const selecting = s && !s.isCollapsed && s.anchorNode && b.contains(s.anchorNode);
    setFollow(!selecting && b.scrollTop + b.clientHeight >= b.scrollHeight - 4);
  }, []);
  const save = async () => {
    setBusy(true);
    try {
      const all = await download();
      saveText(name, all.map((l) => `${l.at} ${l.level.toUpperCase()} ${l.message}\n`).join(""));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className={style.log}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <section ref={box} className={style.lines} tabIndex={0} aria-label={label} onScroll={scrolled}>
        {lines.length > shown.length && <div className={style.cut}>{t.cut(lines.length - shown.length)}</div>}
        {shown.map((l) => (
          <div key={l.seq} className={style.line} data-level={l.level}>
            <span className={style.at}>{moment(new Date(l.at)).slice(11)}</span> <span className={style.level}>{l.level}</span>{" "}
            <bdi>{l.message}</bdi>
          </div>
        ))}
      </section>
      <div className="row">
        <Button onClick={save} busy={busy} disabled={lines.length === 0}>
          {t.download}
        </Button>
        {!follow && <Button onClick={() => setFollow(true)}>{t.end}</Button>}
        <span className="secondary">{t.count(lines.length)}</span>
      </div>
    </div>
  );
}

/** Gives the user a file of this text. */
export function saveText(name: string, text: string, type = "text/plain"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
