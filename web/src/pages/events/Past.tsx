import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call } from "../../api/client";
import { strings } from "../../strings";
import { Dialog } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Empty } from "../../ui/states";
import { DataTable } from "../../ui/Table";
import { useAddress } from "../admin/address";
import { EventFacts } from "./EventFacts";
import { eventColumns } from "./eventColumns";
import style from "./events.module.css";
import type { StreamEvent } from "./tail";

const t = strings.events.streams;

// A time of the address, as a field for local times has it.
const local = (at: string) => {
  const d = new Date(at);
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

/** What a stream has, from a time on, the oldest first. */
export function Past({ stream, tenant, staff }: { stream: string; tenant: string; staff: boolean }) {
  const { since } = useSearch({ strict: false }) as { since?: string };
  const address = useAddress();
  const [open, setOpen] = useState<StreamEvent>();
  const from = since && !Number.isNaN(Date.parse(since)) ? new Date(since).toISOString() : undefined;
  const list = useList({
    name: "events",
    key: ["stream", stream, tenant, from],
    command: ["stream", "replay", stream, ...(tenant ? [`--tenant=${tenant}`] : []), ...(from ? [`--since=${from}`] : [])],
    fetch: ({ limit, after }, signal) => {
      const query = { limit, ...(after ? { after } : from && { since: from }), ...(tenant && { tenant }) };
      return call(api.GET("/api/v1/streams/{id}/events", { signal, params: { path: { id: stream }, query } }));
    },
  });
  return (
    <>
      <DataTable
        list={list}
        title={strings.events.title}
        columns={eventColumns(staff, setOpen)}
        id={(e) => `${e.tenant} ${e.source} ${e.origin ?? ""} ${e.id}`}
        open={setOpen}
        noSearch
        narrowed={from !== undefined}
        tools={
          <label className={style.since}>
            {t.since}
            <input
              type="datetime-local"
              value={from ? local(from) : ""}
              onChange={(e) => address({ since: e.target.value ? new Date(e.target.value).toISOString() : undefined, after: undefined })}
            />
          </label>
        }
        empty={<Empty title={t.none}>{t.noneHint}</Empty>}
      />
      <Dialog open={open !== undefined} onClose={() => setOpen(undefined)} title={open?.type ?? ""} drawer>
        {open && <EventFacts of={open} />}
      </Dialog>
    </>
  );
}
