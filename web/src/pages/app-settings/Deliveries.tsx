import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { ProblemBox, Skeleton } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Num, Time } from "../../ui/values";
import style from "./Settings.module.css";

const t = strings.settings;

/** What was sent to a webhook, the newest first. */
export function Deliveries({ of: hook, onClose }: { of: Schemas["Webhook"]; onClose: () => void }) {
  const [error, setError] = useState<unknown>();
  const query = useInfiniteQuery({
    queryKey: ["webhook", "deliveries", hook.id],
    initialPageParam: "",
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET("/api/v1/webhooks/{id}/deliveries", {
          signal,
          params: { path: { id: hook.id }, query: { limit: 50, ...(pageParam && { after: pageParam }) } },
        }),
      ),
    getNextPageParam: (last) => last.next ?? null,
  });
  const rows = query.data?.pages.flatMap((p) => items(p));
  const again = (id: string) => {
    setError(undefined);
    call(api.POST("/api/v1/webhook-deliveries/{id}/redeliver", { params: { path: { id } } }))
      .then(() => queries.invalidateQueries({ queryKey: ["webhook"] }))
      .then(() => told(t.sentAgain))
      .catch(setError);
  };
  return (
    <Dialog open onClose={onClose} title={t.deliveriesOf} drawer>
      <div className="stack">
        <bdi className={style.long}>{hook.url}</bdi>
        <ProblemBox of={error ?? query.error} dismiss={() => setError(undefined)} />
        {!rows ? (
          <Skeleton />
        ) : rows.length === 0 ? (
          <p className="secondary">{t.deliveriesNone}</p>
        ) : (
          <PlainTable
            title={t.deliveriesOf}
            rows={rows}
            id={(d) => d.id}
            columns={[
              { id: "kind", title: t.kind, cell: (d) => <code>{d.kind}</code> },
              {
                id: "state",
                title: t.state,
                cell: (d) =>
                  d.state === "delivered" ? (
                    <Status state="sent">{t.delivered}</Status>
                  ) : (
                    <span title={d.error}>
                      <Status state={d.state} />
                    </span>
                  ),
              },
              { id: "status", title: t.answer, end: true, cell: (d) => <Num of={d.status} /> },
              { id: "attempts", title: t.attempts, end: true, cell: (d) => <Num of={d.attempts} /> },
              { id: "made", title: t.made, cell: (d) => <Time at={d.created_at} /> },
              { id: "next", title: t.next, cell: (d) => <Time at={d.next_at} /> },
              {
                id: "again",
                title: strings.ui.table.actions,
                cell: (d) => d.state !== "waiting" && <Button onClick={() => again(d.id)}>{t.again}</Button>,
              },
            ]}
          />
        )}
        {query.hasNextPage && (
          <div>
            <Button busy={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
              {strings.ui.more}
            </Button>
          </div>
        )}
      </div>
    </Dialog>
  );
}
