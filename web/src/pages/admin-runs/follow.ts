import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";

export type Line = Schemas["LogLine"];
export type Progress = { state: string; stage?: string; done: number; total: number; reason?: string };

/** All lines of a run's log. */
export async function wholeLog(id: string, signal?: AbortSignal): Promise<Line[]> {
  const lines: Line[] = [];
  for (;;) {
    const after = lines.at(-1)?.seq ?? 0;
    const more = items(
      await call(api.GET("/api/v1/runs/{id}/log", { ...(signal && { signal }), params: { path: { id }, query: { after } } })),
    );
    if (more.length === 0) return lines;
    lines.push(...more);
  }
}

/** A run's log and how far it is: as the server tells it while it goes on, whole when it has ended. */
export function useRunLog(id: string, ended: boolean): { lines: Line[]; progress: Progress | undefined } {
  const [told, setTold] = useState<Line[]>([]);
  const [progress, setProgress] = useState<Progress>();
  const [refused, setRefused] = useState(false);
  useEffect(() => {
    if (ended) return;
    setTold([]);
    const source = new EventSource(`/api/v1/runs/${encodeURIComponent(id)}/follow`);
    // Lines come in crowds; the page is drawn once for each.
    let waiting: Line[] = [];
    let frame = 0;
    const flush = () => {
      frame = 0;
      const more = waiting;
      waiting = [];
      setTold((before) => [...before, ...more]);
    };
    const read = <T>(event: Event) => JSON.parse((event as MessageEvent<string>).data) as T;
    source.addEventListener("line", (event) => {
      waiting.push(read<Line>(event));
      frame ||= requestAnimationFrame(flush);
    });
    source.addEventListener("progress", (event) => setProgress(read<Progress>(event)));
    source.addEventListener("end", () => {
      source.close();
      void queries.invalidateQueries({ queryKey: ["run"] });
    });
    source.onerror = () => source.readyState === EventSource.CLOSED && setRefused(true);
    return () => {
      cancelAnimationFrame(frame);
      source.close();
    };
  }, [id, ended]);
  const stored = useQuery({
    queryKey: ["run", id, "log"],
    enabled: ended || refused,
    queryFn: ({ signal }) => wholeLog(id, signal),
  });
  return { lines: stored.data ?? told, progress: ended ? undefined : progress };
}
