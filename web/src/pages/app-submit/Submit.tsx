import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { Upload } from "lucide-react";
import { type DragEvent as ReactDragEvent, useCallback, useEffect, useRef, useState } from "react";
import { api, call, items } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Page } from "../../ui/Page";
import { Empty, Note, ProblemBox } from "../../ui/states";
import { Datasets, useDatasets } from "./Datasets";
import { able, add, clearDone, resumeAll, sendAll, useQueue } from "./queue";
import { Row } from "./Row";
import style from "./Submit.module.css";
import type { SubmitSearch } from "./search";
import { Unfinished } from "./Unfinished";

const t = strings.submit;

export function Submit() {
  const preset = useSearch({ from: "/app/submit" });
  const queue = useQueue();
  const datasets = useDatasets();
  const uploads = useQuery({
    queryKey: ["upload", "list"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/uploads", { signal, params: { query: { limit: 200 } } })),
  });
  useEffect(() => resumeAll(), []);
  const here = new Set(queue.map((i) => i.upload));
  const unfinished = items(uploads.data).filter((u) => !u.submission && !here.has(u.id));
  const choosing = useRef<HTMLInputElement>(null);
  const take = useCallback((files: File[], own?: SubmitSearch) => void add(files, own ?? preset, unfinished), [preset, unfinished]);
  const over = useDrop(take);
  const ready = queue.filter(able).length;
  const sent = queue.some((i) => i.phase === "sent");
  const title = (id: string) => items(datasets.data).find((d) => d.id === id)?.title ?? id;
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        <>
          <Button kind={ready > 0 ? "plain" : "primary"} icon={<Upload size={16} aria-hidden />} onClick={() => choosing.current?.click()}>
            {t.choose}
          </Button>
          {ready > 0 && (
            <Button kind="primary" onClick={sendAll}>
              {t.send(ready)}
            </Button>
          )}
        </>
      }
    >
      <input
        ref={choosing}
        type="file"
        multiple
        hidden
        aria-label={t.choose}
        data-choose
        onChange={(e) => {
          take([...(e.target.files ?? [])]);
          e.target.value = "";
        }}
      />
      {over && (
        <div className={style.over} aria-hidden>
          <span>{t.drop}</span>
        </div>
      )}
      {preset.dataset && <Note>{t.for(title(preset.dataset), preset.date ?? "")}</Note>}
      <ProblemBox of={uploads.error} again={() => uploads.refetch()} />
      <Unfinished uploads={unfinished} />
      <Card
        title={t.files}
        flush={queue.length > 0}
        aside={
          sent && (
            <Button kind="quiet" onClick={clearDone}>
              {t.clear}
            </Button>
          )
        }
      >
        {queue.length === 0 ? (
          <div className={style.target}>
            <Upload size={24} aria-hidden />
            <Empty title={t.empty}>{t.emptyHint}</Empty>
          </div>
        ) : (
          <ul className={style.queue}>
            {queue.map((i) => (
              <Row
                key={i.key}
                item={i}
                datasets={items(datasets.data)}
                correct={(files) => take(files, { dataset: i.dataset, date: i.date })}
              />
            ))}
          </ul>
        )}
      </Card>
      <Datasets query={datasets} chosen={preset} />
    </Page>
  );
}

/** Takes files that are dropped anywhere on the page; returns whether some are held over it. */
function useDrop(take: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0; // enters and leaves of the elements below the pointer
    const files = (e: DragEvent | ReactDragEvent) => [...(e.dataTransfer?.types ?? [])].includes("Files");
    const enter = (e: DragEvent) => {
      if (!files(e)) return;
      e.preventDefault();
      depth++;
      setOver(true);
    };
    const leave = (e: DragEvent) => {
      if (files(e) && --depth <= 0) setOver(false);
    };
    const move = (e: DragEvent) => {
      if (files(e)) e.preventDefault();
    };
    const drop = (e: DragEvent) => {
      if (!files(e)) return;
      e.preventDefault();
      depth = 0;
      setOver(false);
      take([...(e.dataTransfer?.files ?? [])]);
    };
    addEventListener("dragenter", enter);
    addEventListener("dragleave", leave);
    addEventListener("dragover", move);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragenter", enter);
      removeEventListener("dragleave", leave);
      removeEventListener("dragover", move);
      removeEventListener("drop", drop);
    };
  }, [take]);
  return over;
}
